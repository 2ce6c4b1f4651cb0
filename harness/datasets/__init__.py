"""Clean and watermarked twins on disk, their splits, and what an attacker may know; knows no mimic and no run."""
