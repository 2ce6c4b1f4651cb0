"""Filters: part of the spectrum is taken away and nothing is delayed; see `zero_phase` for how."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.base import Attack, AttackError, Audio, Claim, Facts, parameter
from sealproof.attacks.filtering.zero_phase import (
    EDGE,
    FAINT,
    Band,
    Design,
    ZeroPhaseFilter,
    check_below_nyquist,
    power,
)

ORDER = 4
"""Order of the Butterworth filter; run forwards and backwards, it falls by 48 dB an octave."""


@dataclass(frozen=True, kw_only=True)
class Lowpass(ZeroPhaseFilter):
    """Removes what lies above a cut-off frequency, with zero phase.

    A Butterworth filter of order 4 forwards and backwards: -6 dB at the cut-off, -48 dB an octave beyond it. The
    cut-off must lie below half the sample rate.
    """

    name: ClassVar[str] = "lowpass"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {
        "cutoff_hz": (7000, 6000, 5000, 4000, 3000, 2000, 1000, 500),
    }

    cutoff_hz: float = parameter(unit="hz", low=20, high=96_000)

    def design(self, sample_rate: int) -> Design:
        """Return the Butterworth sections."""
        check_below_nyquist(self, "cutoff_hz", self.cutoff_hz, sample_rate)
        return _butterworth("lowpass", (self.cutoff_hz,), sample_rate)

    def passed(self, sample_rate: int) -> list[Band]:
        """Return the band below the cut-off."""
        return [(0, _scaled(self.cutoff_hz, 1 / EDGE, sample_rate))]

    def stopped(self, sample_rate: int) -> list[Band]:
        """Return the band above the cut-off."""
        return [(_scaled(self.cutoff_hz, EDGE, sample_rate), sample_rate / 2)]


@dataclass(frozen=True, kw_only=True)
class Highpass(ZeroPhaseFilter):
    """Removes what lies below a cut-off frequency, with zero phase.

    The counterpart of `Lowpass`: order 4 forwards and backwards, -6 dB at the cut-off, no delay.
    """

    name: ClassVar[str] = "highpass"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {
        "cutoff_hz": (50, 100, 250, 500, 1000, 1500, 2000, 4000),
    }

    cutoff_hz: float = parameter(unit="hz", low=20, high=96_000)

    def design(self, sample_rate: int) -> Design:
        """Return the Butterworth sections."""
        check_below_nyquist(self, "cutoff_hz", self.cutoff_hz, sample_rate)
        return _butterworth("highpass", (self.cutoff_hz,), sample_rate)

    def passed(self, sample_rate: int) -> list[Band]:
        """Return the band above the cut-off."""
        return [(_scaled(self.cutoff_hz, EDGE, sample_rate), sample_rate / 2)]

    def stopped(self, sample_rate: int) -> list[Band]:
        """Return the band below the cut-off."""
        return [(0, _scaled(self.cutoff_hz, 1 / EDGE, sample_rate))]


@dataclass(frozen=True, kw_only=True)
class Bandpass(ZeroPhaseFilter):
    """Removes what lies below one and above another cut-off frequency, with zero phase.

    A Butterworth band-pass, order 4 on either side, forwards and backwards: -6 dB at both cut-offs. Both must lie below
    half the sample rate: a band to 8 kHz is a high-pass at 16 kHz. Besides the sweeps the standard grid holds
    the bands from 100 to 7000 and from 1000 to 4000 Hz.
    """

    name: ClassVar[str] = "bandpass"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"low_hz": (100, 1000), "high_hz": (7000, 5000, 4000)}

    low_hz: float = parameter(unit="hz", low=20, high=96_000, default=500.0)
    high_hz: float = parameter(unit="hz", low=20, high=96_000, default=5000.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low_hz >= self.high_hz:
            raise AttackError(
                f"The 'low_hz' of bandpass must be below its 'high_hz' of {self.high_hz:g}. Got {self.low_hz:g}."
            )

    @classmethod
    def standard(cls) -> list[Self]:
        """The sweeps between the widest and the narrowest band."""
        return [cls(low_hz=100, high_hz=7000), *super().standard(), cls(low_hz=1000, high_hz=4000)]

    def design(self, sample_rate: int) -> Design:
        """Return the Butterworth sections."""
        check_below_nyquist(self, "high_hz", self.high_hz, sample_rate)
        return _butterworth("bandpass", (self.low_hz, self.high_hz), sample_rate)

    def passed(self, sample_rate: int) -> list[Band]:
        """Return the inner part of the band."""
        return [_widened((self.low_hz, self.high_hz), 1 / EDGE, sample_rate)]

    def stopped(self, sample_rate: int) -> list[Band]:
        """Return the bands below and above."""
        low, high = _widened((self.low_hz, self.high_hz), EDGE, sample_rate)
        return [(0, low), (high, sample_rate / 2)]


@dataclass(frozen=True, kw_only=True)
class Bandstop(ZeroPhaseFilter):
    """Removes a band of given centre and width, with zero phase.

    A Butterworth band-stop, order 4 on either side, forwards and backwards: -6 dB at centre - width / 2 and at
    centre + width / 2, which must lie above 0 and below half the sample rate.
    """

    name: ClassVar[str] = "bandstop"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {
        "width_hz": (100, 200, 500, 1000),
        "centre_hz": (250, 2000, 4000),
    }
    is_ordered: ClassVar[bool] = False  # where the band lies is no strength

    centre_hz: float = parameter(unit="hz", low=20, high=96_000, default=1000.0)
    width_hz: float = parameter(unit="hz", low=10, high=96_000, default=400.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width_hz >= 2 * self.centre_hz:
            raise AttackError(
                f"The 'width_hz' of bandstop must be below {2 * self.centre_hz:g}, twice its centre. "
                f"Got {self.width_hz:g}."
            )

    @property
    def band(self) -> Band:
        """The cut-offs."""
        return self.centre_hz - self.width_hz / 2, self.centre_hz + self.width_hz / 2

    def design(self, sample_rate: int) -> Design:
        """Return the Butterworth sections."""
        check_below_nyquist(self, "centre_hz + width_hz / 2", self.band[1], sample_rate)
        return _butterworth("bandstop", self.band, sample_rate)

    def passed(self, sample_rate: int) -> list[Band]:
        """Return the bands below and above."""
        low, high = _widened(self.band, EDGE, sample_rate)
        return [(0, low), (high, sample_rate / 2)]

    def stopped(self, sample_rate: int) -> list[Band]:
        """Return the inner part of the band."""
        return [_widened(self.band, 1 / EDGE, sample_rate)]


@dataclass(frozen=True, kw_only=True)
class RandomBandstop(Attack):
    """Removes a band of given width around a frequency drawn between 300 and 4000 Hz.

    `Bandstop` with another centre for each clip, drawn uniformly and stated as the fact `centre_hz`. A random band of
    200 Hz between 0.3 and 4 kHz is among the attacks on which AWARE was evaluated.
    """

    name: ClassVar[str] = "random_bandstop"
    family: ClassVar[str] = "filtering"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"width_hz": (200, 500)}
    is_random: ClassVar[bool] = True

    CENTRES_HZ: ClassVar[Band] = (300.0, 4000.0)

    width_hz: float = parameter(unit="hz", low=50, high=500)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> tuple[Audio, Facts]:
        """Draw the centre and filter the clip."""
        # By the largest centre, so that whether a sample rate will do does not depend on the seed.
        check_below_nyquist(self, "4000 + width_hz / 2", self.CENTRES_HZ[1] + self.width_hz / 2, sample_rate)
        centre = rng.uniform(*self.CENTRES_HZ)
        return self._around(centre).apply(clip, sample_rate, rng), {"centre_hz": centre}

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """A band is gone, the others keep their level."""
        return *self._around(1000).claims(sample_rate), Claim("centre_hz", *self.CENTRES_HZ, every=True)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """Look for the band that lost most, and measure it as `Bandstop` does."""
        measured = []
        for x, y in zip(before, after, strict=True):
            band = self._around(self._most_lost_hz(x, y, sample_rate))
            measured.append(band.evidence(x[None], y[None], sample_rate))
        quantities = ("passband_change_db", "stopband_change_db")
        return {name: np.array([each[name][0] for each in measured]) for name in quantities}

    def _around(self, centre_hz: float) -> Bandstop:
        return Bandstop(centre_hz=centre_hz, width_hz=self.width_hz)

    def _most_lost_hz(self, before: Audio, after: Audio, sample_rate: int) -> float:
        """Centre of the band of 0.8 times the width that lost most, in Hz."""
        step = sample_rate / before.size
        width = max(1, round(0.8 * self.width_hz / step))
        energies = [np.cumsum(np.pad(power(clip), (1, 0))) for clip in (before, after)]
        kept, lost = (total[width:] - total[:-width] for total in energies)
        middle = (np.arange(kept.size) + (width - 1) / 2) * step
        tried = (middle >= self.CENTRES_HZ[0]) & (middle <= self.CENTRES_HZ[1]) & (kept > FAINT * energies[0][-1])
        if not tried.any():
            return self.CENTRES_HZ[0]
        return float(middle[tried][np.argmin(lost[tried] / kept[tried])])


@dataclass(frozen=True, kw_only=True)
class Notch(ZeroPhaseFilter):
    """Removes one frequency, with zero phase.

    The notch of the "Audio EQ Cookbook" (R. Bristow-Johnson, W3C Note 2021) forwards and backwards: nothing is left at
    the centre, and the two frequencies at -6 dB lie centre / quality apart. The skirts are gentle, unlike
    those of `Bandstop`.
    """

    name: ClassVar[str] = "notch"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"quality": (30, 10, 3, 1), "centre_hz": (500, 2000, 4000)}
    is_ordered: ClassVar[bool] = False  # where the notch lies is no strength
    stopband_db: ClassVar[float] = -12.0

    centre_hz: float = parameter(unit="hz", low=20, high=96_000, default=1000.0)
    quality: float = parameter(unit="q", low=0.5, high=100, default=5.0)

    def design(self, sample_rate: int) -> Design:
        """Return the one section."""
        check_below_nyquist(self, "centre_hz", self.centre_hz, sample_rate)
        return _notch(self.centre_hz, self.quality, sample_rate)

    def passed(self, sample_rate: int) -> list[Band]:
        """Return the bands in which less than 0.25 dB is lost: beyond 6 half widths."""
        low, high = self._reach(6, sample_rate)
        return [(0, low), (high, sample_rate / 2)]

    def stopped(self, sample_rate: int) -> list[Band]:
        """Return the band in which at least 14 dB are lost: within half a half width."""
        return [self._reach(0.5, sample_rate)]

    def _reach(self, half_widths: float, sample_rate: int) -> Band:
        centre = math.tan(math.pi * self.centre_hz / sample_rate)
        return _solved(half_widths * centre / self.quality, centre**2, sample_rate)


@lru_cache(maxsize=256)
def _butterworth(
    kind: Literal["lowpass", "highpass", "bandpass", "bandstop"], cutoffs: tuple[float, ...], sample_rate: int
) -> Design:
    from scipy import signal

    cutoff = cutoffs if len(cutoffs) > 1 else cutoffs[0]
    sections = signal.butter(ORDER, cutoff, kind, fs=sample_rate, output="sos")
    return sections, signal.sosfilt_zi(sections)


@lru_cache(maxsize=256)
def _notch(centre_hz: float, quality: float, sample_rate: int) -> Design:
    from scipy import signal

    angle = 2 * math.pi * centre_hz / sample_rate
    alpha, cosine = math.sin(angle) / (2 * quality), math.cos(angle)
    coefficients = np.array([[1, -2 * cosine, 1, 1 + alpha, -2 * cosine, 1 - alpha]])
    sections = coefficients / (1 + alpha)
    return sections, signal.sosfilt_zi(sections)


def _scaled(cutoff_hz: float, factor: float, sample_rate: int) -> float:
    """`factor` times a frequency on the scale of the analogue prototype, on which the responses are defined."""
    return math.atan(factor * math.tan(math.pi * cutoff_hz / sample_rate)) * sample_rate / math.pi


def _widened(band: Band, factor: float, sample_rate: int) -> Band:
    """`factor` times a band on the scale of the analogue prototype: |w^2 - w1 w2| = factor * (w2 - w1) * w."""
    low, high = (math.tan(math.pi * edge / sample_rate) for edge in band)
    return _solved(factor * (high - low), low * high, sample_rate)


def _solved(width: float, squared_centre: float, sample_rate: int) -> Band:
    """The frequencies in Hz that solve |w^2 - squared_centre| = width * w, with w = tan(pi f / sample_rate)."""
    root = math.sqrt(width**2 + 4 * squared_centre)
    low, high = (math.atan((root + side * width) / 2) * sample_rate / math.pi for side in (-1, 1))
    return low, high
