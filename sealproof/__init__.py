"""Proof-test audio watermark detectors: datasets, mimics, perturbations, accuracy and agreement tables."""

import os

# Torch's threads (OpenMP) spin while they wait. Where others compute too, tensorflow's for one, they spin in each
# other's way: a detector then took 132 ms a clip in place of 10. Read when torch is first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
