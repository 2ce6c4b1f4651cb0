"""Resynthesis: the clip is taken apart by a model of sound and put together again from a part of what was found.

Short-time spectra are taken with a periodic Hann window and a hop of a quarter of it, and put together by weighted
overlap-add: D. W. Griffin and J. S. Lim, "Signal estimation from modified short-time Fourier transform", IEEE Trans.
ASSP 32(2), 1984. Nothing is delayed; the windows that hang over the ends of the clip see zeros there.
"""

import math
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.base import Audio

Floats = NDArray[np.float64]
Magnitude = NDArray[np.float32]
Spectrum = NDArray[np.complex64]

Real = TypeVar("Real", np.float32, np.float64)

SHORT_S, LONG_S = 0.032, 0.064
"""Windows: 512 and 1024 samples at 16 kHz."""


def window_length(seconds: float, sample_rate: int) -> int:
    """Samples of a window: the next power of two, at least 16."""
    return 1 << (max(16, round(seconds * sample_rate)) - 1).bit_length()


def stft(clip: Audio, width: int) -> Spectrum:
    """Short-time spectra (frames, width / 2 + 1) of a clip (samples,)."""
    from scipy import fft

    return np.asarray(fft.rfft(split_frames(clip, width, width // 4) * hann_window(width)))


def istft(spectrum: Spectrum, samples: int) -> Audio:
    """The clip (samples,) whose short-time spectra come nearest to the given ones."""
    from scipy import fft

    frames = fft.irfft(spectrum) * hann_window(2 * spectrum.shape[1] - 2)
    return np.asarray(overlap_add(frames, frames.shape[1] // 4, samples) / np.float32(1.5), dtype=np.float32)


def correlation_percent(before: Audio, after: Audio) -> Floats:
    """Normalised correlation of the waveforms, (n,); NaN where either is silent."""
    percents = np.full(len(before), np.nan)
    for index, (old, new) in enumerate(zip(before.astype(np.float64), after.astype(np.float64), strict=True)):
        energies = (old @ old) * (new @ new)
        if energies > 0:
            percents[index] = 100 * (old @ new) / math.sqrt(energies)
    return percents


def error_db(wanted: Magnitude, got: Magnitude) -> float:
    """Return the energy of the error over that of what was wanted, in dB; NaN where one of them is nothing."""
    energies = [float(np.sum(each.astype(np.float64) ** 2)) for each in (wanted, got - wanted)]
    return 10 * math.log10(energies[1] / energies[0]) if min(energies) > 0 else math.nan


@lru_cache(maxsize=8)
def hann_window(width: int) -> Audio:
    """Return the periodic Hann window, read-only."""
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(width) / width)).astype(np.float32)
    window.flags.writeable = False
    return window


def split_frames(clip: NDArray[Real], width: int, hop: int) -> NDArray[Real]:
    """Overlapping windows (frames, width), as many as touch the clip, so that each sample lies in width / hop."""
    n_frames = (clip.size - 1 + width - hop) // hop + 1
    padded = np.zeros((n_frames - 1) * hop + width, dtype=clip.dtype)
    padded[width - hop : width - hop + clip.size] = clip
    return np.lib.stride_tricks.sliding_window_view(padded, width)[::hop]


def overlap_add(frames: NDArray[Real], hop: int, samples: int) -> NDArray[Real]:
    """Add up what `split_frames` took apart."""
    n_frames, width = frames.shape
    blocks = frames.reshape(n_frames, width // hop, hop)
    total = np.zeros((n_frames + width // hop - 1, hop), dtype=frames.dtype)
    for place in range(width // hop):
        total[place : place + n_frames] += blocks[:, place]
    return total.reshape(-1)[width - hop : width - hop + samples]
