"""Two runs: what changed, and whether that can be chance; knows no test and no command."""
