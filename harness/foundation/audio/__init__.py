"""Sound files and what is read off them: PCM, spectrograms, files that were cut off."""
