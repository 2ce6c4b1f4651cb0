"""MusicCaps: its table, the clips of its videos, and the corpus that they make; knows nothing of other corpora."""
