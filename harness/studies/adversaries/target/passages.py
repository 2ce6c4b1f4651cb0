"""What audio goes through after an attack, and whether the attack outlives it."""

from collections.abc import Sequence

import numpy as np

from sealproof.attacks import get_attack
from sealproof.attacks.adversarial.contract.knowledge import Passage
from sealproof.attacks.adversarial.contract.oracle import Audio, Floats

_OFFSET = 100

SURVIVED = ("mp3.64kbps", "opus.16kbps", "white_noise.30db", f"offset.{_OFFSET}samples")
"""Attacks of the catalogue that a change shall outlive: codecs, noise and a shift."""


def passages(sample_rate: int) -> tuple[Passage, ...]:
    """Return them, for adversaries that prepare for them."""
    return tuple(_passage(name, sample_rate) for name in SURVIVED)


def _passage(name: str, sample_rate: int) -> Passage:
    attack = get_attack(name)

    def through(batch: Audio, seeds: Sequence[int]) -> Audio:
        return attack(np.ascontiguousarray(batch, np.float32), sample_rate, list(seeds))

    return Passage(name, through, _forward if name.startswith("offset") else _straight)


def _straight(gradient: Floats) -> Floats:
    return gradient


def _forward(gradient: Floats) -> Floats:
    """Return what a delay of 100 samples does to a gradient by its output: it comes that much earlier."""
    earlier = np.zeros_like(gradient)
    earlier[:, :-_OFFSET] = gradient[:, _OFFSET:]
    return earlier
