"""Imitators: what can be taught to decide as a detector does, from one threshold to a network."""
