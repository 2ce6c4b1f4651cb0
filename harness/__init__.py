"""Corpora, datasets, training, the matrix, tables and reports: the only package that knows both attacks and detectors.

Its rooms stand one above the other; pyproject.toml says in which order, and imports go down alone.
"""
