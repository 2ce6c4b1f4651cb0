"""How AudioSeal-like a scheme is: its numbers beside those recorded for the official one."""
