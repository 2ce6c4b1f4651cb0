"""Attacks on the spectrum that move nothing in time: filters, smoothing, denoising, changes of phase.

Families `filtering`, `smoothing`, `denoising` and `phase`. It must not know attacks of other rooms.
"""
