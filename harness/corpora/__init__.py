"""Clean clips: a folder of music, built-in music, MusicCaps; knows nothing of watermarks and splits."""
