"""Attacks on level: one change for the whole clip, a change that follows the clip, or one that runs over time.

Families `level` and `dynamics`. It must not know attacks of other rooms.
"""
