"""Metrics and their intervals, in numpy alone; knows nothing of files, clips or runs."""
