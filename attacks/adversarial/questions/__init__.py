"""Adversaries that only ask: decisions, scores or frames. They must not know those with gradients."""
