"""Attacks that add something: noises, disturbances, and the errors of coarse quantising.

Family `noise`. It must not know attacks of other rooms.
"""
