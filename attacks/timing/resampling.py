"""Resampling: a detour over another sample rate, wrong sampling times, or playing at another speed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy import fft

from sealproof.attacks.contract.base import Attack, Attacked, AttackError, Audio, Claim, parameter
from sealproof.attacks.verification.measure import Floats, lag_samples

QUALITY = "HQ"
"""soxr's 20-bit linear-phase recipe: no delay, pass band to about 0.91 of the lower Nyquist frequency."""

TAIL = 64
"""Zeros appended before resampling, in samples: rounding of the length then never shortens the output."""

ORDER = 8
"""Of the Taylor series in `sampled_at`: the error stays below -75 dB up to the Nyquist frequency."""


@dataclass(frozen=True, kw_only=True)
class Detour(Attack):
    """Resamples to another rate and back; length and alignment are kept.

    Attributes:
        upwards: True if the other rate is above that of the clip.
    """

    family: ClassVar[str] = "resampling"
    upwards: ClassVar[bool] = False

    via_hz: int = parameter(unit="hz", kind=int, low=1000, high=192_000)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Resample there and back with soxr."""
        del rng
        self._check(sample_rate)
        detour = soxr.resample(_with_tail(clip), sample_rate, self.via_hz, QUALITY)
        return np.asarray(soxr.resample(detour, self.via_hz, sample_rate, QUALITY)[: clip.size], dtype=np.float32)

    def _check(self, sample_rate: int) -> None:
        if self.via_hz == sample_rate or (self.via_hz > sample_rate) != self.upwards:
            raise AttackError(
                f"The 'via_hz' of {self.name} must be {'above' if self.upwards else 'below'} the sample rate of "
                f"{sample_rate} Hz. Got {self.via_hz}."
            )

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """SNR within the band that the detour keeps, and change of the level in the band that it removes."""
        edge_hz = min(self.via_hz, sample_rate) / 2
        window = np.hanning(before.shape[1])
        old, new = (fft.rfft(batch * window, axis=1) for batch in (before, after))
        frequencies = fft.rfftfreq(before.shape[1], 1 / sample_rate)
        kept, removed = frequencies < 0.9 * edge_hz, frequencies > 1.05 * edge_hz
        wanted, lost = _energy(old[:, kept]), _energy(old[:, removed])
        with np.errstate(divide="ignore", invalid="ignore"):
            snr_db = 10 * np.log10(wanted / _energy((new - old)[:, kept]))
            stop_db = 10 * np.log10(_energy(new[:, removed]) / lost)
        measured = {"pass_band_snr_db": np.where(np.isfinite(snr_db), snr_db, np.nan)}
        if removed.any():
            # Where next to nothing stood in the stop band, its level says nothing about the filter.
            measured["stop_band_db"] = np.where(lost > 1e-7 * wanted, stop_db, np.nan)
        return measured


@dataclass(frozen=True, kw_only=True)
class Resample(Detour):
    """Resamples to a lower rate and back, which removes what lies above half that rate.

    Both ways with soxr's HQ recipe. The detour rate must be below the clip's own: for a higher one there is `upsample`.
    """

    name: ClassVar[str] = "resample"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"via_hz": (12_000, 11_025, 8000, 6000, 4000)}

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The lower band comes back as it was, the upper one is gone."""
        return (Claim("pass_band_snr_db", low=50), Claim("stop_band_db", high=-50))


@dataclass(frozen=True, kw_only=True)
class Upsample(Detour):
    """Resamples to a higher rate and back, as a player or an editor does behind the user's back.

    Both ways with soxr's HQ recipe. Only what lies above 0.91 of the Nyquist frequency is weakened, by the transition
    band of the filters; below that the SNR is that of 20 bits. The detour rate must be above the clip's own.
    """

    name: ClassVar[str] = "upsample"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"via_hz": (48_000, 44_100, 32_000, 24_000, 22_050)}
    is_ordered: ClassVar[bool] = False
    upwards: ClassVar[bool] = True

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """Next to nothing happens, but to what lies just below the Nyquist frequency."""
        return (
            Claim("pass_band_snr_db", low=70),
            Claim("level_change_db", -0.5, 0.01),
            Claim("top_band_db", high=-12),
        )

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """As of every detour; and the change of the level in the last 1.5 % below Nyquist, in the transition band."""
        window = np.hanning(before.shape[1])
        top = fft.rfftfreq(before.shape[1]) > 0.5 * 0.985
        old, new = (fft.rfft(batch * window, axis=1) for batch in (before, after))
        was, became, total = _energy(old[:, top]), _energy(new[:, top]), _energy(old)
        with np.errstate(divide="ignore", invalid="ignore"):
            # Where next to nothing stood there, rounding is all that is left.
            change = np.where(was > 1e-9 * total, 10 * np.log10(became / was), np.nan)
        return {**super().evidence(before, after, sample_rate), "top_band_db": change}


@dataclass(frozen=True, kw_only=True)
class ResampleLinear(Detour):
    """Resamples to a lower rate and back by linear interpolation without any filter, as cheap players do.

    What lies above half the detour rate is folded down, and images of the rest stay above it, weakened by sinc^2
    (Crochiere and Rabiner, "Multirate Digital Signal Processing", on linear interpolators). Where a sampling time of
    the detour falls on one of the clip, the sample passes unchanged.
    """

    name: ClassVar[str] = "resample_linear"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"via_hz": (12_000, 11_025, 8000, 6000, 4000)}
    is_ordered: ClassVar[bool] = False

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Interpolate at the sampling times of the detour, then back at those of the clip."""
        del rng
        self._check(sample_rate)
        places = np.arange(clip.size, dtype=np.float64)
        detour = np.arange(clip.size * self.via_hz // sample_rate + 2, dtype=np.float64)
        # The products are divided last, so that times common to both rates are exactly equal.
        low = np.interp(detour * sample_rate / self.via_hz, places, clip)
        return np.interp(places * self.via_hz / sample_rate, detour, low).astype(np.float32)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """Samples at common times are kept, and images stand above half the detour rate."""
        return (
            Claim.about("common_samples_kept_percent", 100, 0, every=True),
            Claim("images_db", low=-80),
            Claim("formula_error_db", high=-90, every=True),
        )

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """Samples kept where the rates meet; energy of the output above half the detour rate, over all of it."""
        step = sample_rate // math.gcd(sample_rate, self.via_hz)
        kept = 100 * np.mean(before[:, ::step] == after[:, ::step], axis=1)
        spectrum = fft.rfft(after * np.hanning(after.shape[1]), axis=1)
        above = fft.rfftfreq(after.shape[1], 1 / sample_rate) > 1.05 * self.via_hz / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            images = 10 * np.log10(_energy(spectrum[:, above]) / _energy(spectrum))
        return {
            "common_samples_kept_percent": kept,
            "images_db": np.where(np.isfinite(images), images, np.nan),
            "formula_error_db": self._formula_error_db(before, after, sample_rate),
        }

    def _formula_error_db(self, before: Audio, after: Audio, sample_rate: int) -> Floats:
        """Interpolate twice in whole numbers: output n lies between k and k + 1 of the detour, k = n via // rate."""
        samples = before.shape[1]
        clip = before.astype(np.float64)

        def at_detour(k: NDArray[np.int64]) -> Floats:
            whole, part = np.divmod(k * sample_rate, self.via_hz)
            first, second = (np.minimum(whole + step, samples - 1) for step in (0, 1))
            return np.asarray(clip[:, first] + (clip[:, second] - clip[:, first]) * (part / self.via_hz))

        k, part = np.divmod(np.arange(samples) * self.via_hz, sample_rate)
        low, high = at_detour(k), at_detour(k + 1)
        error = _energy(after - (low + (high - low) * (part / sample_rate)))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(_energy(clip) > 0, 10 * np.log10(np.maximum(error, 1e-30) / _energy(clip)), np.nan)


@dataclass(frozen=True, kw_only=True)
class Aliasing(Attack):
    """Keeps every n-th sample and holds it until the next: decimation without a filter, and sample-and-hold.

    What lies above the new Nyquist frequency is folded down, images of the rest stay, and the hold delays the clip by
    (n - 1) / 2 samples (Oppenheim and Schafer, "Discrete-Time Signal Processing", on decimation and zero-order hold).
    """

    name: ClassVar[str] = "aliasing"
    family: ClassVar[str] = "resampling"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"factor": (2, 3, 4, 8)}

    factor: int = parameter(unit="x", kind=int, low=2, high=64)

    def apply_batch(self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator]) -> Attacked:
        """Repeat every n-th sample n times."""
        del sample_rate, rngs
        return Attacked(np.repeat(batch[:, :: self.factor], self.factor, axis=1)[:, : batch.shape[1]])

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The delay of the hold, and that nothing but held samples is left."""
        return (
            Claim.about("delay_samples", (self.factor - 1) / 2, 0.6),
            Claim.about("held_percent", 100, 0, every=True),
        )

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """Share of the samples that equal the last one kept."""
        last_kept = np.arange(before.shape[1]) // self.factor * self.factor
        return {"held_percent": 100 * np.mean(after == before[:, last_kept], axis=1)}


@dataclass(frozen=True, kw_only=True)
class Jitter(Attack):
    """Samples the clip at times that are off by white Gaussian errors of the given standard deviation, in samples.

    The clip is read between its samples by band-limited interpolation: see `sampled_at`. A component of angular
    frequency w (radians per sample) suffers noise of 2 (1 - exp(-w^2 std^2 / 2)) times its power (Balakrishnan, "On the
    problem of time jitter in sampling", IRE Trans. Information Theory 8, 1962).
    """

    name: ClassVar[str] = "jitter"
    family: ClassVar[str] = "resampling"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"std_samples": (0.01, 0.05, 0.1, 0.2, 0.5)}
    is_random: ClassVar[bool] = True

    std_samples: float = parameter(unit="samples", low=0, above_low=True, high=2)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Read the clip a little too early or too late."""
        del sample_rate
        return sampled_at(clip, np.arange(clip.size) + self.std_samples * rng.standard_normal(clip.size))

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The noise is that of the formula."""
        return (Claim.about("noise_over_theory_db", 0, 0.7),)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """Energy of the change over that which follows from the clip's spectrum."""
        n = before.shape[1]
        spectrum = np.abs(fft.rfft(before.astype(np.float64), axis=1)) ** 2
        spectrum[:, 1 : (n + 1) // 2] *= 2  # each but DC and Nyquist stands for two
        share = 2 * -np.expm1(-((2 * np.pi * fft.rfftfreq(n) * self.std_samples) ** 2) / 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            excess = 10 * np.log10(_energy(after.astype(np.float64) - before) / (spectrum @ share / n))
        return {"noise_over_theory_db": np.where(np.isfinite(excess), excess, np.nan)}


@dataclass(frozen=True, kw_only=True)
class Speed(Attack):
    """Plays the clip faster (factor above 1) or slower, so that pitch and tempo change together.

    The output has round(samples / factor) samples, at least one; a tone of f Hz becomes one of factor * f Hz. What
    would come to lie above the Nyquist frequency is removed. Resampled with soxr's HQ recipe.
    """

    name: ClassVar[str] = "speed"
    family: ClassVar[str] = "resampling"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {
        "factor": (1.01, 0.99, 1.02, 0.98, 1.05, 0.95, 1.1, 0.9, 1.25, 0.8, 1.5, 0.5)
    }
    is_ordered: ClassVar[bool] = False
    keeps_alignment: ClassVar[bool] = False

    factor: float = parameter(unit="x", low=0.5, high=2, excluding=1)

    def output_length(self, n_samples: int, sample_rate: int) -> int:
        """round(n_samples / factor), at least one."""
        del sample_rate
        return max(1, round(n_samples / self.factor))

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Resample as if the clip had been recorded at factor times its sample rate."""
        del rng
        return at_speed(clip, self.factor, self.output_length(clip.size, sample_rate))

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The pitch moves by the factor, 1200 log2(factor) cents, and every sample is the clip at its old time."""
        return (
            Claim.about("pitch_cents", 1200 * math.log2(self.factor), 2),
            Claim("formula_error_db", high=-35),
        )

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """Change of the pitch; error against the clip read at n times the factor, in the band that both can hold.

        The band ends at 0.85 of the lower Nyquist frequency. `sampled_at` reads between the samples, which soxr does
        not know.
        """
        top = 0.85 * min(0.5, 0.5 / self.factor)  # in cycles a sample of the clip
        window = np.hanning(after.shape[1])
        places = np.arange(after.shape[1]) * self.factor
        error = np.full(len(before), np.nan)
        if after.shape[1] >= sample_rate // 10:
            for index, (old, new) in enumerate(zip(before, after, strict=True)):
                wanted = sampled_at(_below(old, top), places)
                difference = _below((new - wanted) * window, top * self.factor)
                reference = _below(wanted * window, top * self.factor)
                if reference.any():
                    energies = [float(np.sum(each.astype(np.float64) ** 2)) for each in (difference, reference)]
                    error[index] = 10 * math.log10(max(energies[0], 1e-30) / energies[1])
        return {"pitch_cents": pitch_change_cents(before, after, sample_rate), "formula_error_db": error}


def at_speed(clip: Audio, factor: float, length: int) -> Audio:
    """Play a clip `factor` times as fast with soxr.

    Args:
        clip: (samples,) float32.
        factor: Of the frequencies.
        length: Samples wanted, at most those of the clip over `factor`, rounded.

    Returns:
        (length,) float32.
    """
    return np.asarray(soxr.resample(_with_tail(clip), factor, 1.0, QUALITY)[:length], dtype=np.float32)


def sampled_at(clip: Audio, positions: NDArray[np.floating]) -> Audio:
    """Read a clip between its samples, by band-limited interpolation.

    Each value is the Taylor series around the nearest sample, whose derivatives are those of the band-limited signal:
    the spectrum times powers of i w. The error falls with the frequency: -75 dB at Nyquist, -90 dB at 0.8 of it. A clip
    that starts or ends abruptly rings there, as it does in every resampler.

    Args:
        clip: (samples,) float32.
        positions: (m,), in samples; those outside the clip are moved to its ends.

    Returns:
        (m,) float32.
    """
    positions = np.clip(positions, 0, clip.size - 1)
    nearest = np.rint(positions).astype(np.intp)
    offset = positions - nearest
    # The transform takes the clip as periodic: ramps to zero keep its ends from meeting in a step.
    padded = np.pad(clip.astype(np.float64), TAIL, mode="linear_ramp")
    size = fft.next_fast_len(padded.size, real=True)
    spectrum = fft.rfft(padded, size)
    slope = 2j * np.pi * fft.rfftfreq(size)
    terms = [spectrum]
    for order in range(1, ORDER + 1):
        terms.append(terms[-1] * slope / order)
    value = np.zeros(positions.size)
    for term in reversed(terms):
        value = value * offset + fft.irfft(term, size)[nearest + TAIL]
    return np.asarray(value, dtype=np.float32)


def pitch_change_cents(before: Audio, after: Audio, sample_rate: int) -> Floats:
    """By how much the pitch moved, in whole cents (1200 to the octave): the lag between the spectra on a log axis.

    The magnitude spectra of the clips, from 60 Hz to 0.45 of the sample rate in steps of one cent, are correlated like
    waveforms; up to an octave and a bit in both directions is looked for.

    Args:
        before: (n, samples) float32.
        after: (n, samples') float32.
        sample_rate: Samples per second, in Hz.

    Returns:
        (n,) float64; NaN where a clip is silent or shorter than 100 ms.
    """
    if min(before.shape[1], after.shape[1]) < sample_rate // 10:
        return np.full(len(before), np.nan)
    hz = 60 * 2 ** (np.arange(1200 * math.log2(0.45 * sample_rate / 60)) / 1200)
    return lag_samples(_spectra(before, hz, sample_rate), _spectra(after, hz, sample_rate), 1300)


def _spectra(batch: Audio, hz: Floats, sample_rate: int) -> Audio:
    """Magnitudes at the given frequencies, without their mean; at most two seconds from the middle are looked at."""
    length = min(batch.shape[1], 2 * sample_rate)
    start = (batch.shape[1] - length) // 2
    magnitudes = np.abs(fft.rfft(batch[:, start : start + length] * np.hanning(length), axis=1))
    bins = np.arange(magnitudes.shape[1])
    spectra = np.array([np.interp(hz * length / sample_rate, bins, clip) for clip in magnitudes]).reshape(-1, hz.size)
    return np.asarray(spectra - spectra.mean(axis=1, keepdims=True), dtype=np.float32)


def _below(clip: NDArray[np.floating], cycles: float) -> Audio:
    """What a clip holds below a frequency in cycles a sample."""
    spectrum = fft.rfft(np.asarray(clip, dtype=np.float64))
    spectrum[fft.rfftfreq(clip.size) > cycles] = 0
    return np.asarray(fft.irfft(spectrum, clip.size), dtype=np.float32)


def _energy(values: NDArray[np.inexact]) -> Floats:
    return np.asarray(np.sum(np.abs(values) ** 2, axis=1), dtype=np.float64)


def _with_tail(clip: Audio) -> Audio:
    return np.pad(clip, (0, TAIL))
