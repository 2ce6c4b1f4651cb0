"""A diagnosis written down: table, JSON, CSV, picture, and several side by side."""
