"""Adversaries that add one simple sound and ask nothing. They must not know the others."""
