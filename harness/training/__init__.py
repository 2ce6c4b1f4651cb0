"""Learning from a dataset: mimics of a detector, and schemes of AudioSeal's kind; knows nothing of attacked cells."""
