"""Level: changes of amplitude that leave time and spectrum alone, or nearly."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sealproof.attacks.base import Attack, Audio, parameter


@dataclass(frozen=True, kw_only=True)
class Gain(Attack):
    """Multiplies the clip by a gain stated in dB, without clipping.

    A gain of 6 dB multiplies amplitudes by 10^(6/20) = 1.995. The result may exceed full scale.
    """

    name: ClassVar[str] = "gain"
    family: ClassVar[str] = "level"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"gain_db": (-6, 6, -12, 12, -20)}

    gain_db: float = parameter(unit="db", low=-60, high=60, excluding=0)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Scales every sample."""
        del sample_rate, rng
        return clip * np.float32(10 ** (self.gain_db / 20))


@dataclass(frozen=True, kw_only=True)
class Clipping(Attack):
    """Hard-clips the loudest given percentage of the samples, symmetrically.

    The threshold is the largest magnitude that the percentage leaves unclipped, so the strength means the same for
    quiet and loud clips. At least one sample is clipped. A clip of constant magnitude (silence, DC, a square wave) has
    nothing above its threshold and comes back as it was.
    """

    name: ClassVar[str] = "clipping"
    family: ClassVar[str] = "level"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"clipped_percent": (1, 5, 20)}

    clipped_percent: float = parameter(unit="percent", low=0, high=100, above_low=True, below_high=True)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Limits the magnitude of the clip to its threshold."""
        del sample_rate, rng
        clipped = min(max(1, round(clip.size * self.clipped_percent / 100)), clip.size - 1)
        keep = clip.size - 1 - clipped  # rank of the threshold among the sorted magnitudes
        threshold = np.partition(np.abs(clip), keep)[keep]
        return np.clip(clip, -threshold, threshold)
