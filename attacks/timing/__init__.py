"""Attacks on time: shifted, stretched, cut, or sampled at another rate.

Families `timing`, `cutting` and `resampling`. It must not know attacks of other rooms.
"""
