"""Why the study's network fails: one thing changed at a time, and several at once."""
