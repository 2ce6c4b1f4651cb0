"""What code something rests on, read from its source without running it, and the hash of that.

Knows modules, packages and distributions; it does not know attacks, schemes or cells.
"""
