"""Fixed patterns that explain marks: learned of some marks, judged on others."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealproof.detectors.base import Audio
from sealproof.harness.statistics.estimation.vectors import Floats

Complexes = NDArray[np.complex64]
Levels = NDArray[np.floating[Any]]
Marks = NDArray[Any]
"""Waveforms (n, samples) or spectrograms (n, frames, bins)."""

_FRAME, _HOP = 512, 128
_ENVELOPE_MS = 20
_SAMPLES_PER_MS = 16


def principal_patterns(unit: Floats, count: int) -> Floats:
    """Waveforms that explain most of the energy of marks of energy 1, shape (count, samples), orthonormal."""
    # Of the small Gram matrix: there are fewer marks than samples.
    values, vectors = np.linalg.eigh(unit @ unit.T)
    chosen = np.argsort(values)[::-1][: min(count, len(unit))]
    patterns = vectors[:, chosen].T @ unit
    return np.asarray(patterns / np.maximum(np.linalg.norm(patterns, axis=1, keepdims=True), 1e-12))


def share_in(unit: Floats, patterns: Floats) -> Floats:
    """Share of each mark's energy that lies in the span of orthonormal patterns."""
    return np.asarray(((unit @ patterns.T) ** 2).sum(axis=1))


def envelope(host: Audio) -> Floats:
    """Level of each clip over time, smoothed over 20 ms; shape (n, samples)."""
    width = _ENVELOPE_MS * _SAMPLES_PER_MS
    window: Floats = np.asarray(np.hanning(width + 2)[1:-1], np.float64)
    power = np.fft.irfft(
        np.fft.rfft(host.astype(np.float64) ** 2, host.shape[1] + width) * np.fft.rfft(window, host.shape[1] + width),
        host.shape[1] + width,
    )[:, width // 2 : width // 2 + host.shape[1]]
    return np.asarray(np.sqrt(np.maximum(power, 0) + 1e-12))


def spectrogram(audio: Audio | Floats) -> Complexes:
    """Short-time spectra, Hann windows of 32 ms every 8 ms; shape (n, frames, bins)."""
    # Single precision: these are the largest arrays of a diagnosis.
    windows = np.lib.stride_tricks.sliding_window_view(audio.astype(np.float32), _FRAME, axis=1)[:, ::_HOP]
    return np.asarray(np.fft.rfft(windows * np.hanning(_FRAME).astype(np.float32)), np.complex64)


def local_level(spectra: Complexes) -> Levels:
    """Level of the surroundings of each cell of a spectrogram: mean magnitude of 3 frames by 5 bins."""
    from scipy.ndimage import uniform_filter

    level = uniform_filter(np.abs(spectra), size=(0, 3, 5), mode="nearest")
    return np.asarray(level, np.float32) + np.float32(1e-9)


def carrier_times(levels: Levels, marks: Marks) -> Marks:
    """The fixed carrier that, times each clip's level, comes nearest to the marks in the mean square."""
    scale = np.sqrt((levels**2).mean(axis=tuple(range(1, levels.ndim)), keepdims=True))
    level = levels / scale
    return np.asarray((level * marks).sum(axis=0) / (level**2).sum(axis=0))


def share_along(marks: Marks, predicted: Marks) -> Floats:
    """Share of each mark's energy along its prediction, whatever the prediction's level; shape (n,)."""
    axes = tuple(range(1, marks.ndim))
    along = np.real(np.conj(predicted) * marks).sum(axis=axes)
    energy = (np.abs(marks) ** 2).sum(axis=axes) * (np.abs(predicted) ** 2).sum(axis=axes)
    return np.asarray(along**2 / np.maximum(energy, 1e-30))


def best_lag(unit: Floats, pattern: Floats) -> tuple[Floats, NDArray[np.intp]]:
    """Share of each mark along one pattern at the (circular) lag where it is largest, and that lag."""
    correlation = np.fft.irfft(np.fft.rfft(unit) * np.conj(np.fft.rfft(pattern)), unit.shape[1])
    lags = np.abs(correlation).argmax(axis=1)
    return np.asarray(np.abs(correlation).max(axis=1) ** 2), lags


def aligned_pattern(unit: Floats, rounds: int = 6) -> Floats:
    """One waveform that explains marks wherever it lies in them, by turns of aligning and averaging.

    It starts from the mark that is most like the others at its best lag.
    """
    starts = unit[: min(len(unit), 12)]
    pattern = starts[int(np.argmax([best_lag(unit, start)[0].mean() for start in starts]))]
    spectra = np.fft.rfft(unit)
    turns = np.arange(spectra.shape[1]) * 2j * np.pi / unit.shape[1]
    for _ in range(rounds):
        correlation = np.fft.irfft(spectra * np.conj(np.fft.rfft(pattern)), unit.shape[1])
        lags = np.abs(correlation).argmax(axis=1)
        signs = np.sign(correlation[np.arange(len(unit)), lags])
        mean = (signs[:, None] * spectra * np.exp(turns[None] * lags[:, None])).mean(axis=0)
        pattern = np.fft.irfft(mean, unit.shape[1])
        pattern /= max(float(np.linalg.norm(pattern)), 1e-12)
    return np.asarray(pattern)


def with_random_phases(unit: Floats, rng: np.random.Generator) -> Floats:
    """Marks of the same spectra and other phases: what would be explained by chance."""
    spectra = np.fft.rfft(unit)
    turned = np.abs(spectra) * np.exp(2j * np.pi * rng.random(spectra.shape))
    return np.asarray(np.fft.irfft(turned, unit.shape[1]))


def periodic_share(unit: Floats, period: int) -> float:
    """Mean share of the marks' energy that repeats every `period` samples, over what noise would give: 0 to 1."""
    turns = unit.shape[1] // period
    cut = unit[:, : turns * period]
    folded = cut.reshape(len(unit), turns, period).mean(axis=1)
    share = (turns * (folded**2).sum(axis=1) / np.maximum((cut**2).sum(axis=1), 1e-30)).mean()
    return float((share - 1 / turns) / (1 - 1 / turns))


def best_period(unit: Floats, periods: range = range(16, 801)) -> tuple[int, float]:
    """The shortest period that explains nearly as much of the marks as the best does, and its share."""
    shares = np.array([periodic_share(unit, period) for period in periods])
    at = int(np.argmax(shares >= 0.95 * shares.max()))
    return periods[at], float(shares[at])
