"""A run's folder read back: its cells and rows, scores and decisions, sweeps."""
