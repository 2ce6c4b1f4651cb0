"""The weights of audioseal_mini; README.md is their card."""
