"""Linear detectors: what a few lines of algebra see of a clip, for diagnoses and as imitators."""
