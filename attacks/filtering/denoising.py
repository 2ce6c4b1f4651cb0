"""Denoisers: what they take for noise is taken away, and with it what hides below the music.

None is told what the noise is: each estimates it from the clip alone.
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

FRAME_S = 0.032
"""Length of a frame of the short-time spectra, in seconds; rounded to a power of two of samples."""

QUIET_SHARE = 0.2
"""Share of the frames from which the noise at a frequency is estimated."""

_TINY = 1e-300

LEVELS = 5
"""Octaves into which the wavelet transform splits a clip; at 16 kHz it leaves what lies below 250 Hz alone."""

DB4 = (
    *(0.2303778133088965, 0.7148465705529156, 0.6308807679298589, -0.02798376941685985),
    *(-0.18703481171909308, 0.030841381835560764, 0.0328830116668852, -0.010597401785069032),
)
"""Daubechies' wavelet with four vanishing moments ("Ten Lectures on Wavelets", 1992, table 6.1, N = 4), to the last
digit of a float64; the squares add up to 1."""

_HIGHPASS = tuple((-1) ** m * weight for m, weight in enumerate(reversed(DB4)))
"""The mirror filter of `DB4`, which makes the details."""

_MIRRORED = len(DB4) * 2**LEVELS
"""Samples added at either end, so that periodicity does not join the ends."""


class SpectralDenoiser(Attack):
    """Lowers the bins of a short-time Fourier transform that look like noise.

    Frames of about 32 ms under the root of a Hann window, half overlapping, go back through the same window; where no
    bin is lowered the clip comes back as it was, but for rounding. Beyond its ends the clip is mirrored.

    The noise at each frequency is estimated from the quiet frames: the power of noise in a bin is distributed
    exponentially, so that the quantile q of the power is -ln(1 - q) times its mean (after V. Stahl, A. Fischer and
    R. Bippus, "Quantile based noise estimation", ICASSP 2000; q = 0.2). Whatever sounds all the time is noise, then,
    be it a held note.

    Attributes:
        reduction_db: Declared by each: by how much it lowers noise at most.
    """

    family: ClassVar[str] = "denoising"
    reduction_db: float

    @abstractmethod
    def gains(self, power: NDArray[np.float64], noise: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the factor of each bin, at least 10^(-reduction_db / 20).

        Args:
            power: (frames, bins).
            noise: (bins,), the power of the noise.
        """

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Transform, multiply and transform back."""
        del rng
        size = _frame_size(sample_rate)
        spectra = _analysed(clip, size)
        power = spectra.real**2 + spectra.imag**2
        return _synthesised(spectra * self.gains(power, _noise(power)), size, clip.size)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The noise falls by nearly the reduction (loud neighbours keep some of it), what stands out from it stays."""
        del sample_rate
        noise = Claim("noise_change_db", -1.05 * self.reduction_db - 0.5, -0.6 * self.reduction_db)
        return noise, Claim("signal_change_db", -2, 0.5)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """Measure how the noise changed, the median over the frequencies, and what is 20 dB above it."""
        size = _frame_size(sample_rate)
        quiet, loud, nothing = (np.full(len(before), np.nan) for _ in range(3))
        for index, (x, y) in enumerate(zip(before, after, strict=True)):
            spectra_x, spectra_y = (_analysed(clip, size) for clip in (x, y))
            power_x, power_y = (spectra.real**2 + spectra.imag**2 for spectra in (spectra_x, spectra_y))
            noise = _noise(power_x)
            heard = noise > 1e-12 * power_x.max()
            if heard.any():
                quiet[index] = np.median(10 * np.log10(_noise(power_y)[heard] / noise[heard] + _TINY))
            signal = power_x > 100 * noise
            if signal.any():
                loud[index] = 10 * np.log10(power_y[signal].sum() / power_x[signal].sum() + _TINY)
        if before.shape[1] < sample_rate // 2:  # too few frames to tell noise from signal
            return {"noise_change_db": nothing, "signal_change_db": nothing}
        return {"noise_change_db": quiet, "signal_change_db": loud}


@dataclass(frozen=True, kw_only=True)
class SpectralGate(SpectralDenoiser):
    """Lowers by a number of dB what is no more than 6 dB above the noise of its frequency.

    The gate of each bin is open or shut; its decisions are averaged over three frames and three bins, so that single
    bins do not ring. The noise is estimated from the clip itself, frequency by frequency, without a profile.
    """

    name: ClassVar[str] = "spectral_gate"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"reduction_db": (3, 6, 12, 24)}

    THRESHOLD: ClassVar[float] = 10**0.6

    reduction_db: float = parameter(unit="db", low=1, high=60)

    def gains(self, power: NDArray[np.float64], noise: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the factor of each bin."""
        is_open = np.pad((power > self.THRESHOLD * noise).astype(np.float64), 1, mode="edge")
        over_time = is_open[:-2] + is_open[1:-1] + is_open[2:]
        share = (over_time[:, :-2] + over_time[:, 1:-1] + over_time[:, 2:]) / 9
        shut = 10 ** (-self.reduction_db / 20)
        return shut + (1 - shut) * share


@dataclass(frozen=True, kw_only=True)
class WienerDenoise(SpectralDenoiser):
    """Weighs each bin by the Wiener rule, snr / (1 + snr), down to a number of dB.

    The signal-to-noise ratio follows the decision-directed rule (Y. Ephraim and D. Malah, IEEE Transactions on
    Acoustics, Speech, and Signal Processing 32, 1984; with the Wiener gain: P. Scalart and J. Filho, ICASSP 1996): 0.98
    of what the frame before was estimated to hold, and 0.02 of what the frame exceeds the noise by.
    """

    name: ClassVar[str] = "wiener_denoise"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"reduction_db": (3, 6, 12, 24)}

    MEMORY: ClassVar[float] = 0.98

    reduction_db: float = parameter(unit="db", low=1, high=60)

    def gains(self, power: NDArray[np.float64], noise: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the factor of each bin, frame after frame."""
        # Without a floor, digital silence in the quiet frames would make a ratio infinite.
        ratios = power / np.maximum(noise, 1e-12 * power.max() + _TINY)
        excess = (1 - self.MEMORY) * np.maximum(ratios - 1, 0)
        lowest = 10 ** (-self.reduction_db / 20)
        gains = np.empty_like(ratios)
        estimated = ratios[0]
        for gain, ratio, fresh in zip(gains, ratios, excess, strict=True):
            snr = self.MEMORY * estimated + fresh
            np.maximum(snr / (1 + snr), lowest, out=gain)
            estimated = gain * gain * ratio
        return np.asarray(gains)


@dataclass(frozen=True, kw_only=True)
class WaveletDenoise(Attack):
    """Shrinks the wavelet coefficients of a clip by a multiple of the universal threshold.

    The soft threshold of D. Donoho and I. Johnstone ("Ideal spatial adaptation by wavelet shrinkage", Biometrika 81,
    1994): a coefficient c becomes sign(c) max(|c| - t, 0) with t = factor * s * sqrt(2 ln n), n samples and the noise s
    = median(|finest details|) / 0.6745. The wavelet is Daubechies' db4 over five octaves; what lies below them stays.
    The clip is mirrored beyond its ends. Where most of it is digital silence, s and t are zero.
    """

    name: ClassVar[str] = "wavelet_denoise"
    silences: ClassVar[bool] = True
    family: ClassVar[str] = "denoising"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"factor": (0.25, 0.5, 1, 2)}

    factor: float = parameter(unit="x", low=0.05, high=10)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Transform, shrink and transform back."""
        del sample_rate, rng
        rest, details = decomposed(_mirrored(clip))
        threshold = self.factor * _universal_threshold(details[0], clip.size)
        shrunk = [detail - np.clip(detail, -threshold, threshold) for detail in details]
        return composed(rest, shrunk)[_MIRRORED : _MIRRORED + clip.size].astype(np.float32)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """Large coefficients shrink by just the threshold."""
        del sample_rate
        return (Claim.about("shrinkage_x", self.factor, 0.05 * self.factor),)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """Measure how much coefficients shrank at most, in universal thresholds; NaN where none exceeds its own."""
        del sample_rate
        shrinkage = np.full(len(before), np.nan)
        for index, (x, y) in enumerate(zip(before, after, strict=True)):
            _, details = decomposed(_mirrored(x))
            _, left = decomposed(_mirrored(y))
            threshold = _universal_threshold(details[0], x.size)
            # The mirror images of the ends were shrunk as well, and are mirrored anew: they do not count.
            inner = [slice(_MIRRORED >> level, -(_MIRRORED >> level) - len(DB4)) for level in range(1, LEVELS + 1)]
            was, became = (np.concatenate([d[i] for d, i in zip(each, inner, strict=True)]) for each in (details, left))
            if threshold > 0 and np.abs(was).max(initial=0) > 1.1 * self.factor * threshold:
                shrinkage[index] = np.abs(was - became).max() / threshold
        return {"shrinkage_x": shrinkage}

    def leaves_alone(self, before: Audio, sample_rate: int) -> NDArray[np.bool_]:
        """Clips that are mostly silent, in which no noise is found."""
        del sample_rate
        return np.asarray(np.mean(before == 0, axis=1) > 0.4, dtype=np.bool_)


def decomposed(clip: NDArray[np.float64]) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
    """Wavelet transform of a clip that is taken to be periodic; orthonormal.

    Args:
        clip: (samples,), a multiple of 2^LEVELS, at least 8 times that.

    Returns:
        What is left at the coarsest scale, and the details from the finest scale to the coarsest.
    """
    details = []
    for _ in range(LEVELS):
        wrapped = np.concatenate([clip, clip[: len(DB4) - 2]])
        taps = [wrapped[m : m + clip.size : 2] for m in range(len(DB4))]
        details.append(_weighted(_HIGHPASS, taps))
        clip = _weighted(DB4, taps)
    return clip, details


def composed(rest: NDArray[np.float64], details: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Inverse of `decomposed`."""
    reach = len(DB4) // 2 - 1
    clip = rest
    for detail in reversed(details):
        size = detail.size
        halves = [np.concatenate([half[-reach:], half]) for half in (clip, detail)]
        taps = [half[reach - i : reach - i + size] for half in halves for i in range(reach + 1)]
        clip = np.empty(2 * size)
        for parity in (0, 1):
            clip[parity::2] = _weighted(DB4[parity::2] + _HIGHPASS[parity::2], taps)
    return clip


def _weighted(weights: tuple[float, ...], parts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    total = weights[0] * parts[0]
    for weight, part in zip(weights[1:], parts[1:], strict=True):
        total += weight * part
    return total


def _mirrored(clip: Audio) -> NDArray[np.float64]:
    return np.pad(clip.astype(np.float64), (_MIRRORED, _MIRRORED - clip.size % -(2**LEVELS)), mode="symmetric")


def _universal_threshold(finest: NDArray[np.float64], samples: int) -> float:
    """Of a clip of so many samples with these details at the finest scale."""
    return float(np.median(np.abs(finest)) / 0.6745 * math.sqrt(2 * math.log(samples)))


def _frame_size(sample_rate: int) -> int:
    return int(2 ** max(4, round(math.log2(FRAME_S * sample_rate))))


@lru_cache(maxsize=8)
def _root_hann(size: int) -> NDArray[np.float64]:
    """The squares of windows half their length apart add up to 1."""
    return np.asarray(np.sin(np.pi * (np.arange(size) + 0.5) / size))


def _analysed(clip: Audio, size: int) -> NDArray[np.complex128]:
    """(frames, bins): each sample of the clip (samples,) stands in two frames."""
    hop = size // 2
    padded = np.pad(clip.astype(np.float64), (hop, hop - clip.size % -hop), mode="symmetric")
    return np.fft.rfft(np.lib.stride_tricks.sliding_window_view(padded, size)[::hop] * _root_hann(size), axis=1)


def _synthesised(spectra: NDArray[np.complex128], size: int, samples: int) -> Audio:
    """Inverse of `_analysed`."""
    hop = size // 2
    frames = np.fft.irfft(spectra, size, axis=1) * _root_hann(size)
    return (frames[1:, :hop] + frames[:-1, hop:]).ravel()[:samples].astype(np.float32)


def _noise(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """(bins,): mean power of the noise behind the powers (frames, bins)."""
    rank = int(QUIET_SHARE * len(power))
    share = (rank + 0.5) / len(power)
    return np.asarray(np.partition(power, rank, axis=0)[rank] / -math.log(1 - share))
