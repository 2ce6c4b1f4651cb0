"""Filters: part of the spectrum is taken away and nothing is delayed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from sealproof.attacks.base import Attack, AttackError, Audio, parameter

ORDER = 4
"""Order of the Butterworth filter; run forwards and backwards, it falls by 48 dB an octave."""


@dataclass(frozen=True, kw_only=True)
class Lowpass(Attack):
    """Removes what lies above a cut-off frequency, with zero phase.

    A Butterworth filter of order 4 runs forwards and backwards (Oppenheim and Schafer, "Discrete-Time Signal
    Processing", on zero-phase filtering): its response is squared, -6 dB instead of -3 dB at the cut-off, and the
    delays of the two passes cancel. The cut-off must lie below half the sample rate.
    """

    name: ClassVar[str] = "lowpass"
    family: ClassVar[str] = "filtering"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"cutoff_hz": (7000, 6000, 4000, 2000, 1000)}

    cutoff_hz: float = parameter(unit="hz", low=20, high=96_000)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Filters the clip."""
        del rng
        return _filter(self, "lowpass", self.cutoff_hz, clip, sample_rate)


@dataclass(frozen=True, kw_only=True)
class Highpass(Attack):
    """Removes what lies below a cut-off frequency, with zero phase.

    The counterpart of `Lowpass`: order 4 forwards and backwards, -6 dB at the cut-off, no delay.
    """

    name: ClassVar[str] = "highpass"
    family: ClassVar[str] = "filtering"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"cutoff_hz": (100, 250, 500, 1000, 2000)}

    cutoff_hz: float = parameter(unit="hz", low=20, high=96_000)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Filters the clip."""
        del rng
        return _filter(self, "highpass", self.cutoff_hz, clip, sample_rate)


def _filter(
    attack: Attack, kind: Literal["lowpass", "highpass"], cutoff_hz: float, clip: Audio, sample_rate: int
) -> Audio:
    from scipy import signal

    if cutoff_hz >= sample_rate / 2:
        raise AttackError(
            f"The 'cutoff_hz' of {attack.name} must be below {sample_rate / 2:g} Hz, half the sample rate. "
            f"Got {cutoff_hz:g}."
        )
    sections = signal.butter(ORDER, cutoff_hz, kind, fs=sample_rate, output="sos")
    # scipy's default extension of the ends; a shorter clip can be extended by no more than its own length less one.
    extension = min(3 * (2 * len(sections) + 1), clip.size - 1)
    filtered = signal.sosfiltfilt(sections, clip.astype(np.float64), padlen=extension)
    return np.asarray(filtered, dtype=np.float32)
