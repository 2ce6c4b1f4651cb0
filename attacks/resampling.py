"""Resampling: a detour over another sample rate, or playing at another speed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import soxr

from sealproof.attacks.base import Attack, AttackError, Audio, parameter

QUALITY = "HQ"
"""soxr's 20-bit linear-phase recipe: no delay, pass band to about 0.91 of the lower Nyquist frequency."""

TAIL = 64
"""Zeros appended before resampling, in samples: rounding of the length then never shortens the output."""


@dataclass(frozen=True, kw_only=True)
class Resample(Attack):
    """Resamples to a lower rate and back, which removes what lies above half that rate.

    Length and alignment are kept. The detour rate must be below the clip's own: a higher one would change nothing.
    """

    name: ClassVar[str] = "resample"
    family: ClassVar[str] = "resampling"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"via_hz": (12_000, 11_025, 8000, 4000)}

    via_hz: int = parameter(unit="hz", kind=int, low=1000, high=192_000)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Resamples there and back with soxr."""
        del rng
        if self.via_hz >= sample_rate:
            raise AttackError(
                f"The 'via_hz' of resample must be below the sample rate of {sample_rate} Hz. Got {self.via_hz}."
            )
        detour = soxr.resample(_with_tail(clip), sample_rate, self.via_hz, QUALITY)
        return np.asarray(soxr.resample(detour, self.via_hz, sample_rate, QUALITY)[: clip.size], dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class Speed(Attack):
    """Plays the clip faster (factor above 1) or slower, so that pitch and tempo change together.

    The output has round(samples / factor) samples, at least one; a tone of f Hz becomes one of factor * f Hz.
    """

    name: ClassVar[str] = "speed"
    family: ClassVar[str] = "resampling"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"factor": (1.01, 0.99, 1.05, 0.95, 1.1, 0.9)}
    keeps_alignment: ClassVar[bool] = False

    factor: float = parameter(unit="x", low=0.5, high=2, excluding=1)

    def output_length(self, n_samples: int, sample_rate: int) -> int:
        """round(n_samples / factor), at least one."""
        del sample_rate
        return max(1, round(n_samples / self.factor))

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Resamples with soxr as if the clip had been recorded at factor times its sample rate."""
        del rng
        length = self.output_length(clip.size, sample_rate)
        return np.asarray(soxr.resample(_with_tail(clip), self.factor, 1.0, QUALITY)[:length], dtype=np.float32)


def _with_tail(clip: Audio) -> Audio:
    return np.pad(clip, (0, TAIL))
