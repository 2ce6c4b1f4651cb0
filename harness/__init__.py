"""Corpus, dataset, training, matrix and tables: the only package that knows both attacks and detectors."""
