"""Where an adversary looks that has to guess: all samples, or below 2 kHz."""

import numpy as np

from sealproof.attacks.adversarial.contract.oracle import Floats

BASES = ("all", "low")

LOW_HZ = 2000.0
"""Above it music is mostly soft, and codecs cut; a guess that anybody can make."""


def restricted(changes: Floats, basis: str, sample_rate: int) -> Floats:
    """Return the part of changes (m, samples) that lies in a basis."""
    if basis == "all":
        return changes
    n = changes.shape[1]
    spectrum = np.fft.rfft(changes)
    spectrum[:, np.fft.rfftfreq(n, 1 / sample_rate) > LOW_HZ] = 0
    return np.asarray(np.fft.irfft(spectrum, n))


def draw(rng: np.random.Generator, count: int, n_samples: int, basis: str, sample_rate: int) -> Floats:
    """Draw Gaussian changes (count, samples) in a basis, each of length 1."""
    drawn = restricted(rng.standard_normal((count, n_samples)), basis, sample_rate)
    return np.asarray(drawn / np.sqrt((drawn**2).sum(axis=1, keepdims=True)))
