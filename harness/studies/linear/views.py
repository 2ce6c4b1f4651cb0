"""What linear detectors see of a clip: its spectrum, its bands, its folded average."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.foundation.audio.files import SAMPLE_RATE
from sealproof.harness.statistics.estimation.vectors import Floats

Complexes = NDArray[np.complexfloating[Any, Any]]

N_FINE = 160
"""Bins that the fine logistic regression looks at: those where marks stand out most from their hosts."""

_BAND_HZ = 50


def of_energy_one(audio: NDArray[Any]) -> Floats:
    """Scale clips, (n, samples), to an energy of 1 each; silence stays."""
    clips = audio.astype(np.float64, copy=False)
    return np.asarray(clips / np.maximum(np.linalg.norm(clips, axis=1, keepdims=True), 1e-12))


def log_power(unit: Floats) -> Floats:
    """Logarithm of the power in every bin, (n, samples) to (n, samples // 2 + 1)."""
    return np.asarray(np.log(np.abs(np.fft.rfft(unit)) ** 2 + 1e-14))


def band_levels(unit: Floats) -> Floats:
    """Logarithm of the power in every band of 50 Hz, (n, samples) to (n, bands)."""
    starts = (np.arange(0, SAMPLE_RATE / 2, _BAND_HZ) * unit.shape[1] / SAMPLE_RATE).astype(int)
    return np.asarray(np.log(np.add.reduceat(np.abs(np.fft.rfft(unit)) ** 2, starts, axis=1) + 1e-12))


def white_spectrum(unit: Floats) -> Complexes:
    """The spectrum over the level of its surroundings, 25 Hz to each side."""
    spectra = np.fft.rfft(unit)
    return np.asarray(spectra / smooth(np.abs(spectra), 2 * round(25 * unit.shape[1] / SAMPLE_RATE) + 1))


def folded(unit: Floats, period: int) -> Floats:
    """The mean of a clip's pieces of `period` samples, (n, samples) to (n, period)."""
    turns = unit.shape[1] // period
    return np.asarray(unit[:, : turns * period].reshape(len(unit), turns, period).mean(axis=1))


def standing_out(marks: NDArray[Any], hosts: NDArray[Any]) -> Floats:
    """How far marks stand above their hosts in every bin, as a mean logarithm; shape (bins,)."""
    marked, clean = np.abs(np.fft.rfft(marks)) ** 2, np.abs(np.fft.rfft(hosts)) ** 2
    ratio = np.log(marked + 1e-12) - np.log(smooth(clean, 41) + 1e-9)
    level: Floats = ratio.mean(axis=0)
    # Hosts have no DC, so that it would always stand out.
    level[0] = min(level[0], level[1:].max())
    return level


def tone_level(power: Floats, tone: int) -> Floats:
    """One bin against its neighbours, of `log_power`; shape (n,)."""
    near = np.r_[max(tone - 20, 0) : max(tone - 3, 0), tone + 4 : tone + 21]
    near = near[near < power.shape[1]]
    return np.asarray(power[:, tone] - power[:, near].mean(axis=1))


def coherence(white: Complexes, carrier: Complexes) -> Floats:
    """Correlation of whitened spectra with one carrier; shape (n,)."""
    return np.asarray(np.real(white @ np.conj(carrier)))


def smooth(power: Floats, width: int) -> Floats:
    """Running mean over bins, never 0."""
    from scipy.ndimage import uniform_filter1d

    return np.asarray(uniform_filter1d(power, width, axis=1, mode="nearest")) + 1e-12
