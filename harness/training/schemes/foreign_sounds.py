"""Inputs that a scheme was not made for, to see how often its detector raises a false alarm."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000

Audio = NDArray[np.float32]


def silence(n: int, n_samples: int, rng: np.random.Generator) -> Audio:
    """Digital silence in every other clip, dither of one 16-bit step in the others; shape (n, n_samples)."""
    clips = np.zeros((n, n_samples), np.float32)
    clips[1::2] = rng.uniform(-1, 1, clips[1::2].shape) / 32768
    return clips


def white_noise(n: int, n_samples: int, rng: np.random.Generator) -> Audio:
    """White Gaussian noise of -60 to -15 dB RMS re full scale, clipped at it; shape (n, n_samples)."""
    clips = rng.standard_normal((n, n_samples)) * 10 ** rng.uniform(-3, -0.75, (n, 1))
    return np.clip(clips, -1, 1).astype(np.float32)


def pink_noise(n: int, n_samples: int, rng: np.random.Generator) -> Audio:
    """Noise that falls by 3 dB an octave, of -60 to -15 dB RMS re full scale, clipped at it; shape (n, n_samples)."""
    spectrum = np.fft.rfft(rng.standard_normal((n, n_samples)))
    spectrum /= np.sqrt(np.maximum(np.arange(spectrum.shape[1]), 1))
    clips = np.fft.irfft(spectrum, n_samples)
    clips *= 10 ** rng.uniform(-3, -0.75, (n, 1)) / np.sqrt(np.mean(clips**2, axis=1, keepdims=True))
    return np.clip(clips, -1, 1).astype(np.float32)


def speech_like(n: int, n_samples: int, rng: np.random.Generator) -> Audio:
    """Voiced and unvoiced syllables by source and filter; no words; shape (n, n_samples), peaks from 0.05 to 0.9.

    A glottal pulse train with a moving pitch, or noise, goes through three formant resonators, four to six times a
    second with pauses between.
    """
    return np.stack([_syllables(n_samples, rng) for _ in range(n)])


def _syllables(n_samples: int, rng: np.random.Generator) -> Audio:
    from scipy.signal import lfilter

    voice_hz = rng.uniform(80, 260)
    clip = np.zeros(n_samples)
    start = int(rng.uniform(0, 0.05) * SAMPLE_RATE)
    while start < n_samples - 800:
        length = min(int(rng.uniform(0.1, 0.22) * SAMPLE_RATE), n_samples - start)
        if rng.random() < 0.75:
            first, last = rng.uniform(0.85, 1.2, 2)
            pitch = voice_hz * np.linspace(first, last, length)
            phase = np.cumsum(pitch / SAMPLE_RATE)
            source = (np.diff(np.floor(phase), prepend=0) > 0).astype(float) + 0.01 * rng.standard_normal(length)
            formants = rng.uniform([300, 800, 2200], [900, 2200, 3300])
        else:
            source = 0.1 * rng.standard_normal(length)
            formants = rng.uniform([1500, 3000, 5000], [3000, 5000, 7000])
        for hz in formants:
            radius = np.exp(-np.pi * rng.uniform(60, 200) / SAMPLE_RATE)
            source = lfilter([1.0], [1.0, -2 * radius * np.cos(2 * np.pi * hz / SAMPLE_RATE), radius**2], source)
        source *= np.hanning(length) / np.abs(source).max()
        clip[start : start + length] += source * rng.uniform(0.3, 1)
        start += length + int(rng.uniform(0, 0.08) * SAMPLE_RATE)
    clip *= rng.uniform(0.05, 0.9) / np.abs(clip).max()
    return clip.astype(np.float32)


FOREIGN_SOUNDS: Mapping[str, Callable[[int, int, np.random.Generator], Audio]] = {
    "silence": silence,
    "white noise": white_noise,
    "pink noise": pink_noise,
    "speech-like": speech_like,
}
"""What false alarms are counted on, by name."""
