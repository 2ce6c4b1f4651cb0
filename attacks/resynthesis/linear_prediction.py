"""Linear prediction: the spectral envelope is kept, and what it leaves is made coarse or replaced by noise."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sealproof.attacks.contract.base import Attack, Audio, Claim, parameter
from sealproof.attacks.resynthesis.spectra import (
    SHORT_S,
    Floats,
    correlation_percent,
    hann_window,
    overlap_add,
    split_frames,
    window_length,
)
from sealproof.attacks.verification.measure import level_change_db
from sealproof.attacks.verification.profile import in_domain

MAX_STEP = {1: 1.596, 2: 0.9957, 3: 0.5860, 4: 0.3352}
"""Best step of a uniform quantiser of so many bits for Gaussian values of variance 1: J. Max, "Quantizing for minimum
distortion", IRE Trans. Information Theory 6, 1960."""


@dataclass(frozen=True, kw_only=True)
class LPC(Attack):
    """Codes the clip by linear prediction with a coarse residual: prediction stays, what it leaves is quantised.

    Autocorrelation method with the Levinson-Durbin recursion on windows of 32 ms (square root of Hann, half
    overlapping); the residual of each window is rounded to 2^bits levels, spaced by Max's step for its own variance,
    and filtered back: L. R. Rabiner and R. W. Schafer, "Digital Processing of Speech Signals", 1978, chapter 8.
    """

    name: ClassVar[str] = "lpc"
    family: ClassVar[str] = "resynthesis"
    sweep: ClassVar[Mapping[str, tuple[int, ...]]] = {"bits": (4, 3, 2, 1), "order": (8, 16)}
    is_ordered: ClassVar[bool] = False  # the order hardly matters to the SNR

    order: int = parameter(unit="order", kind=int, low=1, high=32, default=12)
    bits: int = parameter(unit="bits", kind=int, low=1, high=4, default=3)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Predict, quantises, filter back."""
        del rng
        return _predict_and_rebuild(clip, sample_rate, self.order, self._quantised)

    def _quantised(self, residual: Floats) -> Floats:
        step = MAX_STEP[self.bits] * np.sqrt(np.mean(residual**2, axis=1, keepdims=True))
        half = 2 ** (self.bits - 1)
        codes = np.clip(np.floor(residual / np.where(step > 0, step, 1)), -half, half - 1)
        return np.asarray((codes + 0.5) * step)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """At most Max's 4.4 dB for one bit and 5 dB for each other; a peaky residual gives some 3 dB a bit."""
        del sample_rate
        return (Claim("snr_db", 3.2 * self.bits - 3, 5 * self.bits + 1),)


@dataclass(frozen=True, kw_only=True)
class LPCVocoder(Attack):
    """Keeps only the spectral envelope and the level of each moment, and excites them with noise: a whisper.

    Linear prediction as in `LPC`, but the residual of each window is replaced by white Gaussian noise that keeps the
    level: the unvoiced half of the vocoder of B. S. Atal and S. L. Hanauer, "Speech analysis and synthesis by linear
    prediction of the speech wave", J. Acoust. Soc. Am. 50, 1971. No waveform is left to correlate with.
    """

    name: ClassVar[str] = "lpc_vocoder"
    family: ClassVar[str] = "resynthesis"
    sweep: ClassVar[Mapping[str, tuple[int, ...]]] = {"order": (32, 16, 12, 8)}
    keeps_alignment: ClassVar[bool] = False
    is_random: ClassVar[bool] = True

    order: int = parameter(unit="order", kind=int, low=1, high=64)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Predict, and filter noise with the predictor."""

        def noise(residual: Floats) -> Floats:
            draws = rng.standard_normal(residual.shape)
            energies = [np.sum(each**2, axis=1, keepdims=True) for each in (residual, draws)]
            # Twice the energy, half of which the second window takes; a residual has passed the first one already.
            return np.asarray(draws * np.sqrt(2 * energies[0] / energies[1]))

        return _predict_and_rebuild(clip, sample_rate, self.order, noise)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The level stays, the waveform goes."""
        del sample_rate
        return Claim.about("kept_level_db", 0, 3), Claim("correlation_percent", -25, 25)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """How much of the waveform is left, and of the level, of which a steady tone keeps less."""
        level = np.where(in_domain(before, sample_rate), level_change_db(before, after), np.nan)
        return {"correlation_percent": correlation_percent(before, after), "kept_level_db": level}


def _predict_and_rebuild(clip: Audio, sample_rate: int, order: int, replaced: Callable[[Floats], Floats]) -> Audio:
    """Split into linear predictors and residuals (frames, width), replace the residuals and filter back."""
    from scipy import fft, signal

    width = window_length(SHORT_S, sample_rate)
    window = np.sqrt(hann_window(width).astype(np.float64))
    frames: Floats = split_frames(clip.astype(np.float64), width, width // 2) * window
    predictors = _levinson_durbin(fft.irfft(np.abs(fft.rfft(frames, 2 * width)) ** 2)[:, : order + 1])
    residual = frames.copy()
    for lag in range(1, order + 1):
        residual[:, lag:] += predictors[:, lag, None] * frames[:, :-lag]
    excitation = replaced(residual)
    rebuilt = np.stack([signal.lfilter([1.0], *pair) for pair in zip(predictors, excitation, strict=True)])
    return np.asarray(overlap_add(rebuilt * window, width // 2, clip.size), dtype=np.float32)


def _levinson_durbin(autocorrelation: Floats) -> Floats:
    """Prediction-error filters (frames, order + 1) from autocorrelations of the same shape; silence predicts itself."""
    n_frames, length = autocorrelation.shape
    filters = np.zeros((n_frames, length))
    filters[:, 0] = 1
    # A millionth of the energy as white noise (-60 dB) keeps the recursion well conditioned.
    error = np.where(autocorrelation[:, 0] > 0, autocorrelation[:, 0] * (1 + 1e-6), 1)
    for order in range(1, length):
        reflection = -np.sum(filters[:, :order] * autocorrelation[:, order:0:-1], axis=1) / error
        filters[:, 1 : order + 1] += reflection[:, None] * filters[:, order - 1 :: -1][:, :order]
        error = error * (1 - reflection**2)
    return filters
