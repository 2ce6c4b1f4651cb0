"""Weights that ship with sealproof, each in a folder with its card."""
