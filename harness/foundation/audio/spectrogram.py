"""Spectrograms for pictures."""

import numpy as np
from numpy.typing import NDArray

_WINDOW, _HOP = 512, 64


def level_db(audio: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the level of each cell in dB, from -120 up; a full-scale sine is at 0.

    Args:
        audio: Shape (samples,).

    Returns:
        Shape (257, frames): frequencies from 0 to half the sample rate, frames of 32 ms each 4 ms at 16 kHz. Audio
        shorter than a frame is padded with silence.
    """
    padded = np.pad(audio, (0, max(0, _WINDOW - audio.size)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP] * np.hanning(_WINDOW)
    return 20 * np.log10(np.abs(np.fft.rfft(frames, axis=1)).T / (_WINDOW / 4) + 1e-6)
