"""What is attacked and what adversaries have: the detector as an oracle, surrogates, budgets, what audio goes through.

It must not know how attacks are judged or written down.
"""
