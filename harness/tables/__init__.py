"""What a run writes, what every number in it means, and reading it back; knows nothing of pages and baselines."""
