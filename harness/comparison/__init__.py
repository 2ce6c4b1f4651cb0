"""Two runs: what changed, and whether that can be chance; knows no test and no command."""

ALLOWED_DROP = 0.05
"""By how much a rate may fall where nothing else is asked for."""
