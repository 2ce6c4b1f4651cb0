"""Diagnosis of a scheme: what its detector decides on, and whether a cheap trick would do the same."""
