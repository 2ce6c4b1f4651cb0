"""Stretching: what the clip says stays the same, and how fast or how high it says it does not."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import fft, ndimage

from sealproof.attacks.contract.base import Attack, Audio, Claim, parameter
from sealproof.attacks.timing.resampling import at_speed, pitch_change_cents, sampled_at
from sealproof.attacks.verification.measure import Floats, lag_samples
from sealproof.attacks.verification.profile import is_music

SEGMENT_MS = 32
"""Length of the pieces whose delay is measured one by one."""


@dataclass(frozen=True, kw_only=True)
class TimeStretch(Attack):
    """Makes the clip shorter (factor above 1) or longer without changing its pitch.

    Signalsmith Stretch, a phase-vocoder method with its full-quality preset. The output has round(samples / factor)
    samples, at least one, all of them audio: the tail is neither cut nor filled with zeros.
    """

    name: ClassVar[str] = "time_stretch"
    family: ClassVar[str] = "timing"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"factor": (1.01, 0.99, 1.05, 0.95, 1.1, 0.9, 1.25, 0.8)}
    is_ordered: ClassVar[bool] = False
    keeps_alignment: ClassVar[bool] = False

    factor: float = parameter(unit="x", low=0.5, high=2, excluding=1)

    def output_length(self, n_samples: int, sample_rate: int) -> int:
        """round(n_samples / factor), at least one."""
        del sample_rate
        return max(1, round(n_samples / self.factor))

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Stretch to the length wanted."""
        del rng
        return _stretched(clip, self.output_length(clip.size, sample_rate), sample_rate)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The pitch stays, and what happens late in the clip happens at its new time."""
        return (Claim.about("pitch_cents", 0, 3), Claim.about("late_ms", 0, 4))

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """Change of the pitch; delay of the second half against its new time."""
        return {
            "pitch_cents": pitch_change_cents(before, after, sample_rate),
            "late_ms": np.where(is_music(before, sample_rate), _late_ms(before, after, sample_rate), np.nan),
        }


@dataclass(frozen=True, kw_only=True)
class PitchShift(Attack):
    """Moves the pitch by a number of cents (1200 to the octave) without changing the tempo or the length.

    The clip is stretched in time with Signalsmith Stretch and played as much faster or slower with soxr. (Moving the
    spectrum within the stretcher is one step less, but some tones then end several cents beside their place.)
    """

    name: ClassVar[str] = "pitch_shift"
    family: ClassVar[str] = "timing"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"shift_cents": (5, -5, 25, -25, 50, -50, 100, -100, 200, -200)}
    is_ordered: ClassVar[bool] = False
    keeps_alignment: ClassVar[bool] = False

    shift_cents: float = parameter(unit="cents", low=-1200, high=1200, excluding=0)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Stretch, then resample back to the length of the clip."""
        del rng
        stretched = _stretched(clip, max(1, round(clip.size * 2 ** (self.shift_cents / 1200))), sample_rate)
        return at_speed(stretched, stretched.size / clip.size, clip.size)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The pitch moves, and everything happens at its old time."""
        return (Claim.about("pitch_cents", self.shift_cents, 3), Claim.about("late_ms", 0, 4))

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """Change of the pitch; delay of the second half."""
        return {
            "pitch_cents": pitch_change_cents(before, after, sample_rate),
            "late_ms": np.where(is_music(before, sample_rate), _late_ms(before, after, sample_rate), np.nan),
        }


@dataclass(frozen=True, kw_only=True)
class Wow(Attack):
    """Plays the clip at a speed that swings slowly around 1, as from an off-centre record.

    The speed is 1 + depth sin(2 pi rate t + phase), the depth in percent being that of the peaks; the phase is random.
    Read by band-limited interpolation; where that runs beyond the end of the clip, its last sample is held. Up to 6 Hz
    one speaks of wow, above of flutter (AES6-2008).
    """

    name: ClassVar[str] = "wow"
    family: ClassVar[str] = "timing"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"depth_percent": (0.1, 0.3, 1, 3)}
    keeps_alignment: ClassVar[bool] = False
    is_random: ClassVar[bool] = True

    rate_hz: float = parameter(unit="hz", low=0.2, high=6, default=0.5)
    depth_percent: float = parameter(unit="percent", low=0, above_low=True, high=10, default=0.3)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Read the clip at the integral of the speed."""
        turn = 2 * np.pi * self.rate_hz / sample_rate  # radians a sample
        places = np.arange(clip.size)
        phase = rng.uniform(0, 2 * np.pi)
        return sampled_at(
            clip, places + self.depth_percent / 100 / turn * (np.cos(phase) - np.cos(turn * places + phase))
        )

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The depth."""
        return (Claim.about("speed_deviation_percent", self.depth_percent, 0.15 * self.depth_percent),)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """Depth of the wave at `rate_hz` that fits the delays of pieces of the clip best."""
        if before.shape[1] / sample_rate < 0.4 / self.rate_hz:  # of less than that any wave could be the start
            return {"speed_deviation_percent": np.full(len(before), np.nan)}
        reach = round(self.depth_percent / 100 * sample_rate / (np.pi * self.rate_hz)) + 4
        turns = 2 * np.pi * self.rate_hz * _piece_times(before, sample_rate)
        waves = np.stack([np.sin(turns), np.cos(turns) - 1])  # no delay at the start
        parts = _fitted(waves, before, after, sample_rate, reach)
        # A piece shows the mean of its delays, which is a little less than the peak.
        swing = np.hypot(*parts.T) / np.sinc(self.rate_hz * SEGMENT_MS / 1000)
        return {"speed_deviation_percent": 100 * 2 * np.pi * self.rate_hz * swing / sample_rate}


@dataclass(frozen=True, kw_only=True)
class Flutter(Wow):
    """Plays the clip at a speed that trembles around 1, as from a tape on a worn capstan.

    As `wow`, with rates from 6 Hz.
    """

    name: ClassVar[str] = "flutter"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"depth_percent": (0.1, 0.3, 1)}

    rate_hz: float = parameter(unit="hz", low=6, high=20, default=6.0)
    depth_percent: float = parameter(unit="percent", low=0, above_low=True, high=10, default=0.1)


@dataclass(frozen=True, kw_only=True)
class TimeWarp(Attack):
    """Moves what happens in the clip to and fro by a smooth random amount; start, end and length stay.

    The displacement is a sum of half sine waves over the clip with Gaussian weights, up to 2 Hz, scaled so that its
    largest value is `displacement_ms`, but no more than a twentieth of the clip. Read by band-limited interpolation.
    """

    name: ClassVar[str] = "time_warp"
    family: ClassVar[str] = "timing"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"displacement_ms": (0.5, 1, 2, 5)}
    keeps_alignment: ClassVar[bool] = False
    is_random: ClassVar[bool] = True

    displacement_ms: float = parameter(unit="ms", low=0, above_low=True, high=20)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Read the clip at the displaced times."""
        places = np.arange(clip.size)
        waves = _half_waves(places / max(1, clip.size - 1), clip.size / sample_rate)
        displacement = np.sum(rng.standard_normal((len(waves), 1)) * waves, axis=0)
        largest = min(self.displacement_ms * sample_rate / 1000, clip.size / 20)
        peak = np.abs(displacement).max() or 1.0  # a single sample is not moved
        return sampled_at(clip, places + largest / peak * displacement)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The largest displacement."""
        return (Claim.about("displacement_ms", self.displacement_ms, 0.2 * self.displacement_ms),)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """Largest value of the displacement that fits the delays of pieces of the clip best."""
        if before.shape[1] < max(20 * self.displacement_ms, 4 * SEGMENT_MS) * sample_rate / 1000:
            return {"displacement_ms": np.full(len(before), np.nan)}
        reach = round(1.5 * self.displacement_ms * sample_rate / 1000) + 4
        duration_s = before.shape[1] / sample_rate
        waves = _half_waves(_piece_times(before, sample_rate) / duration_s, duration_s)
        displaced = _fitted(waves, before, after, sample_rate, reach) @ waves
        return {"displacement_ms": 1000 * np.abs(displaced).max(axis=1) / sample_rate}


def _half_waves(place: Floats, duration_s: float) -> Floats:
    """Half sine waves over a clip, (waves, m), at the given m places from 0 to 1: up to 2 Hz, at least two."""
    counts = np.arange(1, max(2, math.ceil(4 * duration_s)) + 1)
    return np.asarray(np.sin(np.pi * counts[:, None] * place))


def _stretched(clip: Audio, length: int, sample_rate: int) -> Audio:
    """The clip with another length and its old pitch, from a fresh processor: no state passes from clip to clip."""
    # Here, so that the other attacks of this file do without the library.
    from python_stretch.Signalsmith import Stretch

    stretch = Stretch()
    stretch.preset(1, sample_rate)
    # The ratio of the two whole lengths, so that the library's rounding of the length agrees with ours.
    stretch.setTimeFactor(clip.size / length)
    stretched = stretch.process(clip[None].copy())  # a copy: the binding refuses read-only arrays
    return np.asarray(stretched, dtype=np.float32).reshape(-1)


def _late_ms(before: Audio, after: Audio, sample_rate: int) -> Floats:
    """By how much the second half of the clips comes after its proportional time, in ms, from its onsets.

    The onsets are the rises and falls of the logarithm of the envelope, in steps of 1 ms and smoothed over 5 ms, of the
    differentiated clips: in bass the beats of neighbouring partials, which no stretching may move, outweigh the onsets.
    """
    frames = 1000 * after.shape[1] // sample_rate
    if min(before.shape[1], after.shape[1]) < sample_rate // 4:
        return np.full(len(before), np.nan)
    onsets = []
    for batch in (before, after):
        edges = np.linspace(0, batch.shape[1] - 1, frames + 1).astype(np.intp)[:-1]
        power = np.add.reduceat(np.diff(batch.astype(np.float64), axis=1) ** 2, edges, axis=1)
        envelope = ndimage.gaussian_filter1d(np.sqrt(power), 5, axis=1)
        floor = 0.01 * envelope.max(axis=1, keepdims=True)
        rises = np.diff(np.log(envelope + np.where(floor > 0, floor, 1)), axis=1)[:, frames // 2 :]
        onsets.append((rises - rises.mean(axis=1, keepdims=True)).astype(np.float32))
    return lag_samples(onsets[0], onsets[1], 50)


def _piece_times(batch: Audio, sample_rate: int) -> Floats:
    """Middles of the pieces of a clip, in s: (m,)."""
    length = round(SEGMENT_MS * sample_rate / 1000)
    return (np.arange(batch.shape[1] // length) + 0.5) * length / sample_rate


def _fitted(waves: Floats, before: Audio, after: Audio, sample_rate: int, reach: int) -> Floats:
    """How much of each wave is contained in the delays of the pieces of the clips, by weighted least squares.

    Args:
        waves: (w, m), at the times of the m pieces.
        before: (n, samples) float32.
        after: (n, samples) float32.
        sample_rate: Samples per second, in Hz.
        reach: Largest delay looked for, in samples.

    Returns:
        (n, w), in samples; NaN for a silent clip.
    """
    fits = np.full((len(before), len(waves)), np.nan)
    for fit, old, new in zip(fits, before, after, strict=True):
        delays, weights = _local_delays(old, new, sample_rate, reach)
        if weights.any():
            fit[:] = np.linalg.lstsq((waves * weights).T, delays * weights, rcond=None)[0]
    return fits


def _local_delays(old: Audio, new: Audio, sample_rate: int, reach: int) -> tuple[Floats, Floats]:
    """Delays of the m pieces of a clip, each that of the highest normalised cross-correlation.

    Returns:
        The delays in samples, to a fraction of one, and how far they can be trusted, from 0 to 1; both (m,).
    """
    length = round(SEGMENT_MS * sample_rate / 1000)
    starts = np.arange(old.size // length) * length
    around = np.pad(old.astype(np.float64), reach)[starts[:, None] + np.arange(length + 2 * reach)]
    pieces = new.astype(np.float64)[starts[:, None] + np.arange(length)]
    size = fft.next_fast_len(length + 2 * reach, real=True)
    # Element k pairs a piece with what stood k - reach samples later before: a delay of reach - k.
    matches = fft.irfft(fft.rfft(around, size) * fft.rfft(pieces, size).conj(), size)[:, : 2 * reach + 1]
    energy = np.pad(np.cumsum(around**2, axis=1), ((0, 0), (1, 0)))
    norm = np.sqrt((energy[:, length:] - energy[:, :-length]) * np.sum(pieces**2, axis=1, keepdims=True))
    sound = norm > 1e-4 * norm.max(initial=0)
    likeness = np.where(sound, matches / np.where(sound, norm, 1), 0)
    best = np.clip(likeness.argmax(axis=1), 1, 2 * reach - 1)
    left, top, right = (likeness[np.arange(best.size), best + step] for step in (-1, 0, 1))
    curvature = np.minimum(left - 2 * top + right, -1e-12)
    summit = np.clip(0.5 * (left - right) / curvature, -0.5, 0.5)  # of the parabola through the three
    return reach - best - summit, np.maximum(top, 0) ** 8
