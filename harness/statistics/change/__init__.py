"""What changed between two runs on the same recordings: can it be luck, over many cells at once?"""
