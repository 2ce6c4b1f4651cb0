"""Reverberation: delayed copies of the clip are added to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sealproof.attacks.base import Attack, Audio, parameter


@dataclass(frozen=True, kw_only=True)
class Echo(Attack):
    """Adds one delayed copy of the clip, scaled by a linear gain.

    The direct sound keeps its level and place, and nothing is normalised. The delay is rounded to whole samples; what
    would ring on beyond the end of the clip is cut. A clip shorter than the delay comes back as it was.
    """

    name: ClassVar[str] = "echo"
    family: ClassVar[str] = "reverb"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"gain": (0.1, 0.3, 0.5)}

    delay_ms: float = parameter(unit="ms", low=1, high=1000, default=100.0)
    gain: float = parameter(unit="x", low=0, high=1, above_low=True, default=0.3)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Adds the copy."""
        del rng
        delay = round(self.delay_ms * sample_rate / 1000)
        echoed = clip.copy()
        echoed[delay:] += np.float32(self.gain) * clip[: max(0, clip.size - delay)]
        return echoed
