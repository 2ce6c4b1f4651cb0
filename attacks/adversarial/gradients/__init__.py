"""Adversaries that follow gradients: the detector's own, or a copy's. They must not know those that guess."""
