"""Equalisers: parts of the spectrum become louder or softer, and nothing is taken away.

The shelves and the peak are the ordinary recursive equalisers of every mixer, with their delay of a fraction of a
millisecond; the drawn curve and the tilt are multiplied onto the spectrum, with zero phase.
"""

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.base import Attack, Audio, Claim, parameter
from sealproof.attacks.filtering.zero_phase import (
    LOWEST_HZ,
    band_change_db,
    check_below_nyquist,
    octave_bands,
    octaves,
    power,
    response_error_db,
)

Coefficients = tuple[float, float, float, float, float, float]
"""b0, b1, b2, a0, a1, a2 of a section of second order, not normalised."""

ROOT_HALF = math.sqrt(0.5)
"""Quality of a shelf of slope 1: the steepest without a bump."""

DB = math.log(10) / 20
"""exp(DB * x) is the amplitude of x dB."""

PADDING_S = 0.1
"""Silence after the clip, in seconds, into which a curve with zero phase rings, instead of into the other end."""


class Biquad(Attack):
    """A section of second order of the "Audio EQ Cookbook" (R. Bristow-Johnson, W3C Note 2021), run once, forwards.

    Attributes:
        gain_db: Declared by each.
        centre_hz: Declared by each.
    """

    family: ClassVar[str] = "filtering"
    is_ordered: ClassVar[bool] = False  # the gain has two directions

    gain_db: float
    centre_hz: float

    @abstractmethod
    def coefficients(self, amplitude: float, angle: float) -> Coefficients:
        """Return the section.

        Args:
            amplitude: 10^(gain_db / 40), the root of the gain.
            angle: 2 pi centre_hz / sample_rate.
        """

    @abstractmethod
    def prototype(self, amplitude: float, s: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """Return the response of the analogue filter at the normalised frequency `s`, from which the section stems."""

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Filter the clip, as if silence had gone before."""
        from scipy import signal

        del rng
        check_below_nyquist(self, "centre_hz", self.centre_hz, sample_rate)
        section = np.array(self.coefficients(self._amplitude, 2 * math.pi * self.centre_hz / sample_rate))
        filtered, _ = signal.sosfilt(section[None] / section[3], clip.astype(np.float64), zi=np.zeros((1, 2)))
        return np.asarray(filtered, dtype=np.float32)

    def response(self, frequencies: NDArray[np.float64], sample_rate: int) -> NDArray[np.complex128]:
        """Complex response at frequencies in Hz, by the bilinear transform of the analogue filter."""
        scale = math.tan(math.pi * self.centre_hz / sample_rate)
        # Half the sample rate stands for infinity; the tangent there is merely very large.
        return self.prototype(self._amplitude, 1j * np.tan(np.pi * frequencies / sample_rate) / scale)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The response is the one of the analogue filter, and the delay lies within its phase delays."""
        frequencies = np.geomspace(20, 0.45 * sample_rate, 200)
        delays = -np.angle(self.response(frequencies, sample_rate)) / (2 * np.pi * frequencies) * sample_rate
        return (
            Claim("response_error_db", high=-30),
            Claim("delay_samples", math.floor(delays.min()) - 1, math.ceil(delays.max()) + 1),
        )

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """Compare magnitude and phase with the analogue filter, octave by octave."""
        error = response_error_db(before, after, sample_rate, lambda hz: self.response(hz, sample_rate))
        # A short clip ends before the filter has rung out.
        told = before.shape[1] >= sample_rate // 4
        return {"response_error_db": error if told else np.full(len(before), np.nan)}

    @property
    def _amplitude(self) -> float:
        return float(10 ** (self.gain_db / 40))


@dataclass(frozen=True, kw_only=True)
class LowShelf(Biquad):
    """Raises or lowers everything below a frequency by a gain in dB.

    The low shelf of the "Audio EQ Cookbook" with slope 1: the full gain far below the centre, half of it (in dB) at the
    centre, none far above. A causal filter: below the centre it delays (or, with a negative gain, advances) by up to a
    few samples, 12 at most for 12 dB at 250 Hz and 16 kHz.
    """

    name: ClassVar[str] = "low_shelf"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"gain_db": (-6, 6, -12, 12)}

    centre_hz: float = parameter(unit="hz", low=20, high=96_000, default=250.0)
    gain_db: float = parameter(unit="db", low=-40, high=40, excluding=0)

    def coefficients(self, amplitude: float, angle: float) -> Coefficients:
        """Return the section."""
        up, down, cosine = amplitude + 1, amplitude - 1, math.cos(angle)
        width = 2 * math.sqrt(amplitude) * math.sin(angle) * ROOT_HALF
        return (
            amplitude * (up - down * cosine + width),
            2 * amplitude * (down - up * cosine),
            amplitude * (up - down * cosine - width),
            up + down * cosine + width,
            -2 * (down + up * cosine),
            up + down * cosine - width,
        )

    def prototype(self, amplitude: float, s: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """Return the response of the analogue filter."""
        width = math.sqrt(amplitude) / ROOT_HALF * s
        return amplitude * (s**2 + width + amplitude) / (amplitude * s**2 + width + 1)


@dataclass(frozen=True, kw_only=True)
class HighShelf(Biquad):
    """Raises or lowers everything above a frequency by a gain in dB.

    The high shelf of the "Audio EQ Cookbook" with slope 1: the full gain far above the centre, half of it (in dB) at
    the centre, none far below. A causal filter, whose delay is below one sample for 12 dB at 3 kHz and 16 kHz.
    """

    name: ClassVar[str] = "high_shelf"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"gain_db": (-6, 6, -12, 12)}

    centre_hz: float = parameter(unit="hz", low=20, high=96_000, default=3000.0)
    gain_db: float = parameter(unit="db", low=-40, high=40, excluding=0)

    def coefficients(self, amplitude: float, angle: float) -> Coefficients:
        """Return the section."""
        up, down, cosine = amplitude + 1, amplitude - 1, math.cos(angle)
        width = 2 * math.sqrt(amplitude) * math.sin(angle) * ROOT_HALF
        return (
            amplitude * (up + down * cosine + width),
            -2 * amplitude * (down + up * cosine),
            amplitude * (up + down * cosine - width),
            up - down * cosine + width,
            2 * (down - up * cosine),
            up - down * cosine - width,
        )

    def prototype(self, amplitude: float, s: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """Return the response of the analogue filter."""
        width = math.sqrt(amplitude) / ROOT_HALF * s
        return amplitude * (amplitude * s**2 + width + 1) / (s**2 + width + amplitude)


@dataclass(frozen=True, kw_only=True)
class Peaking(Biquad):
    """Raises or lowers the surroundings of one frequency by a gain in dB.

    The peaking equaliser of the "Audio EQ Cookbook": the full gain at the centre, none far from it; the frequencies
    with half the gain (in dB) lie centre / quality apart. A causal filter: beside the centre it delays or advances by
    up to 4 samples for 12 dB at 1 kHz and 16 kHz.
    """

    name: ClassVar[str] = "peaking"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"gain_db": (-6, 6, -12, 12)}

    centre_hz: float = parameter(unit="hz", low=20, high=96_000, default=1000.0)
    gain_db: float = parameter(unit="db", low=-40, high=40, excluding=0)
    quality: float = parameter(unit="q", low=0.1, high=30, default=1.0)

    def coefficients(self, amplitude: float, angle: float) -> Coefficients:
        """Return the section."""
        width, cosine = math.sin(angle) / (2 * self.quality), math.cos(angle)
        return (
            1 + width * amplitude,
            -2 * cosine,
            1 - width * amplitude,
            1 + width / amplitude,
            -2 * cosine,
            1 - width / amplitude,
        )

    def prototype(self, amplitude: float, s: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """Return the response of the analogue filter."""
        return (s**2 + s * amplitude / self.quality + 1) / (s**2 + s / (amplitude * self.quality) + 1)


@dataclass(frozen=True, kw_only=True)
class Equaliser(Attack):
    """Turns the sliders of an octave-band equaliser at random, with zero phase.

    Each octave, centred at 62.5, 125, ... Hz up to half the sample rate, gets a gain drawn uniformly between -range_db
    and range_db; in between, the gain in dB runs linearly over the logarithm of the frequency.
    """

    name: ClassVar[str] = "equaliser"
    family: ClassVar[str] = "filtering"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"range_db": (3, 6, 12)}
    is_random: ClassVar[bool] = True

    range_db: float = parameter(unit="db", low=0.5, high=40)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Draw the gains and filter the clip."""
        centres = np.log2(octaves(sample_rate))
        gains = rng.uniform(-self.range_db, self.range_db, centres.size)
        size = _transform_size(clip.size, sample_rate)
        return _multiplied(clip, np.exp(DB * np.interp(_log_frequencies(size, sample_rate), centres, gains)))

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """No octave changes by more than the range, and some octave changes by a good part of it."""
        del sample_rate
        return (Claim("largest_octave_change_db", 0.25 * self.range_db, self.range_db + 0.2),)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """Measure the octave that changed most; NaN where fewer than four hold anything."""
        change = np.abs(band_change_db(before, after, sample_rate, octave_bands(sample_rate)))
        measured = ~np.isnan(change)
        largest = np.where(measured, change, -np.inf).max(axis=1)
        return {"largest_octave_change_db": np.where(measured.sum(axis=1) >= 4, largest, np.nan)}


@dataclass(frozen=True, kw_only=True)
class SpectralTilt(Attack):
    """Tilts the spectrum by a slope in dB per octave, with zero phase.

    The gain in dB is slope * log2(f / 1 kHz) above 62.5 Hz and constant below; a positive slope makes the clip
    brighter, and 1 kHz keeps its level.
    """

    name: ClassVar[str] = "spectral_tilt"
    family: ClassVar[str] = "filtering"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"slope_db": (-1, 1, -3, 3, -6, 6)}
    is_ordered: ClassVar[bool] = False

    slope_db: float = parameter(unit="db", low=-12, high=12, excluding=0)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Filter the clip."""
        del rng
        return _multiplied(clip, _tilt(self.slope_db, _transform_size(clip.size, sample_rate), sample_rate))

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The slope, from octave to octave, and that 1 kHz keeps its level."""
        del sample_rate
        slope = Claim.about("slope_db_per_octave", self.slope_db, 0.1 + 0.05 * abs(self.slope_db))
        at_1khz = Claim.about("level_at_1khz_db", 0, 0.5 + 0.1 * abs(self.slope_db))
        return slope, at_1khz, Claim("response_error_db", high=-30)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """Fit a line through the changes of the octaves, each at the centre of its energy."""
        bands = octave_bands(sample_rate)[1:]  # the lowest is partly constant
        change = band_change_db(before, after, sample_rate, bands)
        log_frequencies = _log_frequencies(2 * max(1, before.shape[1] // 2), sample_rate)
        edges = [np.searchsorted(log_frequencies, np.log2(band)) for band in bands]
        slopes, levels = np.full(len(before), np.nan), np.full(len(before), np.nan)
        for index, clip in enumerate(before):
            measured = np.flatnonzero(np.isfinite(change[index]))
            if measured.size >= 3:
                energy = power(clip)
                inside = [slice(*edges[band]) for band in measured]
                at = [energy[band] @ log_frequencies[band] / energy[band].sum() for band in inside]
                slopes[index], at_zero = np.polyfit(at, change[index, measured], 1)
                levels[index] = at_zero + slopes[index] * np.log2(1000)
        error = response_error_db(before, after, sample_rate, self._response)
        if before.shape[1] < sample_rate // 4:  # a short clip ends before the curve has rung out
            error = np.full(len(before), np.nan)
        return {"slope_db_per_octave": slopes, "level_at_1khz_db": levels, "response_error_db": error}

    def _response(self, frequencies: NDArray[np.float64]) -> NDArray[np.complex128]:
        octaves_above = np.log2(np.maximum(frequencies, LOWEST_HZ) / 1000)
        return np.asarray(10 ** (self.slope_db * octaves_above / 20), dtype=np.complex128)


def _transform_size(samples: int, sample_rate: int) -> int:
    """Even length of a fast Fourier transform that has room for the clip and the padding."""
    from scipy import fft

    return 2 * int(fft.next_fast_len(math.ceil((samples + PADDING_S * sample_rate) / 2)))


def _multiplied(clip: Audio, gain: NDArray[np.float64]) -> Audio:
    """The clip, surrounded by silence, with its spectrum multiplied."""
    size = 2 * (gain.size - 1)
    return np.fft.irfft(np.fft.rfft(clip.astype(np.float64), size) * gain, size)[: clip.size].astype(np.float32)


@lru_cache(maxsize=8)
def _log_frequencies(size: int, sample_rate: int) -> NDArray[np.float64]:
    """log2 of the frequencies of a transform, that of zero set to the next one's."""
    frequencies = np.fft.rfftfreq(size, 1 / sample_rate)
    frequencies[0] = frequencies[1]
    return np.asarray(np.log2(frequencies), dtype=np.float64)


@lru_cache(maxsize=8)
def _tilt(slope_db: float, size: int, sample_rate: int) -> NDArray[np.float64]:
    octaves_from_1khz = np.maximum(_log_frequencies(size, sample_rate), math.log2(LOWEST_HZ)) - math.log2(1000)
    return np.exp(DB * slope_db * octaves_from_1khz)
