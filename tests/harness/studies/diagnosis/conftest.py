"""Schemes with a known answer: two with a trick planted in them, and one without."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from sealproof.detectors.base import Audio, Bits, Detection, Detector, Scheme, Watermarker
from sealproof.detectors.spread_spectrum.mdct import imdct, mdct

RATE = 16_000
TONE_HZ = 1201.7


class Tone:
    """Marks with a sine 26 dB below the clip, and asks for that sine: what the trick `one_frequency` is."""

    name, sample_rate, threshold, message_bits = "tone", RATE, 6.0, 0

    def embed(self, batch: Audio, messages: Bits) -> Audio:
        time = np.arange(batch.shape[1]) / RATE
        level = np.sqrt(2 * np.mean(batch.astype(np.float64) ** 2, axis=1, keepdims=True)) * 10 ** (-26 / 20)
        return np.asarray(batch + level * np.sin(2 * np.pi * TONE_HZ * time), np.float32)

    def detect(self, batch: Audio) -> Detection:
        n = batch.shape[1]
        time = np.arange(n) / RATE
        window = np.hanning(n)
        levels = [
            np.abs((batch * window) @ np.exp(-2j * np.pi * hz * time)) + 1e-9
            for hz in (TONE_HZ, TONE_HZ - 4 * RATE / n, TONE_HZ + 4 * RATE / n)
        ]
        return Detection(np.asarray(20 * np.log10(levels[0] / np.maximum(levels[1], levels[2])), np.float32))


class FixedWaveform:
    """Adds the same noise to every clip, 26 dB below it, and correlates with it: the trick `fixed_waveform`."""

    name, sample_rate, threshold, message_bits = "fixed", RATE, 5.0, 0

    def embed(self, batch: Audio, messages: Bits) -> Audio:
        level = np.sqrt(np.mean(batch.astype(np.float64) ** 2, axis=1, keepdims=True)) * 10 ** (-26 / 20)
        return np.asarray(batch + level * self._noise(batch.shape[1]), np.float32)

    def detect(self, batch: Audio) -> Detection:
        # Whitened by its own spectrum, so that loud tones do not rule the correlation.
        spectra = np.fft.rfft(batch.astype(np.float64))
        phases = spectra / (np.abs(spectra) + 1e-9)
        pattern = np.fft.rfft(self._noise(batch.shape[1]))
        along = np.real(phases @ np.conj(pattern / np.abs(pattern)))
        return Detection(np.asarray(along * np.sqrt(2 / spectra.shape[1]), np.float32))

    @staticmethod
    def _noise(n_samples: int) -> NDArray[np.float64]:
        return np.random.default_rng(5).standard_normal(n_samples)


class Lattice:
    """Moves loud MDCT coefficients onto a keyed lattice and asks how many lie there.

    The mark is the rounding error of its host: nothing of it is fixed, and no sound or filter makes one.
    """

    name, sample_rate, threshold, message_bits = "lattice", RATE, 6.0, 0
    _step, _hop = 0.03, 128

    def embed(self, batch: Audio, messages: Bits) -> Audio:
        coefficients = mdct(batch, self._hop)
        shift = self._shift(coefficients.shape)
        moved = (np.rint(coefficients / self._step - shift) + shift) * self._step
        change = np.where(np.abs(coefficients) > 2.5 * self._step, moved - coefficients, 0.0)
        return np.asarray(batch + imdct(change, batch.shape[1]), np.float32)

    def detect(self, batch: Audio) -> Detection:
        coefficients = mdct(batch, self._hop)
        loud = np.abs(coefficients) > 2 * self._step
        near = np.cos(2 * np.pi * (coefficients / self._step - self._shift(coefficients.shape)))
        count = np.maximum(loud.sum(axis=(1, 2)), 1)
        return Detection(np.asarray((near * loud).sum(axis=(1, 2)) * np.sqrt(2 / count), np.float32))

    @staticmethod
    def _shift(shape: tuple[int, ...]) -> NDArray[np.float64]:
        return np.random.default_rng(7).random(shape[1:])


class Toy(Scheme):
    """One of the three as a scheme."""

    name, summary = "toy", "a scheme with a known answer"

    def __init__(self, pair: Tone | FixedWaveform | Lattice) -> None:
        self._pair = pair

    @property
    def version(self) -> str:
        return f"toy-{self._pair.name}"

    def load_watermarker(self) -> Watermarker:
        return self._pair

    def load_detector(self) -> Detector:
        return self._pair


@pytest.fixture(scope="session")
def toy() -> Callable[[str], Scheme]:
    """toy("tone"), toy("fixed") and toy("lattice")."""
    return lambda name: Toy(next(pair for pair in (Tone(), FixedWaveform(), Lattice()) if pair.name == name))


@pytest.fixture(scope="session")
def planted_hz() -> float:
    """Where the toy `tone` has its tone."""
    return TONE_HZ
