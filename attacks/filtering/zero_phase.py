"""What filters share: running forwards and backwards, and measuring what that left of each octave.

Oppenheim and Schafer, "Discrete-Time Signal Processing", on zero-phase filtering: the response is squared, so that
-3 dB become -6 dB, and the delays of the two passes cancel.
"""

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.base import Attack, AttackError, Audio, Claim

Band = tuple[float, float]
"""From and to, in Hz."""

Design = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Second-order sections, and their state after a long time of constant input 1."""

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
        """Return the sections of one pass; refuses cut-offs that the sample rate does not allow."""

    @abstractmethod
    def passed(self, sample_rate: int) -> list[Band]:
        """Return the bands that keep their level."""

    @abstractmethod
    def stopped(self, sample_rate: int) -> list[Band]:
        """Return the bands that are taken away."""

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Filter the clip."""
        del rng
        return forwards_and_backwards(clip, self.design(sample_rate))

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The pass band keeps its level, the stop band is gone."""
        del sample_rate
        return Claim.about("passband_change_db", 0, 0.5), Claim("stopband_change_db", high=self.stopband_db)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """Measure octave by octave, so that a loud one hides nothing; the one where the filter does worst counts."""
        passed = [octave for band in self.passed(sample_rate) for octave in _octaves_of(band)]
        stopped = [octave for band in self.stopped(sample_rate) for octave in _octaves_of(band)]
        change = band_change_db(before, after, sample_rate, [*passed, *stopped])
        return {
            "passband_change_db": _worst(change[:, : len(passed)], np.abs),
            "stopband_change_db": _worst(change[:, len(passed) :], np.positive),
        }


def forwards_and_backwards(clip: Audio, design: Design) -> Audio:
    """Filter a clip (samples,) with zero phase; the same bits as `scipy.signal.sosfiltfilt`, without its set-up."""
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
    """Refuse a frequency at or above half the sample rate, where a filter would do nothing, or leave nothing.

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


def _octaves_of(band: Band) -> list[Band]:
    """A band in octaves from its upper end down; what lies below 62.5 Hz stays in one piece."""
    low, high = band
    edges = [high]
    while edges[-1] / 2 > max(low, LOWEST_HZ):
        edges.append(edges[-1] / 2)
    return [(below, above) for above, below in zip(edges, [*edges[1:], low], strict=True)]


def _worst(
    change: NDArray[np.float64], badness: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """(n,): of each row the value with the largest badness, NaN where all are NaN."""
    at = np.argmax(np.where(np.isnan(change), -np.inf, badness(change)), axis=1)
    return np.asarray(change[np.arange(len(change)), at])
