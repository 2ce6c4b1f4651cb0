"""Counterexamples: the shortest chains of harmless attacks that break a detector, or part it from its mimic."""
