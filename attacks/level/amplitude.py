"""Level: one change of amplitude for the whole clip, the same at every moment."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.base import Attack, Attacked, AttackError, Audio, Claim, parameter

EXACT_DB = 0.002
"""Within this a gain is exact; single precision costs less, and noise 30 dB below the clip more."""

LOWEST_LOUDNESS_RATE = 8000
"""In Hz: below it the bilinear transform bends the shelf of the K-weighting (1682 Hz) by more than 0.2 dB."""


@dataclass(frozen=True, kw_only=True)
class Gain(Attack):
    """Multiplies the clip by a gain stated in dB, without clipping.

    A gain of 6 dB multiplies amplitudes by 10^(6/20) = 1.995; "ten times as loud" is 20 dB. The result may exceed full
    scale. A pure gain g is proved by two numbers: the level changes by g, and the SNR is 1 / (g - 1)^2.
    """

    name: ClassVar[str] = "gain"
    family: ClassVar[str] = "level"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"gain_db": (-3, 3, -6, 6, -12, 12, -20, -40)}
    is_ordered: ClassVar[bool] = False

    gain_db: float = parameter(unit="db", low=-60, high=60, excluding=0)

    def apply_batch(self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator]) -> Attacked:
        """Scale every sample."""
        del sample_rate, rngs
        return Attacked(batch * np.float32(_amplitude(self.gain_db)))

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The stated gain and nothing else."""
        del sample_rate
        return (
            Claim.about("level_change_db", self.gain_db, EXACT_DB, every=True),
            Claim.about("snr_db", -20 * math.log10(abs(_amplitude(self.gain_db) - 1)), 10 * EXACT_DB, every=True),
        )


@dataclass(frozen=True, kw_only=True)
class PeakNormalise(Attack):
    """Scales the clip so that its largest magnitude is a given level in dB relative to full scale (dBFS).

    The peak is that of the samples (AES17 digital peak level), not the true peak between them. Silence stays silence.
    """

    name: ClassVar[str] = "peak_normalise"
    family: ClassVar[str] = "level"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"peak_dbfs": (-1, -3, -12, -20, -40)}
    is_ordered: ClassVar[bool] = False

    peak_dbfs: float = parameter(unit="dbfs", low=-60, high=0)

    def apply_batch(self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator]) -> Attacked:
        """Divide by the peak first, so that the peak of the faintest clip cannot overflow the gain."""
        del sample_rate, rngs
        return Attacked(batch / _peaks(batch) * np.float32(_amplitude(self.peak_dbfs)))

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The stated peak, in a clip of the same shape."""
        del sample_rate
        return (
            Claim.about("peak_dbfs", self.peak_dbfs, 0.01, every=True),
            Claim.about("crest_change_db", 0, 0.01, every=True),
        )

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """Peak of what came out, and how far peak and RMS moved apart."""
        del sample_rate
        return {"peak_dbfs": _peak_db(after), "crest_change_db": _crest_db(after) - _crest_db(before)}

    def leaves_alone(self, before: Audio, sample_rate: int) -> NDArray[np.bool_]:
        """Silence, and clips that have the peak already."""
        del sample_rate
        peak_db = _peak_db(before)
        return np.asarray(np.isnan(peak_db) | (np.abs(peak_db - self.peak_dbfs) < 1e-3), dtype=np.bool_)


@dataclass(frozen=True, kw_only=True)
class LoudnessNormalise(Attack):
    """Scales the clip to a given integrated loudness in LUFS, as broadcasters and streaming services do.

    Loudness is that of ITU-R BS.1770-4 (see `loudness_lufs`), of one channel. -23 LUFS is the target of EBU R 128, -14
    and -16 LUFS are those of streaming. The result may exceed full scale: no limiter follows. Silence stays silence.
    """

    name: ClassVar[str] = "loudness"
    family: ClassVar[str] = "level"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"target_lufs": (-14, -16, -23, -31)}
    is_ordered: ClassVar[bool] = False

    target_lufs: float = parameter(unit="lufs", low=-60, high=0)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Measure the clip and scale it by what is missing."""
        del rng
        loudness = loudness_lufs(clip, sample_rate)
        if not np.isfinite(loudness):
            return np.zeros_like(clip)
        return np.asarray(clip * np.float64(_amplitude(self.target_lufs - loudness)), dtype=np.float32)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The stated loudness, in most clips: one below -60 LUFS is lifted through the absolute gate."""
        del sample_rate
        return (
            Claim.about("loudness_lufs", self.target_lufs, 0.1),
            Claim.about("crest_change_db", 0, 0.01, every=True),
        )

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """Loudness of what came out, and how far peak and RMS moved apart."""
        loudness = np.array([loudness_lufs(clip, sample_rate) for clip in after], dtype=np.float64)
        return {
            "loudness_lufs": np.where(np.isfinite(loudness), loudness, np.nan),
            "crest_change_db": _crest_db(after) - _crest_db(before),
        }

    def leaves_alone(self, before: Audio, sample_rate: int) -> NDArray[np.bool_]:
        """Silence, and clips that have the loudness already."""
        loudness = np.array([loudness_lufs(clip, sample_rate) for clip in before])
        return np.asarray(~np.isfinite(loudness) | (np.abs(loudness - self.target_lufs) < 1e-3), dtype=np.bool_)


@dataclass(frozen=True, kw_only=True)
class Clipping(Attack):
    """Hard-clips the loudest given percentage of the samples, symmetrically.

    The threshold is the largest magnitude that the percentage leaves unclipped, so the strength means the same for
    quiet and loud clips. At least one sample is clipped. A clip of constant magnitude (silence, DC, a square wave) has
    nothing above its threshold and comes back as it was; of a clip with more digital silence than the percentage leaves
    unclipped, nothing is left.
    """

    name: ClassVar[str] = "clipping"
    family: ClassVar[str] = "level"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"clipped_percent": (1, 5, 10, 20, 40)}

    clipped_percent: float = parameter(unit="percent", low=0, high=100, above_low=True, below_high=True)

    def apply_batch(self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator]) -> Attacked:
        """Limit the magnitude of each clip to its threshold."""
        del sample_rate, rngs
        samples = batch.shape[1]
        clipped = min(max(1, round(samples * self.clipped_percent / 100)), samples - 1)
        keep = samples - 1 - clipped  # rank of the threshold among the sorted magnitudes
        threshold = np.partition(np.abs(batch), keep, axis=1)[:, keep, None]
        return Attacked(np.clip(batch, -threshold, threshold))

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The stated share stands at the peak; few more, for the magnitudes of a quiet clip have few values."""
        del sample_rate
        return (
            Claim("clipped_percent", low=self.clipped_percent, high=1.1 * self.clipped_percent + 1),
            Claim("level_change_db", high=0, every=True),
            Claim("unclipped_kept_percent", low=100, every=True),
        )

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """Share of the samples below the peak of what came out that are as they were; NaN where all are at the peak."""
        del sample_rate
        below = np.abs(after) < np.abs(after).max(axis=1, keepdims=True)
        kept = np.count_nonzero(below & (after == before), axis=1)
        count = np.count_nonzero(below, axis=1)
        return {"unclipped_kept_percent": np.where(count > 0, 100 * kept / np.maximum(count, 1), np.nan)}

    def leaves_alone(self, before: Audio, sample_rate: int) -> NDArray[np.bool_]:
        """Clips of which as much stands at the peak already, silence and square waves among them."""
        del sample_rate
        at_peak = np.abs(before) == np.abs(before).max(axis=1, keepdims=True)
        return np.asarray(100 * np.mean(at_peak, axis=1) > self.clipped_percent, dtype=np.bool_)


@dataclass(frozen=True, kw_only=True)
class SoftClipping(Attack):
    """Saturates the clip with a hyperbolic tangent that keeps its peak.

    y = p tanh(d x / p) / tanh(d), where p is the peak of the clip and d the drive (memoryless soft clipping: Zoelzer,
    "DAFX: Digital Audio Effects", chapter on nonlinear processing). What is faint rises by d / tanh(d), at a drive of
    10 by 20 dB; what is loud is squeezed. Because the curve scales with the peak, a drive means the same for quiet and
    loud clips.
    """

    name: ClassVar[str] = "soft_clipping"
    family: ClassVar[str] = "level"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"drive": (1, 2, 5, 10)}

    drive: float = parameter(unit="x", low=0.1, high=100)

    def apply_batch(self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator]) -> Attacked:
        """Shape every sample."""
        del sample_rate, rngs
        peaks = _peaks(batch)
        shaped = np.tanh(batch / peaks * np.float32(self.drive))
        return Attacked(shaped * np.float32(1 / math.tanh(self.drive)) * peaks)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """Both ends of the curve: the peak stays, and what is faint rises by its slope at zero."""
        del sample_rate
        return (
            Claim.about("peak_change_db", 0, 0.01, every=True),
            # At 1 % of the peak, up to which the slope is measured, the curve has left its tangent by (d / 100)^2 / 3.
            Claim.about("faint_gain_db", self._slope_db, 0.05 + 3e-4 * self.drive**2, every=True),
        )

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """Change of the peak, and of the level of the samples below 1 % of the peak."""
        del sample_rate
        faint = np.abs(before) < np.float32(0.01) * _peaks(before)
        gain = _decibels(_energies(after * faint)) - _decibels(_energies(before * faint))
        return {"peak_change_db": _peak_db(after) - _peak_db(before), "faint_gain_db": gain / 2}

    @property
    def _slope_db(self) -> float:
        return 20 * math.log10(self.drive / math.tanh(self.drive))


@dataclass(frozen=True, kw_only=True)
class Polarity(Attack):
    """Inverts the polarity: every sample changes its sign.

    Inaudible, and what a swapped cable does. The level stays, and the SNR is 1/4: -6.02 dB.
    """

    name: ClassVar[str] = "polarity"
    keeps_polarity: ClassVar[bool] = False
    family: ClassVar[str] = "level"

    def apply_batch(self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator]) -> Attacked:
        """Negate every sample."""
        del sample_rate, rngs
        return Attacked(-batch)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The same level, the other sign."""
        del sample_rate
        return (
            Claim.about("level_change_db", 0, EXACT_DB, every=True),
            Claim.about("snr_db", -20 * math.log10(2), EXACT_DB, every=True),
        )


@dataclass(frozen=True, kw_only=True)
class DCOffset(Attack):
    """Adds a constant, stated in percent of full scale, as a converter with a bias does.

    The offset is one of the converter, so it is absolute: a quiet clip suffers more. The result may exceed full scale.
    """

    name: ClassVar[str] = "dc_offset"
    family: ClassVar[str] = "level"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"offset_percent": (0.5, 1, 2, 5, 10)}

    offset_percent: float = parameter(unit="percent", low=-100, high=100, excluding=0)

    def apply_batch(self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator]) -> Attacked:
        """Shift every sample."""
        del sample_rate, rngs
        return Attacked(batch + np.float32(self.offset_percent / 100))

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The stated mean, and no change about it."""
        del sample_rate
        return (
            Claim.about("mean_change_percent", self.offset_percent, 0.01, every=True),
            Claim("change_about_mean_percent", high=0.001, every=True),
        )

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """Mean and standard deviation of the change, in percent of full scale."""
        del sample_rate
        change = after.astype(np.float64) - before
        return {"mean_change_percent": 100 * change.mean(axis=1), "change_about_mean_percent": 100 * change.std(axis=1)}


def loudness_lufs(clip: Audio, sample_rate: int) -> float:
    """Integrated loudness of one channel after ITU-R BS.1770-4, in LUFS.

    K-weighting, mean square over blocks of 400 ms that overlap by 75 %, and two gates: blocks below -70 LUFS do not
    count, nor do those more than 10 LU below the mean of the rest. The standard gives the weighting for 48 kHz only; at
    other rates the analogue filters behind its coefficients go through the bilinear transform again, which keeps the
    response within 0.06 dB at 16 kHz and 0.21 dB at 8 kHz.

    The standard knows no clip without a block above its gate. One shorter than a block, or below -70 LUFS throughout,
    is measured as a single block without gates.

    Args:
        clip: (samples,) float32.
        sample_rate: In Hz, at least `LOWEST_LOUDNESS_RATE`.

    Returns:
        The loudness; -inf for silence.

    Raises:
        AttackError: If the sample rate is too low.
    """
    from scipy import signal

    if sample_rate < LOWEST_LOUDNESS_RATE:
        raise AttackError(
            f"The sample rate for loudness must be at least {LOWEST_LOUDNESS_RATE} Hz; resample the corpus. "
            f"Got {sample_rate}."
        )
    weighted = signal.sosfilt(_k_weighting(sample_rate), clip.astype(np.float64))
    hop = round(0.1 * sample_rate)
    steps = weighted[: weighted.size // hop * hop].reshape(-1, hop)
    energies = np.einsum("ij,ij->i", steps, steps)
    blocks = np.convolve(energies, np.ones(4), "valid") / (4 * hop) if energies.size >= 4 else np.zeros(0)
    loud = blocks[blocks > _power(-70)]
    if not loud.size:
        loud = np.array([np.dot(weighted, weighted) / weighted.size])
    mean = loud[loud > 0.1 * loud.mean()].mean() if loud.any() else 0.0
    return 10 * math.log10(mean) - 0.691 if mean > 0 else -math.inf


def _power(lufs: float) -> float:
    """Mean square of a K-weighted channel that has a loudness; the -0.691 dB make 997 Hz come out unweighted."""
    return float(10 ** ((lufs + 0.691) / 10))


@lru_cache(maxsize=8)
def _k_weighting(sample_rate: int) -> NDArray[np.float64]:
    """Second-order sections (2, 6): the shelf that stands for the head, then the high-pass "RLB".

    The corner frequencies, the quality factors and the gain are those whose bilinear transform at 48 kHz gives the
    coefficients in Tables 1 and 2 of BS.1770-4.
    """
    quality, high = 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    band = high**0.4996667741545416
    corner, poles, scale = _poles(1681.974450955533, quality, sample_rate)
    shelf = [
        (high + band * corner / quality + corner**2) / scale,
        2 * (corner**2 - high) / scale,
        (high - band * corner / quality + corner**2) / scale,
        *poles,
    ]
    _, poles, scale = _poles(38.13547087602444, 0.5003270373238773, sample_rate)
    # The table has the numerator 1, -2, 1, not divided by the scale: the gain that this leaves at 48 kHz is kept.
    gain = _poles(38.13547087602444, 0.5003270373238773, 48_000)[2] / scale
    return np.array([shelf, [gain, -2 * gain, gain, *poles]])


def _poles(corner_hz: float, quality: float, sample_rate: int) -> tuple[float, tuple[float, float, float], float]:
    """Warped corner frequency, denominator and its scale, of a second-order section from the bilinear transform."""
    corner = math.tan(math.pi * corner_hz / sample_rate)
    scale = 1 + corner / quality + corner**2
    return corner, (1.0, 2 * (corner**2 - 1) / scale, (1 - corner / quality + corner**2) / scale), scale


def _amplitude(decibels: float) -> float:
    return float(10 ** (decibels / 20))


def _peaks(batch: Audio) -> Audio:
    """(n, 1): the largest magnitude of each clip; one for silence, so that it can be divided by."""
    peaks = np.abs(batch).max(axis=1, keepdims=True)
    return np.where(peaks == 0, np.float32(1), peaks)


def _peak_db(batch: Audio) -> NDArray[np.float64]:
    return _decibels(np.abs(batch).max(axis=1).astype(np.float64))


def _crest_db(batch: Audio) -> NDArray[np.float64]:
    """Peak over RMS."""
    return _peak_db(batch) - _decibels(_energies(batch) / batch.shape[1]) / 2


def _energies(batch: Audio) -> NDArray[np.float64]:
    return np.asarray(np.sum(batch.astype(np.float64) ** 2, axis=1))


def _decibels(amplitudes: NDArray[np.float64]) -> NDArray[np.float64]:
    """20 log10; NaN for zero."""
    return 20 * np.log10(np.where(amplitudes > 0, amplitudes, np.nan))
