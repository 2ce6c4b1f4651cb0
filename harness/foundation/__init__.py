"""Files that are whole or absent, seeds, versions, threads, sound files; knows nothing of watermarks."""
