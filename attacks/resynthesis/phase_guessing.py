"""Magnitudes alone are kept, of every bin or of mel bands, and phases are guessed anew."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from sealproof.attacks.contract.base import Attack, Audio, Claim, parameter
from sealproof.attacks.resynthesis.spectra import (
    LONG_S,
    SHORT_S,
    Floats,
    Magnitude,
    correlation_percent,
    error_db,
    istft,
    stft,
    window_length,
)


@dataclass(frozen=True, kw_only=True)
class GriffinLim(Attack):
    """Throws all phases away and finds new ones that fit the short-time magnitudes, by fast Griffin-Lim iterations.

    N. Perraudin, P. Balazs and P. L. Soendergaard, "A fast Griffin-Lim algorithm", WASPAA 2013, with momentum 0.99,
    from random phases; windows of 32 ms. What happens stays where it was, within a window, but the waveform is another
    one: it need not correlate with the clip, and may have the opposite sign.
    """

    name: ClassVar[str] = "griffin_lim"
    family: ClassVar[str] = "resynthesis"
    sweep: ClassVar[Mapping[str, tuple[int, ...]]] = {"iterations": (32, 16, 8, 4)}
    keeps_alignment: ClassVar[bool] = False
    is_random: ClassVar[bool] = True

    iterations: int = parameter(unit="iterations", kind=int, low=1, high=1000)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Iterate from random phases."""
        width = window_length(SHORT_S, sample_rate)
        return griffin_lim(np.abs(stft(clip, width)), clip.size, self.iterations, rng)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The magnitudes come back, the better the more iterations; the waveform does not."""
        del sample_rate
        return (
            Claim("spectral_convergence_db", high=-1 - 2.4 * math.log2(self.iterations)),
            Claim("correlation_percent", -70, 70),
        )

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """Error of the short-time magnitudes, and how much of the waveform is left."""
        return {
            "spectral_convergence_db": spectral_convergence_db(before, after, sample_rate),
            "correlation_percent": correlation_percent(before, after),
        }


@dataclass(frozen=True, kw_only=True)
class MelVocoder(Attack):
    """Keeps only the energies of mel bands, as what a neural vocoder is fed with, and makes a waveform from them.

    Magnitudes of windows of 64 ms are summed up in triangular bands, evenly spaced from 0 Hz to half the sample rate on
    the mel scale 2595 log10(1 + f / 700 Hz) (D. O'Shaughnessy, "Speech Communication", 1987). The pseudo-inverse of the
    bands, negative magnitudes set to zero, gives a spectrum back, and 16 fast Griffin-Lim iterations from random phases
    a waveform. As with `GriffinLim` that waveform need not correlate with the clip.
    """

    name: ClassVar[str] = "mel_vocoder"
    family: ClassVar[str] = "resynthesis"
    sweep: ClassVar[Mapping[str, tuple[int, ...]]] = {"bands": (128, 80, 40, 20)}
    keeps_alignment: ClassVar[bool] = False
    is_random: ClassVar[bool] = True

    bands: int = parameter(unit="bands", kind=int, low=4, high=128)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Go to mel bands and back."""
        width = window_length(LONG_S, sample_rate)
        forth, back = _mel_bands(self.bands, width, sample_rate)
        magnitude = np.maximum(_product(_product(np.abs(stft(clip, width)), forth), back), 0)
        return griffin_lim(magnitude, clip.size, 16, rng)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The energies of the bands come back; the waveform does not."""
        del sample_rate
        return (Claim("mel_error_db", high=-12), Claim("correlation_percent", -70, 70))

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """Error of the mel bands, and how much of the waveform is left."""
        width = window_length(LONG_S, sample_rate)
        forth, _ = _mel_bands(self.bands, width, sample_rate)
        errors = [
            error_db(np.abs(stft(old, width)) @ forth, np.abs(stft(new, width)) @ forth)
            for old, new in zip(before, after, strict=True)
        ]
        return {"mel_error_db": np.array(errors), "correlation_percent": correlation_percent(before, after)}


def griffin_lim(magnitude: Magnitude, samples: int, iterations: int, rng: np.random.Generator) -> Audio:
    """A clip (samples,) whose short-time magnitudes come near to (frames, bins)."""
    width = 2 * magnitude.shape[1] - 2
    peak = magnitude.max()
    if peak == 0:
        return np.zeros(samples, dtype=np.float32)
    relative = magnitude / peak  # so that no square underflows
    spectrum = relative * np.exp(1j * rng.random(magnitude.shape, dtype=np.float32) * np.float32(2 * np.pi))
    last = spectrum
    for _ in range(iterations):
        consistent = stft(istft(spectrum, samples), width)
        ahead = consistent + np.float32(0.99) * (consistent - last)
        last = consistent
        spectrum = ahead * (relative / np.sqrt(ahead.real**2 + ahead.imag**2 + np.float32(1e-30)))
    return np.asarray(istft(spectrum, samples) * peak)


def spectral_convergence_db(before: Audio, after: Audio, sample_rate: int) -> Floats:
    """Energy of the error of the short-time magnitudes over that of the magnitudes, (n,) in dB; NaN for silence."""
    width = window_length(SHORT_S, sample_rate)
    return np.array(
        [error_db(np.abs(stft(old, width)), np.abs(stft(new, width))) for old, new in zip(before, after, strict=True)]
    )


def _product(rows: Magnitude, matrix: Magnitude) -> Magnitude:
    """A matrix product that is the same to the last bit on any number of threads, which BLAS's is not."""
    return np.asarray(np.einsum("fb,bm->fm", rows, matrix))


@lru_cache(maxsize=8)
def _mel_bands(bands: int, width: int, sample_rate: int) -> tuple[Magnitude, Magnitude]:
    """The triangles (bins, bands) and their pseudo-inverse (bands, bins)."""
    from scipy import fft

    highest = 2595 * math.log10(1 + sample_rate / 2 / 700)
    mel = 2595 * np.log10(1 + fft.rfftfreq(width, 1 / sample_rate) / 700)
    distance = np.abs(mel[:, None] / highest * (bands + 1) - np.arange(1, bands + 1))
    forth = np.maximum(1 - distance, 0)
    both = forth.astype(np.float32), np.linalg.pinv(forth).astype(np.float32)
    for matrix in both:
        matrix.flags.writeable = False
    return both
