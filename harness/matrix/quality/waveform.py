"""What an attack did to the audio as a listener might hear it: one number a clip, from the waveforms before and after.

Every function takes two batches `(n, samples)` that are aligned sample by sample, the clips before and after an
attack, and returns `(n,)` float64. NaN means that the number is not defined for that clip. The measures of this
module are computed in every run; those that take a model of hearing are in `perceptual`.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.verification.measure import snr_db
from sealproof.detectors.base import Audio

__all__ = ["WAVEFORM_METRICS", "log_spectral_distance_db", "si_sdr_db", "waveform_quality"]

Floats = NDArray[np.float64]

LSD_WINDOW_MS, LSD_HOP_MS = 32.0, 16.0
"""Hann window and hop of the log-spectral distance: 512 and 256 samples at 16 kHz."""

LSD_FLOOR_DB = -100.0
"""Powers below it count as it. 0 dB is the peak of a full-scale sine; 16-bit audio holds nothing much fainter."""


def waveform_quality(before: Audio, after: Audio, sample_rate: int) -> dict[str, Floats]:
    """Measure everything that is measured in every run.

    Args:
        before: (n, samples) float32.
        after: (n, samples) float32, aligned with it.
        sample_rate: In Hz.

    Returns:
        By metric, (n,) float64.

    Raises:
        ValueError: The shapes differ.
    """
    return {name: measure(before, after, sample_rate) for name, measure in _MEASURES.items()}


def si_sdr_db(before: Audio, after: Audio) -> Floats:
    """Scale-invariant signal-to-distortion ratio of each clip, in dB: the SNR once the best gain was given back.

    `10 log10(|a x|^2 / |y - a x|^2)` with `a = <x, y> / |x|^2`, so a change of level or polarity alone costs
    nothing; it is `10 log10(r^2 / (1 - r^2))` of the correlation r. No mean is removed, as in the definition: a DC
    offset is distortion. Higher is closer. (Le Roux, Wisdom, Erdogan and Hershey 2019, SDR - half-baked or well done?,
    ICASSP.)

    Args:
        before: (n, samples) float32, x.
        after: (n, samples) float32, y, aligned with it.

    Returns:
        (n,) float64, in dB: inf where the clip after is a multiple of the clip before; -inf where they are orthogonal;
        NaN where either is silent.

    Raises:
        ValueError: The shapes differ.
    """
    _require_alike(before, after)
    x, y = before.astype(np.float64), after.astype(np.float64)
    energy, product, total = _dot(x, x), _dot(x, y), _dot(y, y)
    is_silent = (energy == 0) | (total == 0)
    gains = product / np.where(energy == 0, 1, energy)
    residual = y - gains[:, None] * x
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = 10 * np.log10(gains**2 * energy / _dot(residual, residual))
    return np.where(is_silent, np.nan, ratios)


def log_spectral_distance_db(before: Audio, after: Audio, sample_rate: int) -> Floats:
    """Log-spectral distance of each clip in dB: how far the spectra are apart, whatever the phases do.

    The root mean square over frequency of the difference between the two log power spectra, then the mean over frames:
    `mean_t sqrt(mean_f (10 log10 P_x(t, f) - 10 log10 P_y(t, f))^2)`. Frames of 32 ms with a Hann window, every 16
    ms; powers are floored at -100 dB of a full-scale sine, without which a band that a filter empties would count
    without bound. 0 for equal spectra, at most about 100; lower is closer. It means something for aligned clips only.
    (Gray and Markel 1976, Distance measures for speech processing, IEEE TASSP 24, the rms log spectral measure.)

    Args:
        before: (n, samples) float32.
        after: (n, samples) float32, aligned with it.
        sample_rate: In Hz.

    Returns:
        (n,) float64, in dB, never NaN; clips shorter than a window are padded with zeros.

    Raises:
        ValueError: The shapes differ.
    """
    _require_alike(before, after)
    difference = _log_power(before, sample_rate)
    difference -= _log_power(after, sample_rate)
    distances: Floats = np.sqrt(np.mean(np.square(difference, out=difference), axis=2, dtype=np.float64)).mean(axis=1)
    return distances


_MEASURES: Mapping[str, Callable[[Audio, Audio, int], Floats]] = {
    "snr_db": lambda before, after, sample_rate: snr_db(before, after),
    "si_sdr_db": lambda before, after, sample_rate: si_sdr_db(before, after),
    "log_spectral_distance_db": log_spectral_distance_db,
}

WAVEFORM_METRICS = tuple(_MEASURES)
"""Names of what is measured in every run."""


def _log_power(batch: Audio, sample_rate: int) -> NDArray[np.float32]:
    """Return 10 log10 of the power, floored, as (n, frames, frequencies); a full-scale sine peaks at 0 dB."""
    # Unlike numpy's, this FFT stays in single precision: half the time and memory.
    from scipy.fft import rfft

    size, hop = (round(sample_rate * ms / 1000) for ms in (LSD_WINDOW_MS, LSD_HOP_MS))
    padded = np.pad(batch, ((0, 0), (0, max(0, size - batch.shape[1]))))
    # The periodic window, scaled so that a sine of amplitude 1 has a peak of 1.
    window = (1 - np.cos(2 * np.pi * np.arange(size) / size)).astype(np.float32) / size
    frames = np.lib.stride_tricks.sliding_window_view(padded, size, axis=1)[:, ::hop]
    spectra = rfft(frames * (2 * window), axis=2)
    power = np.square(spectra.real) + np.square(spectra.imag)
    np.maximum(power, np.float32(10 ** (LSD_FLOOR_DB / 10)), out=power)
    decibels: NDArray[np.float32] = np.log10(power, out=power)
    decibels *= 10
    return decibels


def _dot(first: Floats, second: Floats) -> Floats:
    product: Floats = np.einsum("ns,ns->n", first, second)
    return product


def _require_alike(before: Audio, after: Audio) -> None:
    if before.ndim != 2 or before.shape != after.shape:
        raise ValueError(
            f"'before' and 'after' must both be (n, samples) and equally long. Got {before.shape} and {after.shape}."
        )
