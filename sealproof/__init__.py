"""Proof-test audio watermark detectors: datasets, mimics, perturbations, accuracy and agreement tables."""
