"""Filters: part of the spectrum is taken away and nothing is delayed.

Every filter here runs forwards and backwards over the clip (Oppenheim and Schafer, "Discrete-Time Signal Processing",
on zero-phase filtering): its response is squared, so that -3 dB become -6 dB, and the delays of the two passes cancel.
"""

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.base import Attack, AttackError, Audio, Claim, Facts, parameter

Band = tuple[float, float]
"""From and to, in Hz."""

Design = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Second-order sections, and their state after a long time of constant input 1."""

ORDER = 4
"""Order of the Butterworth filter; run forwards and backwards, it falls by 48 dB an octave."""

EDGE = 1.8
"""A Butterworth filter run twice has the response 1 / (1 + x^8) at x times its cut-off on the scale of the analogue
prototype: -40.9 dB at 1.8, where we let its stop band begin, and -0.08 dB at 1 / 1.8, where its pass band ends."""

LOWEST_HZ = 62.5
"""Centre of the lowest octave; what lies below is not told apart."""

FAINT = 1e-7
"""Share of the energy of a clip below which a band holds too little to be measured."""

MIN_BINS = 8
"""Fewest bins of the spectrum in which a band is measured: the main lobe of the window has six."""


class ZeroPhaseFilter(Attack):
    """A recursive filter that runs forwards and backwards, and stands by its pass and stop bands.

    Attributes:
        stopband_db: Largest level that may be left of the stop band, in dB.
    """

    family: ClassVar[str] = "filtering"
    stopband_db: ClassVar[float] = -35.0

    @abstractmethod
    def design(self, sample_rate: int) -> Design:
        """Returns the sections of one pass; refuses cut-offs that the sample rate does not allow."""

    @abstractmethod
    def passed(self, sample_rate: int) -> list[Band]:
        """Returns the bands that keep their level."""

    @abstractmethod
    def stopped(self, sample_rate: int) -> list[Band]:
        """Returns the bands that are taken away."""

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Filters the clip."""
        del rng
        return forwards_and_backwards(clip, self.design(sample_rate))

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The pass band keeps its level, the stop band is gone."""
        del sample_rate
        return Claim.about("passband_change_db", 0, 0.5), Claim("stopband_change_db", high=self.stopband_db)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """Measures octave by octave, so that a loud one hides nothing; the one where the filter does worst counts."""
        passed = [octave for band in self.passed(sample_rate) for octave in _octaves_of(band)]
        stopped = [octave for band in self.stopped(sample_rate) for octave in _octaves_of(band)]
        change = band_change_db(before, after, sample_rate, [*passed, *stopped])
        return {
            "passband_change_db": _worst(change[:, : len(passed)], np.abs),
            "stopband_change_db": _worst(change[:, len(passed) :], np.positive),
        }


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
        """Returns the Butterworth sections."""
        check_below_nyquist(self, "cutoff_hz", self.cutoff_hz, sample_rate)
        return _butterworth("lowpass", (self.cutoff_hz,), sample_rate)

    def passed(self, sample_rate: int) -> list[Band]:
        """Returns the band below the cut-off."""
        return [(0, _scaled(self.cutoff_hz, 1 / EDGE, sample_rate))]

    def stopped(self, sample_rate: int) -> list[Band]:
        """Returns the band above the cut-off."""
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
        """Returns the Butterworth sections."""
        check_below_nyquist(self, "cutoff_hz", self.cutoff_hz, sample_rate)
        return _butterworth("highpass", (self.cutoff_hz,), sample_rate)

    def passed(self, sample_rate: int) -> list[Band]:
        """Returns the band above the cut-off."""
        return [(_scaled(self.cutoff_hz, EDGE, sample_rate), sample_rate / 2)]

    def stopped(self, sample_rate: int) -> list[Band]:
        """Returns the band below the cut-off."""
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
        """Returns the Butterworth sections."""
        check_below_nyquist(self, "high_hz", self.high_hz, sample_rate)
        return _butterworth("bandpass", (self.low_hz, self.high_hz), sample_rate)

    def passed(self, sample_rate: int) -> list[Band]:
        """Returns the inner part of the band."""
        return [_widened((self.low_hz, self.high_hz), 1 / EDGE, sample_rate)]

    def stopped(self, sample_rate: int) -> list[Band]:
        """Returns the bands below and above."""
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
        """Returns the Butterworth sections."""
        check_below_nyquist(self, "centre_hz + width_hz / 2", self.band[1], sample_rate)
        return _butterworth("bandstop", self.band, sample_rate)

    def passed(self, sample_rate: int) -> list[Band]:
        """Returns the bands below and above."""
        low, high = _widened(self.band, EDGE, sample_rate)
        return [(0, low), (high, sample_rate / 2)]

    def stopped(self, sample_rate: int) -> list[Band]:
        """Returns the inner part of the band."""
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
        """Draws the centre and filters the clip."""
        # By the largest centre, so that whether a sample rate will do does not depend on the seed.
        check_below_nyquist(self, "4000 + width_hz / 2", self.CENTRES_HZ[1] + self.width_hz / 2, sample_rate)
        centre = rng.uniform(*self.CENTRES_HZ)
        return self._around(centre).apply(clip, sample_rate, rng), {"centre_hz": centre}

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """A band is gone, the others keep their level."""
        return *self._around(1000).claims(sample_rate), Claim("centre_hz", *self.CENTRES_HZ, every=True)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """Looks for the band that lost most, and measures it as `Bandstop` does."""
        measured = []
        for x, y in zip(before, after, strict=True):
            found = self._around(self._found(x, y, sample_rate))
            measured.append(found.evidence(x[None], y[None], sample_rate))
        quantities = ("passband_change_db", "stopband_change_db")
        return {name: np.array([one[name][0] for one in measured]) for name in quantities}

    def _around(self, centre_hz: float) -> Bandstop:
        return Bandstop(centre_hz=centre_hz, width_hz=self.width_hz)

    def _found(self, before: Audio, after: Audio, sample_rate: int) -> float:
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
        """Returns the one section."""
        check_below_nyquist(self, "centre_hz", self.centre_hz, sample_rate)
        return _notch(self.centre_hz, self.quality, sample_rate)

    def passed(self, sample_rate: int) -> list[Band]:
        """Returns the bands in which less than 0.25 dB is lost: beyond 6 half widths."""
        low, high = self._reach(6, sample_rate)
        return [(0, low), (high, sample_rate / 2)]

    def stopped(self, sample_rate: int) -> list[Band]:
        """Returns the band in which at least 14 dB are lost: within half a half width."""
        return [self._reach(0.5, sample_rate)]

    def _reach(self, half_widths: float, sample_rate: int) -> Band:
        centre = math.tan(math.pi * self.centre_hz / sample_rate)
        return _solved(half_widths * centre / self.quality, centre**2, sample_rate)


def forwards_and_backwards(clip: Audio, design: Design) -> Audio:
    """Filters a clip (samples,) with zero phase; the same bits as `scipy.signal.sosfiltfilt`, without its set-up."""
    from scipy import signal

    sections, settled = design
    # scipy's default extension of the ends; a shorter clip can be extended by no more than its own length less one.
    reach = min(3 * (2 * len(sections) + 1), clip.size - 1)
    x = clip.astype(np.float64)
    extended = np.concatenate([2 * x[0] - x[reach:0:-1], x, 2 * x[-1] - x[-2 : -reach - 2 : -1]])
    forwards, _ = signal.sosfilt(sections, extended, zi=settled * extended[0])
    backwards, _ = signal.sosfilt(sections, forwards[::-1], zi=settled * forwards[-1])
    return np.asarray(backwards[::-1][reach : reach + clip.size], dtype=np.float32)


def band_change_db(before: Audio, after: Audio, sample_rate: int, bands: Sequence[Band]) -> NDArray[np.float64]:
    """How the level in each band changed, in dB.

    Args:
        before: (n, samples).
        after: (n, samples), the same shape.
        sample_rate: In Hz.
        bands: From and to, in Hz.

    Returns:
        (n, bands): -inf where nothing is left, NaN where the clip is too short for the band or holds nothing in it.
    """
    step = sample_rate / before.shape[1]
    slices = [slice(math.ceil(low / step), math.floor(high / step) + 1) for low, high in bands]
    change = np.full((len(before), len(bands)), np.nan)
    for row, x, y in zip(change, before, after, strict=True):
        power_x, power_y = power(x), power(y)
        floor = FAINT * power_x.sum()
        for index, where in enumerate(slices):
            energy = power_x[where].sum()
            if power_x[where].size >= MIN_BINS and energy > floor:
                with np.errstate(divide="ignore"):
                    row[index] = 10 * np.log10(power_y[where].sum() / energy)
    return change


def octaves(sample_rate: int) -> list[float]:
    """Octave-band centres in Hz, from 62.5: all whose band begins below half the sample rate."""
    n = math.ceil(math.log2(sample_rate / 2 * math.sqrt(2) / LOWEST_HZ))
    return [LOWEST_HZ * 2**k for k in range(n)]


def octave_bands(sample_rate: int) -> list[Band]:
    """The bands around `octaves`, the last of them up to half the sample rate."""
    return [(f / math.sqrt(2), min(f * math.sqrt(2), sample_rate / 2)) for f in octaves(sample_rate)]


def response_error_db(
    before: Audio,
    after: Audio,
    sample_rate: int,
    response: Callable[[NDArray[np.float64]], NDArray[np.complex128]],
) -> NDArray[np.float64]:
    """How far a filter is from its frequency response, magnitude and phase, in dB.

    In every octave band: energy of (spectrum after - response * spectrum before) over the energy of the latter product.
    The band with the largest error counts, so that neither a loud band nor a delay can hide it.

    Args:
        before: (n, samples).
        after: (n, samples), the same shape.
        sample_rate: In Hz.
        response: From frequencies in Hz to the complex response.

    Returns:
        (n,): NaN where no band can be measured.
    """
    frequencies = np.fft.rfftfreq(before.shape[1], 1 / sample_rate).astype(np.float64)
    wanted_response = response(frequencies)
    edges = [np.searchsorted(frequencies, band) for band in octave_bands(sample_rate)]
    worst = np.full(len(before), np.nan)
    for index, (x, y) in enumerate(zip(before, after, strict=True)):
        wanted = wanted_response * _spectrum(x)
        error, energy = _power(_spectrum(y) - wanted), _power(wanted)
        floor = FAINT * energy.sum()
        bands = [slice(low, high) for low, high in edges if high - low >= MIN_BINS]
        ratios = [error[band].sum() / energy[band].sum() for band in bands if energy[band].sum() > floor]
        if ratios:
            worst[index] = 10 * np.log10(max(*ratios, 1e-30))
    return worst


def phase_delay(before: Audio, after: Audio, highest: float) -> float:
    """Delay of a clip (samples,) in samples: minus the slope of the phase from zero to a frequency in cycles a sample.

    The energy at each frequency is its weight; NaN where the clip is too short, or silent below that frequency.
    """
    n_bins = math.floor(highest * before.size)
    bins = np.arange(1, n_bins + 1)
    cross = np.conj(_spectrum(before)[1 : n_bins + 1]) * _spectrum(after)[1 : n_bins + 1]
    weights = np.abs(cross)
    if n_bins < MIN_BINS or not weights.any():
        return math.nan
    slope = np.sum(weights * bins * np.angle(cross)) / np.sum(weights * bins**2)
    return float(-slope * before.size / (2 * np.pi))


def power(clip: Audio) -> NDArray[np.float64]:
    """Power spectrum of a clip (samples,) under a window whose leakage falls by 30 dB an octave."""
    return _power(_spectrum(clip))


def check_below_nyquist(attack: Attack, parameter: str, value: float, sample_rate: int) -> None:
    """Refuses a frequency at or above half the sample rate, where a filter would do nothing, or leave nothing.

    Raises:
        AttackError: If it is.
    """
    if value >= sample_rate / 2:
        raise AttackError(
            f"The '{parameter}' of {attack.name} must be below {sample_rate / 2:g} Hz, half the sample rate. "
            f"Got {value:g}."
        )


def _spectrum(clip: Audio) -> NDArray[np.complex128]:
    return np.asarray(np.fft.rfft(clip * _window(clip.size)), dtype=np.complex128)


def _power(spectrum: NDArray[np.complex128]) -> NDArray[np.float64]:
    return np.asarray(spectrum.real**2 + spectrum.imag**2)


@lru_cache(maxsize=4)
def _window(size: int) -> NDArray[np.float64]:
    return np.asarray(np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 4)  # the square of a Hann window


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


def _octaves_of(band: Band) -> list[Band]:
    """A band in octaves from its upper end down; what lies below 62.5 Hz stays in one piece."""
    low, high = band
    edges = [high]
    while edges[-1] / 2 > max(low, LOWEST_HZ):
        edges.append(edges[-1] / 2)
    return [(below, above) for above, below in zip(edges, [*edges[1:], low], strict=True)]


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


def _worst(
    change: NDArray[np.float64], badness: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """(n,): of each row the value with the largest badness, NaN where all are NaN."""
    at = np.argmax(np.where(np.isnan(change), -np.inf, badness(change)), axis=1)
    return np.asarray(change[np.arange(len(change)), at])
