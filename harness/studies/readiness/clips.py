"""What things are tried on: a second of made-up music, and what is known about it."""

from functools import cache

import numpy as np

from sealproof.attacks.contract.knowledge import Knowledge
from sealproof.attacks.testing import music_like
from sealproof.detectors import get_scheme
from sealproof.detectors.base import Audio
from sealproof.harness.datasets.attacker_knowledge import watermarkers

RATE = 16_000

_SCHEME = "spread_spectrum"
"""Marks what attacks are tried on: it needs nothing but numpy and scipy."""

_OTHERS = 8
"""Other recordings: the standard strengths of no attack draw from more."""


def music(n_clips: int = 1, sample_rate: int = RATE) -> Audio:
    """Return clips of one second, (n, samples)."""
    return music_like(n_clips, sample_rate, sample_rate, seed=1)


@cache
def known() -> Knowledge:
    """Return what watermark-aware attacks may know of `music()`, with the watermarkers that a run gives them."""
    clean = music(1 + _OTHERS)[1:]
    watermarker = get_scheme(_SCHEME).watermarker
    messages = np.zeros((len(clean), watermarker.message_bits), np.uint8)
    return Knowledge(music(), clean, watermarker.embed(clean, messages), watermarkers(_SCHEME))
