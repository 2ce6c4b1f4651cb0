"""The command `sealproof`, a module for each kind of command; it prints what the rooms below return.

Heavy imports are inside functions, so that `--help` is quick.
"""
