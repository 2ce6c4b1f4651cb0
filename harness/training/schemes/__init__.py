"""Training a generator and a detector of AudioSeal's kind: the recipe of `audioseal_mini`; knows nothing of mimics."""
