"""Corpus, dataset, training, the perturbation matrix and its tables: the only package that knows attacks and detectors."""
