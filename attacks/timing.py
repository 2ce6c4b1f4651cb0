"""Timing: what the clip says stays the same, when it says it does not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from python_stretch.Signalsmith import Stretch

from sealproof.attacks.base import Attack, Audio, parameter


@dataclass(frozen=True, kw_only=True)
class Offset(Attack):
    """Delays the clip by a number of samples: zeros in front, the end is cut, the length stays.

    A delay as long as the clip leaves silence.
    """

    name: ClassVar[str] = "offset"
    family: ClassVar[str] = "timing"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"offset_samples": (1, 10, 100, 800, 4000)}
    keeps_alignment: ClassVar[bool] = False

    offset_samples: int = parameter(unit="samples", kind=int, low=1)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Moves the clip to the right."""
        del sample_rate, rng
        kept = max(0, clip.size - self.offset_samples)
        delayed = np.zeros_like(clip)
        delayed[clip.size - kept :] = clip[:kept]
        return delayed


@dataclass(frozen=True, kw_only=True)
class TimeStretch(Attack):
    """Makes the clip shorter (factor above 1) or longer without changing its pitch.

    Signalsmith Stretch, a phase-vocoder method with its full-quality preset. The output has round(samples / factor)
    samples, at least one, all of them audio: the tail is neither cut nor filled with zeros.
    """

    name: ClassVar[str] = "time_stretch"
    family: ClassVar[str] = "timing"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"factor": (1.01, 0.99, 1.05, 0.95, 1.1, 0.9)}
    keeps_alignment: ClassVar[bool] = False

    factor: float = parameter(unit="x", low=0.5, high=2, excluding=1)

    def output_length(self, n_samples: int, sample_rate: int) -> int:
        """round(n_samples / factor), at least one."""
        del sample_rate
        return max(1, round(n_samples / self.factor))

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Stretches with a fresh processor, so that no state passes from clip to clip."""
        del rng
        stretch = Stretch()
        stretch.preset(1, sample_rate)
        # The ratio of the two whole lengths, so that the library's rounding of the length agrees with ours.
        stretch.setTimeFactor(clip.size / self.output_length(clip.size, sample_rate))
        stretched = stretch.process(clip[None].copy())  # a copy: the binding refuses read-only arrays
        return np.asarray(stretched, dtype=np.float32).reshape(-1)
