"""Disturbances: faults of a recording or a line that come and go, and mains hum."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.base import Attack, AttackError, Audio, parameter
from sealproof.attacks.contract.claims import Claim
from sealproof.attacks.noise.additive import EXACT_DB
from sealproof.attacks.verification.measure import longest_run

HARMONICS = 10
"""Partials of the hum, the mains frequency itself included."""

_TOLERANCE = 0.2
"""Of a rate: where the whole number of events in a short clip misses the rate by more, the clip does not tell it."""


@dataclass(frozen=True, kw_only=True)
class Clicks(Attack):
    """Adds clicks: single samples of random sign, a stated number a second, as high as a part of the clip's peak.

    The places are drawn without replacement; there are round(rate * duration) of them, at least one. The shortest of
    the clicks that Godsill and Rayner describe ("Digital Audio Restoration", 1998), with a white spectrum. Silence has
    no peak and stays silence.
    """

    name: ClassVar[str] = "clicks"
    family: ClassVar[str] = "noise"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"rate_hz": (2, 5, 20, 50, 200), "amplitude": (0.1, 0.25, 1)}
    is_random: ClassVar[bool] = True

    rate_hz: float = parameter(unit="hz", low=0.1, high=1000, default=20)
    amplitude: float = parameter(unit="x", low=0.01, high=10, default=0.5)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Draw places and signs."""
        count = _count(self.rate_hz, clip.size, sample_rate)
        places = rng.choice(clip.size, min(count, clip.size), replace=False, shuffle=False)
        heights = self.amplitude * float(np.abs(clip).max()) * rng.choice((-1.0, 1.0), places.size)
        clicked = clip.copy()
        clicked[places] = clip[places] + heights
        return clicked

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """`click_rate_hz`: changed samples a second; `click_height_x`: the median change, over the clip's peak."""
        added = np.abs(np.subtract(after, before, dtype=np.float64))
        peak = np.abs(before).max(axis=1).astype(np.float64)
        heights = [float(np.median(row[row > 0])) if row.any() else np.nan for row in added]
        rate = np.count_nonzero(added, axis=1) * sample_rate / before.shape[1]
        return {
            "click_rate_hz": np.where(peak > 0, _where_countable(rate, self.rate_hz, before, sample_rate), np.nan),
            "click_height_x": np.where(peak > 0, heights / np.where(peak > 0, peak, 1), np.nan),
        }

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """How many, give or take the one that rounding adds or takes, and how high."""
        del sample_rate
        return (
            Claim.about("click_rate_hz", self.rate_hz, _TOLERANCE * self.rate_hz),
            Claim.about("click_height_x", self.amplitude, 0.01 * self.amplitude),
        )


@dataclass(frozen=True, kw_only=True)
class Crackle(Attack):
    """Adds crackle, dense impulses of random height, at an exact signal-to-noise ratio in dB.

    A stated share of the samples is hit, at least one, by Gaussian heights and the others are left alone: the
    Bernoulli-Gaussian model of impulsive noise (Ghosh 1996, IEEE Trans. Communications 44), as of a worn record. At
    the same ratio it has higher peaks than white noise, by 10 log10(100 / density) dB. Silence stays silence.
    """

    name: ClassVar[str] = "crackle"
    family: ClassVar[str] = "noise"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"snr_db": (30, 20, 10, 0)}
    is_random: ClassVar[bool] = True

    snr_db: float = parameter(unit="db", low=-20, high=60)
    density_percent: float = parameter(unit="percent", low=0.1, high=50, default=2)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Draw places and heights, and scale the heights by the energy that they have."""
        del sample_rate
        count = max(1, round(clip.size * self.density_percent / 100))
        places = rng.choice(clip.size, count, replace=False, shuffle=False)
        heights = rng.standard_normal(count)
        energy = np.sum(clip.astype(np.float64) ** 2)
        heights *= np.sqrt(energy / 10 ** (self.snr_db / 10) / np.sum(heights**2))
        crackled = clip.copy()
        crackled[places] = clip[places] + heights
        return crackled

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """`hit_percent`: the share of the samples that changed."""
        del sample_rate
        hit = 100 * np.mean(before != after, axis=1)
        countable = before.any(axis=1) & _is_countable(before.shape[1] * self.density_percent / 100)
        return {"hit_percent": np.where(countable, hit, np.nan)}

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The ratio, in every clip, and the share of the samples hit."""
        del sample_rate
        return (
            Claim.about("snr_db", self.snr_db, EXACT_DB, every=True),
            Claim.about("hit_percent", self.density_percent, _TOLERANCE * self.density_percent),
        )


@dataclass(frozen=True, kw_only=True)
class Hum(Attack):
    """Adds mains hum, 50 or 60 Hz and its harmonics, at a level in dB relative to the clip.

    Ten partials, those below half the sample rate, with amplitudes 1, 1/2, 1/3, ... and random phases: the spectrum of
    a sawtooth. The level is that of their sum and exact in every clip, so that the signal-to-noise ratio is its
    negative. Silence stays silence.
    """

    name: ClassVar[str] = "hum"
    family: ClassVar[str] = "noise"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"level_db": (-40, -30, -20, -10, 0), "mains_hz": (60,)}
    is_random: ClassVar[bool] = True

    level_db: float = parameter(unit="db", low=-60, high=10, default=-20)
    mains_hz: int = parameter(unit="hz", kind=int, choices=(50, 60), default=50)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Draw the phases, and scale the hum by the energy that it has."""
        phases = rng.uniform(0, 2 * np.pi, HARMONICS)
        waves = _partials(self.mains_hz, sample_rate)
        if not len(waves):
            raise AttackError(
                f"The sample rate for {self.id} must be above {2 * self.mains_hz} Hz, twice the mains frequency. "
                f"Got {sample_rate}."
            )
        period = np.zeros(waves.shape[1])
        for wave, phase in zip(waves, np.exp(1j * phases), strict=False):
            period += (wave * phase).real
        hum = np.resize(period, clip.size)
        signal = clip.astype(np.float64)
        hum *= np.sqrt(np.sum(signal**2) * 10 ** (self.level_db / 10) / np.sum(hum**2))
        return (signal + hum).astype(np.float32)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """`hum_hz`: the strongest frequency of what was added; `hum_harmonic_percent`: its energy in the partials."""
        from scipy import fft

        n, samples = before.shape
        if samples < sample_rate / 10:  # five periods: the partials do not stand apart
            return {"hum_hz": np.full(n, np.nan), "hum_harmonic_percent": np.full(n, np.nan)}
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(samples) / samples)
        power = np.abs(fft.rfft(np.subtract(after, before, dtype=np.float64) * window)) ** 2
        total = power.sum(axis=1)
        bins = np.arange(power.shape[1])
        width = sample_rate / samples
        # A Hann window spreads a partial over two bins to either side of its place.
        distance = np.abs(bins * width / self.mains_hz - np.rint(bins * width / self.mains_hz)) * self.mains_hz / width
        near = (
            (distance <= 2.5) & (bins * width > self.mains_hz / 2) & (bins * width < (HARMONICS + 0.5) * self.mains_hz)
        )
        top = np.clip(power.argmax(axis=1), 1, power.shape[1] - 2)[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            left, centre, right = np.log(np.take_along_axis(power, top + np.array([-1, 0, 1]), axis=1)).T
            hum_hz = (top[:, 0] + 0.5 * (left - right) / (left - 2 * centre + right)) * width
            share = 100 * power[:, near].sum(axis=1) / total
        return {"hum_hz": np.where(np.isfinite(hum_hz), hum_hz, np.nan), "hum_harmonic_percent": share}

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The level, in every clip, the mains frequency, and that nothing else was added."""
        del sample_rate
        return (
            Claim.about("snr_db", -self.level_db, EXACT_DB, every=True),
            Claim.about("hum_hz", self.mains_hz, 1),
            Claim("hum_harmonic_percent", low=99),
        )


@dataclass(frozen=True, kw_only=True)
class Intervals(Attack):
    """Something happens in short intervals of one length, at random places that do not overlap.

    There are round(rate * duration of the clip) intervals, at least one. In a clip so short that they do not fit there
    are as many as do, and one that is longer than the clip takes all of it.
    """

    family: ClassVar[str] = "noise"
    is_random: ClassVar[bool] = True

    rate_hz: float = parameter(unit="hz", low=0.1, high=1000, default=5)
    duration_ms: float = parameter(unit="ms", low=0.1, high=1000, default=10)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.share_percent > 50:
            raise AttackError(
                f"The 'rate_hz' times 'duration_ms' of {self.name} must take at most 50 % of a clip. "
                f"Got {self.rate_hz:g} Hz and {self.duration_ms:g} ms, {self.share_percent:g} %."
            )

    @property
    def share_percent(self) -> float:
        """Part of a long clip that lies in the intervals."""
        return self.rate_hz * self.duration_ms / 10

    def places(self, samples: int, sample_rate: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw the intervals: (intervals, samples of each), the indices of the samples, ascending."""
        width = min(_width(self.duration_ms, sample_rate), samples)
        count = min(_count(self.rate_hz, samples, sample_rate), samples // width)
        # Draw where the intervals would start if they had no width, then make room for those before.
        starts = np.sort(rng.integers(0, samples - count * width + 1, count)) + width * np.arange(count)
        return starts[:, None] + np.arange(width)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The part of the clip, give or take the interval that rounding adds or takes, and the length of one."""
        share = _width(self.duration_ms, sample_rate) * self.rate_hz / sample_rate * 100
        return (
            Claim.about("affected_percent", share, _TOLERANCE * share),
            Claim.about("interval_ms", self.duration_ms, 0.05 * self.duration_ms + 1000 / sample_rate),
        )

    def _extent(
        self, within: NDArray[np.bool_], changed: NDArray[np.bool_], told: NDArray[np.bool_], sample_rate: int
    ) -> dict[str, NDArray[np.float64]]:
        """Measure the share of the changed samples, and the median length of the runs `within` that hold some.

        NaN for clips that are not `told`.
        """
        share = np.where(told, 100 * changed.mean(axis=1), np.nan)
        lengths = np.full(len(within), np.nan)
        for index in np.flatnonzero(told & changed.any(axis=1) & within.any(axis=1)):
            edges = np.flatnonzero(np.diff(within[index], prepend=False, append=False))
            held = np.add.reduceat(changed[index], edges[: -1 if edges[-1] == within.shape[1] else None], dtype=int)
            runs = (edges[1::2] - edges[::2])[held[::2] > 0]
            lengths[index] = np.median(runs) * 1000 / sample_rate
        return {
            "affected_percent": _where_countable(share, self.rate_hz, within, sample_rate),
            "interval_ms": _where_countable(lengths, self.rate_hz, within, sample_rate),
        }


@dataclass(frozen=True, kw_only=True)
class Dropouts(Intervals):
    """Sets short gaps of the clip to zero, a stated number a second, of a stated length in ms.

    The edges are abrupt, as when a buffer runs empty or a packet is lost and nothing conceals it. The gaps lie at
    random and do not overlap, though two may touch.
    """

    name: ClassVar[str] = "dropouts"
    silences: ClassVar[bool] = True
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"rate_hz": (1, 2, 5, 10, 20), "duration_ms": (2, 5, 20, 50)}

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Draw the gaps."""
        gapped = clip.copy()
        gapped[self.places(clip.size, sample_rate, rng)] = 0
        return gapped

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """`affected_percent` of the clip is in gaps of the length `interval_ms`; a clip full of zeros does not tell."""
        told = np.mean(before == 0, axis=1) < _TOLERANCE / 2
        changed = after != before
        count = np.count_nonzero(changed, axis=1)
        silenced = 100 * np.count_nonzero(changed & (after == 0), axis=1) / np.maximum(count, 1)
        return {
            "silenced_percent": np.where(count > 0, silenced, np.nan),
            **self._extent(after == 0, changed, told, sample_rate),
        }

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """Whatever changed is silence, and the extent."""
        return Claim("silenced_percent", low=100, every=True), *super().claims(sample_rate)

    def leaves_alone(self, before: Audio, sample_rate: int) -> NDArray[np.bool_]:
        """Clips with a silence as long as a gap."""
        return np.asarray(
            longest_run(before == 0) >= min(_width(self.duration_ms, sample_rate), before.shape[1]), dtype=np.bool_
        )


@dataclass(frozen=True, kw_only=True)
class Bursts(Intervals):
    """Adds short bursts of white Gaussian noise, a stated number a second, at a level in dB relative to the clip.

    The level is the RMS of the noise within the bursts over the RMS of the whole clip, exact in every clip. The edges
    are abrupt; the bursts lie at random and do not overlap, though two may touch. Silence stays silence.
    """

    name: ClassVar[str] = "bursts"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {
        "level_db": (-20, -10, 0, 10),
        "rate_hz": (1, 2, 10, 20),
        "duration_ms": (2, 50),
    }

    level_db: float = parameter(unit="db", low=-40, high=20, default=0)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Draw the places and the noise, and scale the noise by the energy that it has."""
        places = self.places(clip.size, sample_rate, rng).ravel()
        noise = rng.standard_normal(places.size)
        power = np.mean(clip.astype(np.float64) ** 2) * 10 ** (self.level_db / 10)
        noise *= np.sqrt(power / np.mean(noise**2))
        disturbed = clip.copy()
        disturbed[places] = clip[places] + noise
        return disturbed

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """`affected_percent` of the clip is in bursts of the length `interval_ms`; `burst_level_db` is their level."""
        affected = after != before
        power = np.mean(before.astype(np.float64) ** 2, axis=1)
        energy = np.sum(np.subtract(after, before, dtype=np.float64) ** 2, axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            level = 10 * np.log10(energy / np.count_nonzero(affected, axis=1) / power)
        return {
            "burst_level_db": np.where(np.isfinite(level), level, np.nan),
            **self._extent(affected, affected, power > 0, sample_rate),
        }

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The level, in every clip, and the extent."""
        return (Claim.about("burst_level_db", self.level_db, EXACT_DB, every=True), *super().claims(sample_rate))


def _count(rate_hz: float, samples: int, sample_rate: int) -> int:
    """Number of events in a clip: the rate times its duration, rounded, at least one."""
    return max(1, round(rate_hz * samples / sample_rate))


def _width(duration_ms: float, sample_rate: int) -> int:
    return max(1, round(duration_ms * sample_rate / 1000))


def _where_countable(
    values: NDArray[np.float64], rate_hz: float, batch: NDArray[np.generic], sample_rate: int
) -> NDArray[np.float64]:
    """The values, or NaN where the clips are too short for events at that rate to be counted."""
    return values if _is_countable(rate_hz * batch.shape[1] / sample_rate) else np.full(len(values), np.nan)


def _is_countable(due: float) -> bool:
    return abs(max(1, round(due)) - due) <= _TOLERANCE * due


@lru_cache(maxsize=8)
def _partials(mains_hz: int, sample_rate: int) -> NDArray[np.complex128]:
    """(partials, samples): the shortest stretch of each partial after which the sampled hum repeats itself."""
    period = sample_rate // math.gcd(sample_rate, mains_hz)
    orders = np.arange(1, HARMONICS + 1)
    orders = orders[orders * mains_hz < sample_rate / 2]
    # The cycles are taken modulo one in whole numbers, so that a long clip does not lose the phase.
    cycles = orders[:, None] * mains_hz * np.arange(period) % sample_rate / sample_rate
    waves: NDArray[np.complex128] = np.exp(2j * np.pi * cycles) / orders[:, None]
    waves.flags.writeable = False
    return waves
