"""Resynthesis: the clip is taken apart by a model of sound and put together again from a part of what was found.

Short-time spectra are taken with a periodic Hann window and a hop of a quarter of it, and put together by weighted
overlap-add: D. W. Griffin and J. S. Lim, "Signal estimation from modified short-time Fourier transform", IEEE Trans.
ASSP 32(2), 1984. Nothing is delayed; the windows that hang over the ends of the clip see zeros there.
"""

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.base import Attack, AttackError, Audio, Claim, parameter

Floats = NDArray[np.float64]
Magnitude = NDArray[np.float32]
Spectrum = NDArray[np.complex64]

Real = TypeVar("Real", np.float32, np.float64)

SHORT_S, LONG_S = 0.032, 0.064
"""Windows: 512 and 1024 samples at 16 kHz."""


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
        """Iterates from random phases."""
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
        """Goes to mel bands and back."""
        width = window_length(LONG_S, sample_rate)
        forth, back = _mel_bands(self.bands, width, sample_rate)
        magnitude = np.maximum(np.abs(stft(clip, width)) @ forth @ back, 0)
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
            _error_db(np.abs(stft(one, width)) @ forth, np.abs(stft(other, width)) @ forth)
            for one, other in zip(before, after, strict=True)
        ]
        return {"mel_error_db": np.array(errors), "correlation_percent": correlation_percent(before, after)}


@dataclass(frozen=True, kw_only=True)
class SpectrumAttack(Attack):
    """Changes short-time spectra and puts them together again with the phases of the clip.

    Attributes:
        window_s: Length of the window in s, rounded up to a power of two samples.
    """

    family: ClassVar[str] = "resynthesis"
    window_s: ClassVar[float] = SHORT_S

    @abstractmethod
    def weights(self, magnitude: Magnitude) -> Magnitude:
        """Gain of each cell (frames, bins) of a spectrum with these magnitudes."""

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Weighs the cells."""
        del rng
        width = window_length(self.window_s, sample_rate)
        spectrum = stft(clip, width)
        return istft(spectrum * self.weights(np.abs(spectrum)), clip.size)


FLOOR_DB = 80.0
"""Below the highest magnitude of a clip the logarithmic quantiser knows nothing but zero."""


@dataclass(frozen=True, kw_only=True)
class STFTQuantise(SpectrumAttack):
    """Rounds the short-time magnitudes to a number of levels and keeps the phases.

    The levels are zero and others spaced evenly up to the highest magnitude of the clip: on a logarithmic scale from
    80 dB below it, or on a linear scale from zero. Windows of 32 ms.
    """

    name: ClassVar[str] = "stft_quantise"
    sweep: ClassVar[Mapping[str, tuple[int | str, ...]]] = {"levels": (256, 64, 32, 16, 8), "scale": ("linear",)}

    levels: int = parameter(unit="levels", kind=int, low=4, high=4096, default=64)
    scale: str = parameter(unit="", kind=str, choices=("log", "linear"), default="log")

    @property
    def _step_db(self) -> float:
        return FLOOR_DB / (self.levels - 2)

    def weights(self, magnitude: Magnitude) -> Magnitude:
        """The rounded magnitude over the magnitude."""
        peak = magnitude.max()
        if peak == 0:
            return magnitude
        relative = np.maximum(magnitude / peak, np.float32(1e-12))
        if self.scale == "linear":
            step = np.float32(1 / (self.levels - 1))
            return np.asarray(np.rint(relative / step) * step / relative)
        steps = np.rint(np.log10(relative) * np.float32(-20 / self._step_db))
        rounded = np.power(np.float32(10), steps * np.float32(-self._step_db / 20))
        return np.where(steps > self.levels - 2, np.float32(0), rounded / relative)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The SNR of errors spread evenly over the steps; overlapping windows cancel some of it.

        On the linear scale it depends on how far the clip's magnitudes lie below the highest one.
        """
        del sample_rate
        if self.scale == "linear":
            return (Claim("snr_db", 5, 20 * math.log10(self.levels) + 10),)
        error_db = 20 * math.log10(math.log(10) / 20 * self._step_db / math.sqrt(12))
        return (Claim("snr_db", -error_db - 3, -error_db + 8),)


@dataclass(frozen=True, kw_only=True)
class StrongestBins(SpectrumAttack):
    """Keeps only the strongest bins of each short-time spectrum, and of the 257 at 16 kHz throws all others away.

    The sparse approximation that sinusoidal models rest on: R. J. McAulay and T. F. Quatieri, "Speech
    analysis/synthesis based on a sinusoidal representation", IEEE Trans. ASSP 34(4), 1986. Windows of 32 ms.
    """

    name: ClassVar[str] = "strongest_bins"
    sweep: ClassVar[Mapping[str, tuple[int, ...]]] = {"bins": (128, 64, 32, 16, 8)}

    bins: int = parameter(unit="bins", kind=int, low=1, high=4096)

    def weights(self, magnitude: Magnitude) -> Magnitude:
        """One for the strongest, zero for the others."""
        if self.bins >= magnitude.shape[1]:
            raise AttackError(
                f"The 'bins' of strongest_bins must be below {magnitude.shape[1]}, all that there are. Got {self.bins}."
            )
        weakest_kept = np.partition(magnitude, -self.bins, axis=1)[:, -self.bins, None]
        return (magnitude >= weakest_kept).astype(np.float32)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """Nothing is added, and what is left lies in few bins."""
        del sample_rate
        return (Claim("level_change_db", -12, 0), Claim("remaining_db", high=-2))

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """Energy of the result outside its own strongest bins, over that of the clip outside its own."""
        width = window_length(self.window_s, sample_rate)
        ratios = np.full(len(before), np.nan)
        for index, pair in enumerate(zip(before, after, strict=True)):
            power = [np.sort(np.abs(stft(clip, width)), axis=1).astype(np.float64) ** 2 for clip in pair]
            was, rest = (each[:, : -self.bins].sum() for each in power)
            if was > 1e-10 * power[0].sum() and rest > 0:
                ratios[index] = 10 * math.log10(rest / was)
        return {"remaining_db": ratios}


@dataclass(frozen=True, kw_only=True)
class HarmonicPercussive(SpectrumAttack):
    """Keeps only what sustains (harmonic) or only what strikes (percussive).

    Median filters over 17 windows and over 17 bins of a spectrogram give the two parts, of whose energies the mask is
    made: D. Fitzgerald, "Harmonic/percussive separation using median filtering", DAFx 2010. Windows of 64 ms; the
    phases are those of the clip.
    """

    name: ClassVar[str] = "harmonic_percussive"
    sweep: ClassVar[Mapping[str, tuple[str, ...]]] = {"keep": ("harmonic", "percussive")}
    window_s: ClassVar[float] = LONG_S

    keep: str = parameter(unit="", kind=str, choices=("harmonic", "percussive"))

    def weights(self, magnitude: Magnitude) -> Magnitude:
        """The Wiener mask of the part that is kept."""
        # Relative to the peak no square underflows; a cell that both medians find empty is shared.
        peak = magnitude.max()
        relative = magnitude / peak if peak > 0 else magnitude
        harmonic, percussive = (_running_median(relative, axis) ** 2 + np.float32(1e-12) for axis in (0, 1))
        kept = harmonic if self.keep == "harmonic" else percussive
        return np.asarray(kept / (harmonic + percussive), dtype=np.float32)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The spectrogram gets smoother along the axis of the part that is kept, compared with the other axis."""
        del sample_rate
        sign = 1 if self.keep == "harmonic" else -1
        low, high = sorted((sign * 0.5, sign * math.inf))
        return (Claim("sustain_db", low, high), Claim("level_change_db", high=0))

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """Variation of the spectrogram from bin to bin over that from window to window: how much that changed."""
        width = window_length(self.window_s, sample_rate)
        changes = np.full(len(before), np.nan)
        for index, pair in enumerate(zip(before, after, strict=True)):
            spectra = [np.abs(stft(clip, width)).astype(np.float64) for clip in pair]
            along, across = ([np.abs(np.diff(each, axis=axis)).sum() for each in spectra] for axis in (0, 1))
            if min(*along, *across) > 0:
                changes[index] = 20 * math.log10(across[1] / along[1] * along[0] / across[0])
        return {"sustain_db": changes}


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
        """Predicts, quantises, filters back."""
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
        """Predicts, and filters noise with the predictor."""

        def noise(residual: Floats) -> Floats:
            draws = rng.standard_normal(residual.shape)
            energies = [np.sum(each**2, axis=1, keepdims=True) for each in (residual, draws)]
            # Twice the energy, half of which the second window takes; a residual has passed the first one already.
            return np.asarray(draws * np.sqrt(2 * energies[0] / energies[1]))

        return _predict_and_rebuild(clip, sample_rate, self.order, noise)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The level stays, the waveform goes."""
        del sample_rate
        return (Claim.about("level_change_db", 0, 3), Claim("correlation_percent", -25, 25))

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """How much of the waveform is left."""
        del sample_rate
        return {"correlation_percent": correlation_percent(before, after)}


def window_length(seconds: float, sample_rate: int) -> int:
    """Samples of a window: the next power of two, at least 16."""
    return 1 << (max(16, round(seconds * sample_rate)) - 1).bit_length()


def stft(clip: Audio, width: int) -> Spectrum:
    """Short-time spectra (frames, width / 2 + 1) of a clip (samples,)."""
    from scipy import fft

    return np.asarray(fft.rfft(_frames(clip, width, width // 4) * _hann(width)))


def istft(spectrum: Spectrum, samples: int) -> Audio:
    """The clip (samples,) whose short-time spectra come nearest to the given ones."""
    from scipy import fft

    frames = fft.irfft(spectrum) * _hann(2 * spectrum.shape[1] - 2)
    return np.asarray(_overlapped(frames, frames.shape[1] // 4, samples) / np.float32(1.5), dtype=np.float32)


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
        [
            _error_db(np.abs(stft(one, width)), np.abs(stft(other, width)))
            for one, other in zip(before, after, strict=True)
        ]
    )


def correlation_percent(before: Audio, after: Audio) -> Floats:
    """Normalised correlation of the waveforms, (n,); NaN where either is silent."""
    percents = np.full(len(before), np.nan)
    for index, (one, other) in enumerate(zip(before.astype(np.float64), after.astype(np.float64), strict=True)):
        energies = (one @ one) * (other @ other)
        if energies > 0:
            percents[index] = 100 * (one @ other) / math.sqrt(energies)
    return percents


def _error_db(wanted: Magnitude, got: Magnitude) -> float:
    energies = [float(np.sum(each.astype(np.float64) ** 2)) for each in (wanted, got - wanted)]
    return 10 * math.log10(energies[1] / energies[0]) if min(energies) > 0 else math.nan


@lru_cache(maxsize=8)
def _hann(width: int) -> Audio:
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(width) / width)).astype(np.float32)
    window.flags.writeable = False
    return window


def _frames(clip: NDArray[Real], width: int, hop: int) -> NDArray[Real]:
    """Overlapping windows (frames, width), as many as touch the clip, so that each sample lies in width / hop."""
    n_frames = (clip.size - 1 + width - hop) // hop + 1
    padded = np.zeros((n_frames - 1) * hop + width, dtype=clip.dtype)
    padded[width - hop : width - hop + clip.size] = clip
    return np.lib.stride_tricks.sliding_window_view(padded, width)[::hop]


def _overlapped(frames: NDArray[Real], hop: int, samples: int) -> NDArray[Real]:
    """Adds up what `_frames` took apart."""
    n_frames, width = frames.shape
    blocks = frames.reshape(n_frames, width // hop, hop)
    total = np.zeros((n_frames + width // hop - 1, hop), dtype=frames.dtype)
    for place in range(width // hop):
        total[place : place + n_frames] += blocks[:, place]
    return total.reshape(-1)[width - hop : width - hop + samples]


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


def _running_median(magnitude: Magnitude, axis: int) -> Magnitude:
    """Median over 17 neighbours along an axis; beyond the ends the spectrogram is mirrored, as often as it takes."""
    reach = 8
    padded = np.pad(magnitude, [(reach, reach) if each == axis else (0, 0) for each in (0, 1)], mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=axis)
    return np.asarray(np.partition(windows, reach, axis=-1)[..., reach])


def _predict_and_rebuild(clip: Audio, sample_rate: int, order: int, replaced: Callable[[Floats], Floats]) -> Audio:
    """Splits into linear predictors and residuals (frames, width), replaces the residuals and filters back."""
    from scipy import fft, signal

    width = window_length(SHORT_S, sample_rate)
    window = np.sqrt(_hann(width).astype(np.float64))
    frames: Floats = _frames(clip.astype(np.float64), width, width // 2) * window
    predictors = _levinson_durbin(fft.irfft(np.abs(fft.rfft(frames, 2 * width)) ** 2)[:, : order + 1])
    residual = frames.copy()
    for lag in range(1, order + 1):
        residual[:, lag:] += predictors[:, lag, None] * frames[:, :-lag]
    excitation = replaced(residual)
    rebuilt = np.stack([signal.lfilter([1.0], *pair) for pair in zip(predictors, excitation, strict=True)])
    return np.asarray(_overlapped(rebuilt * window, width // 2, clip.size), dtype=np.float32)


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
