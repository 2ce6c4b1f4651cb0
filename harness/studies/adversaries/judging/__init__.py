"""Whether what an adversary did counts: checks of the adversary itself."""
