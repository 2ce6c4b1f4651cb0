"""Collecting the songs of MusicCaps: which are wanted, at what pace, what came of each."""
