"""The contract of an adversary: the oracle it asks, its budget, what it may know, and how its best is kept.

It must not know any adversary, nor detectors.
"""
