"""Dynamics processors: a gain that follows the level of the clip.

Compressor and limiter set their threshold in dB below the clip's own peak, as if the clip had been normalised to full
scale first; expander and noise gate set it by the share of the clip that falls below. So a strength means the same for
quiet and loud clips and acts on every one: a threshold in dBFS would leave a quiet clip untouched by the former, a
dense one by the latter.

All use one detector, the "decoupled peak detector" (Giannoulis, Massberg and Reiss, "Digital Dynamic Range Compressor
Design", J. Audio Eng. Soc. 60(6), 2012): the peak level is held and falls by 20 log10(e) = 8.7 dB per release time, a
running maximum; then the gain reduction is smoothed in dB by a first-order low-pass, to 63 % within the attack time.
Both are array operations, without a loop over samples. They run clip by clip: one clip fits the cache, a batch does
not. What came before the clip is taken to be its mirror image, so that the detector is settled where the clip starts,
and a clip cut out of a song is not let through at full level until the attack is over. There is no look-ahead, no
make-up gain and no knee.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.base import Attack, Audio, Claim, parameter
from sealproof.attacks.verification.profile import is_music

SILENCE_DB = -200.0
"""Level relative to the clip's peak that stands for digital silence."""

RANGE_DB = 60.0
"""The most that the expander takes away, in dB."""

FRAME_MS = 5
"""Length of the frames in which a gain is measured, in ms."""

LONG_FRAME_MS = 20
"""Length of the frames in which levels before and after are compared, in ms."""

NEPER_DB = 20 * math.log10(math.e)
"""8.7 dB: by so much an exponential falls within its time constant."""


@dataclass(frozen=True, kw_only=True)
class Compressor(Attack):
    """Compresses the dynamics: the level above a threshold is divided by a ratio.

    A level L above the threshold T leaves as T + (L - T) / ratio, in dB; T is relative to the clip's peak. For the
    detector, attack and release see the module.
    """

    name: ClassVar[str] = "compressor"
    family: ClassVar[str] = "dynamics"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {
        "threshold_db": (-6, -12, -24, -36),
        "ratio": (1.5, 2, 8, 20),
        "attack_ms": (20, 1),
    }

    threshold_db: float = parameter(unit="db", low=-80, high=0, below_high=True, default=-24)
    ratio: float = parameter(unit="x", low=1, high=100, above_low=True, default=4)
    attack_ms: float = parameter(unit="ms", low=0.1, high=1000, default=5)
    release_ms: float = parameter(unit="ms", low=1, high=5000, default=100)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Take (1 - 1 / ratio) of the excess away, smoothed."""
        del rng
        excess = np.maximum(_held_level_db(clip, self.release_ms, sample_rate) - self.threshold_db, 0)
        return _attenuated(clip, (1 - 1 / self.ratio) * _smoothed(excess, self.attack_ms, sample_rate))

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """Nothing is amplified, no cut is deeper than that of a steady peak, and level differences shrink.

        An attack that is slow beside the release, or a threshold near the peak, promises no more than the bounds.
        """
        del sample_rate
        share = 1 - 1 / self.ratio
        most = share * self.threshold_db
        if 4 * self.attack_ms > self.release_ms or self.threshold_db > -6:
            return (Claim("lowest_gain_db", most - 0.01, 0.01), Claim("highest_gain_db", high=0.01, every=True))
        return (
            Claim("lowest_gain_db", most - 0.01, 0.5 * most),
            Claim("highest_gain_db", high=0.01, every=True),
            Claim("level_slope", high=1 - 0.1 * share),
        )

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """Range of the gain, and level after over level before."""
        return gain_range_db(before, after, sample_rate) | {"level_slope": _level_slope(before, after, sample_rate)}


@dataclass(frozen=True, kw_only=True)
class Expander(Attack):
    """Expands the dynamics downwards: makes the quietest given percentage of the clip quieter by a ratio.

    A level L below the threshold T leaves as T + ratio (L - T), in dB, but at most 60 dB lower. T is a percentile of
    the clip's held level. For detector, attack and release see the module; the attack smooths both edges of the gain.
    """

    name: ClassVar[str] = "expander"
    silences: ClassVar[bool] = True
    family: ClassVar[str] = "dynamics"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"expanded_percent": (25, 50, 75, 95), "ratio": (2, 5, 10)}

    expanded_percent: float = parameter(unit="percent", low=0, high=100, above_low=True, below_high=True, default=50)
    ratio: float = parameter(unit="x", low=1, high=100, above_low=True, default=3)
    attack_ms: float = parameter(unit="ms", low=0.1, high=1000, default=5)
    release_ms: float = parameter(unit="ms", low=1, high=5000, default=50)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Take (ratio - 1) times the lack away, smoothed."""
        del rng
        level = _held_level_db(clip, self.release_ms, sample_rate)
        lack = np.maximum(_percentile(level[-clip.size :], self.expanded_percent) - level, 0)
        cut = np.minimum((self.ratio - 1) * lack, RANGE_DB)
        return _attenuated(clip, _smoothed(cut, self.attack_ms, sample_rate))

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """Nothing is amplified or cut beyond the range, and level differences grow, by what depends on the clip."""
        del sample_rate
        return (
            Claim("lowest_gain_db", -RANGE_DB - 0.01, -0.1 * min(self.ratio - 1, 1)),
            Claim("highest_gain_db", high=0.01, every=True),
            Claim("level_slope", low=1.001),
        )

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """Range of the gain, and level after over level before."""
        return gain_range_db(before, after, sample_rate) | {"level_slope": _level_slope(before, after, sample_rate)}

    def leaves_alone(self, before: Audio, sample_rate: int) -> NDArray[np.bool_]:
        """Clips of one magnitude, and those of which as much is silent already."""
        return super().leaves_alone(before, sample_rate) | _is_silent(before, self.expanded_percent)


@dataclass(frozen=True, kw_only=True)
class Limiter(Attack):
    """Limits the peaks: no sample leaves above a threshold, stated in dB below the clip's peak.

    A brick wall without look-ahead: the gain falls at once to threshold / level, and recovers with the release.
    """

    name: ClassVar[str] = "limiter"
    family: ClassVar[str] = "dynamics"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"threshold_db": (-3, -6, -12, -20)}

    threshold_db: float = parameter(unit="db", low=-80, high=0, below_high=True)
    release_ms: float = parameter(unit="ms", low=1, high=5000, default=50)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Take the whole excess away, at once."""
        del rng
        excess = np.maximum(_held_level_db(clip, self.release_ms, sample_rate) - self.threshold_db, 0)
        return _attenuated(clip, excess)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The peak stands at the threshold; nothing is amplified; the level falls by less than the peak."""
        del sample_rate
        return (
            Claim.about("peak_change_db", self.threshold_db, 0.01, every=True),
            Claim("highest_gain_db", high=0.01, every=True),
            Claim("crest_change_db", high=max(-1, 0.5 * self.threshold_db)),
        )

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """Range of the gain, change of the peak, and of peak over RMS."""
        peaks, energies = (
            [measured(batch) for batch in (before, after)]
            for measured in (lambda batch: np.abs(batch).max(axis=1).astype(np.float64), _energies)
        )
        silent = peaks[0] == 0
        peak_db = 20 * np.log10(np.where(silent, np.nan, peaks[1]) / np.where(silent, 1, peaks[0]))
        level_db = 10 * np.log10(np.where(silent, 1, energies[1]) / np.where(silent, 1, energies[0]))
        return gain_range_db(before, after, sample_rate) | {
            "peak_change_db": peak_db,
            # A tone has no level between its peaks that could be spared.
            "crest_change_db": np.where(is_music(before, sample_rate), peak_db - level_db, np.nan),
        }


@dataclass(frozen=True, kw_only=True)
class NoiseGate(Attack):
    """Silences the quietest given percentage of the clip.

    The gate is closed where the held level lies below its own percentile, and open elsewhere; its gain between 0 and 1
    is smoothed by a first-order low-pass, against clicks. Digital silence counts: it is the quietest part.
    """

    name: ClassVar[str] = "noise_gate"
    silences: ClassVar[bool] = True
    family: ClassVar[str] = "dynamics"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"gated_percent": (5, 10, 25, 50, 75)}

    gated_percent: float = parameter(unit="percent", low=0, high=100, above_low=True, below_high=True)
    smoothing_ms: float = parameter(unit="ms", low=0.1, high=100, default=1)
    release_ms: float = parameter(unit="ms", low=1, high=5000, default=50)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Find the threshold of the clip and close below it."""
        del rng
        level = _held_level_db(clip, self.release_ms, sample_rate)
        closed = level < _percentile(level[-clip.size :], self.gated_percent)
        gain = 1 - _smoothed(closed.astype(np.float64), self.smoothing_ms, sample_rate)[-clip.size :]
        return clip * gain.astype(np.float32)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The stated share is muted; the rest is not amplified, and is open somewhere."""
        del sample_rate
        return (
            Claim.about("muted_percent", self.gated_percent, 0.5 + 0.03 * self.gated_percent),
            Claim("highest_gain_db", -0.5, 0.01),
        )

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """Range of the gain, and share of the clip that it mutes."""
        # Of a tone, or of silence, all is as loud: there is no quietest part.
        told = is_music(before, sample_rate)
        return gain_range_db(before, after, sample_rate) | {
            "muted_percent": np.where(told, muted_percent(before, after), np.nan)
        }

    def leaves_alone(self, before: Audio, sample_rate: int) -> NDArray[np.bool_]:
        """Clips of one magnitude, and those of which as much is silent already."""
        return super().leaves_alone(before, sample_rate) | _is_silent(before, self.gated_percent)


def _is_silent(before: Audio, percent: float) -> NDArray[np.bool_]:
    """Say of which clips at least so much is digital silence, (n,)."""
    return np.asarray(100 * np.mean(before == 0, axis=1) >= percent, dtype=np.bool_)


def _held_level_db(clip: Audio, release_ms: float, sample_rate: int) -> NDArray[np.float64]:
    """Level of every sample relative to the clip's peak, held: it rises at once and falls with the release.

    max over k <= n of (level[k] - slope (n - k)): a running maximum over levels that are tilted by the slope. The first
    samples belong to the mirror image of the beginning, as long as the release; the last `clip.size` are the clip's.
    """
    magnitude = np.abs(clip).astype(np.float64)
    peak = magnitude.max()
    level = 20 * np.log10(np.maximum(magnitude / (peak if peak > 0 else 1), 10 ** (SILENCE_DB / 20)))
    lead = min(round(release_ms * sample_rate / 1000), clip.size - 1)
    level = np.concatenate([level[lead:0:-1], level])
    fall = np.arange(level.size) * (NEPER_DB * 1000 / (release_ms * sample_rate))
    return np.asarray(np.maximum.accumulate(level + fall) - fall)


def _smoothed(track: NDArray[np.float64], time_ms: float, sample_rate: int) -> NDArray[np.float64]:
    """First-order low-pass that has covered 63 % of a step after `time_ms`; it starts settled."""
    from scipy import signal

    kept = math.exp(-1000 / (time_ms * sample_rate))
    filtered, _ = signal.lfilter([1 - kept], [1, -kept], track, zi=kept * track[:1])
    return np.asarray(filtered)


def _percentile(level: NDArray[np.float64], percent: float) -> np.float64:
    """The smallest level with at least the percentage of the samples below it; of several equal levels, fewer are."""
    rank = min(max(1, round(level.size * percent / 100)), level.size - 1)
    return np.float64(np.partition(level, rank)[rank])


def _attenuated(clip: Audio, cut_db: NDArray[np.float64]) -> Audio:
    """The clip, less the last `clip.size` of the cuts."""
    return clip * np.exp(cut_db[-clip.size :] / -NEPER_DB).astype(np.float32)


def frame_gains_db(before: Audio, after: Audio, sample_rate: int) -> NDArray[np.float64]:
    """Gain in frames of `FRAME_MS`: (n, frames), at least -120 dB; NaN where the clip before is silent.

    Args:
        before: (n, samples).
        after: (n, samples).
        sample_rate: In Hz.
    """
    came, left = (_frame_energies(batch, FRAME_MS, sample_rate) for batch in (before, after))
    return 10 * np.log10(np.maximum(left / np.where(came > 0, came, np.nan), 1e-12))


def gain_range_db(before: Audio, after: Audio, sample_rate: int) -> dict[str, NDArray[np.float64]]:
    """Lowest and highest gain of any frame, in dB; NaN for silence."""
    gains = frame_gains_db(before, after, sample_rate)
    lowest, highest = np.fmin.reduce(gains, axis=1), np.fmax.reduce(gains, axis=1)
    return {"lowest_gain_db": lowest, "highest_gain_db": highest}


def muted_percent(before: Audio, after: Audio) -> NDArray[np.float64]:
    """Share of the samples that lost more than half of their magnitude, in percent; NaN for silence.

    Of a gain that runs between 0 and 1 this is the share of the time for which it is below one half. Samples that were
    zero do not count.
    """
    heard = np.count_nonzero(before, axis=1)
    muted = np.count_nonzero(np.abs(after) < np.float32(0.5) * np.abs(before), axis=1)
    return np.where(heard > 0, 100 * muted / np.maximum(heard, 1), np.nan)


def _level_slope(before: Audio, after: Audio, sample_rate: int) -> NDArray[np.float64]:
    """Slope of the levels after over the levels before, of the frames within 40 dB of the loudest.

    1 for a constant gain, less for a compressor, more for an expander; NaN where the levels spread by less than 1 dB.
    """
    came, left = (_frame_energies(batch, LONG_FRAME_MS, sample_rate) for batch in (before, after))
    heard = (came > 1e-4 * came.max(axis=1, keepdims=True)) & (left > 0)
    count = np.maximum(heard.sum(axis=1, keepdims=True), 1)
    x, y = (10 * np.log10(np.where(heard, energies, 1)) for energies in (came, left))
    x, y = ((levels - levels.sum(axis=1, keepdims=True) / count) * heard for levels in (x, y))
    spread, joint = (x * x).sum(axis=1), (x * y).sum(axis=1)
    return np.where(spread > count[:, 0], joint / np.where(spread > 0, spread, 1), np.nan)


def _frame_energies(batch: Audio, frame_ms: float, sample_rate: int) -> NDArray[np.float64]:
    """(n, frames), of whole frames; of a clip shorter than a frame, of one frame as long as the clip."""
    size = min(max(1, round(sample_rate * frame_ms / 1000)), batch.shape[1])
    frames = batch[:, : batch.shape[1] // size * size].reshape(len(batch), -1, size)
    return np.asarray(np.einsum("nfs,nfs->nf", frames, frames, dtype=np.float64))


def _energies(batch: Audio) -> NDArray[np.float64]:
    return np.asarray(np.einsum("ns,ns->n", batch, batch, dtype=np.float64))
