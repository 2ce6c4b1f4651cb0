"""Modulated level: a gain that follows the clock and not the signal, from tremolo to samples that are lost."""

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.base import (
    UNMARKED_FROM,
    UNMARKED_TO,
    Attack,
    Attacked,
    AttackError,
    Audio,
    Claim,
    parameter,
)
from sealproof.attacks.level.dynamics import FRAME_MS, NEPER_DB, frame_gains_db, muted_percent
from sealproof.attacks.verification.measure import longest_run


@dataclass(frozen=True, kw_only=True)
class Tremolo(Attack):
    """Modulates the level periodically, between full gain and a gain lower by the depth.

    y = x (1 - depth (1 - cos(2 pi rate t)) / 2) (amplitude modulation: Zoelzer, "DAFX: Digital Audio Effects"); it
    begins at full gain. Tremolo proper has 3 to 10 Hz.
    """

    name: ClassVar[str] = "tremolo"
    family: ClassVar[str] = "dynamics"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"depth_percent": (10, 30, 60, 90), "rate_hz": (2, 8, 16)}
    is_ordered: ClassVar[bool] = False

    rate_hz: float = parameter(unit="hz", low=0.1, high=40, default=4)
    depth_percent: float = parameter(unit="percent", low=0, high=100, above_low=True, default=50)

    def apply_batch(self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator]) -> Attacked:
        """Multiply all clips by the same gain."""
        del rngs
        swing = 0.5 - 0.5 * _cosine(batch.shape[1], self.rate_hz, sample_rate)
        return Attacked(batch * (1 - self.depth_percent / 100 * swing).astype(np.float32))

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The stated depth and rate, where a clip holds two periods."""
        del sample_rate
        return (
            Claim.about("modulation_depth_percent", self.depth_percent, 1 + 0.03 * self.depth_percent),
            Claim.about("modulation_hz", self.rate_hz, 0.1 + 0.1 * self.rate_hz),
        )

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """Depth and rate of the gain, measured in frames; NaN for less than two periods."""
        gains = 10 ** (frame_gains_db(before, after, sample_rate) / 20)
        if gains.shape[1] * FRAME_MS / 1000 * self.rate_hz < 2:
            unknown = np.full(len(before), np.nan)
            return {"modulation_depth_percent": unknown, "modulation_hz": unknown}
        lowest, highest = np.fmin.reduce(gains, axis=1), np.fmax.reduce(gains, axis=1)
        mean = np.nansum(gains, axis=1, keepdims=True) / np.maximum(1, (~np.isnan(gains)).sum(axis=1, keepdims=True))
        return {
            "modulation_depth_percent": 100 * (1 - lowest / highest),
            "modulation_hz": _strongest_hz(np.where(np.isnan(gains), 0, gains - mean), 1000 / FRAME_MS),
        }


@dataclass(frozen=True, kw_only=True)
class RingModulation(Attack):
    """Multiplies the clip by a cosine carrier, which moves every partial up and down by the carrier frequency.

    y = x cos(2 pi f t): a partial at p becomes two, at p - f and p + f, each half as strong, and none is left at p
    (Zoelzer, "DAFX: Digital Audio Effects"). The level falls by 3 dB. As the waveforms before and after have nothing in
    common, alignment cannot be measured. The carrier must lie below half the sample rate.
    """

    name: ClassVar[str] = "ring_modulation"
    family: ClassVar[str] = "dynamics"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"carrier_hz": (10, 30, 100, 440, 1000, 2000)}
    is_ordered: ClassVar[bool] = False
    keeps_alignment: ClassVar[bool] = False

    carrier_hz: float = parameter(unit="hz", low=1, high=96_000)

    def apply_batch(self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator]) -> Attacked:
        """Multiply all clips by the same carrier."""
        del rngs
        if self.carrier_hz >= sample_rate / 2:
            raise AttackError(
                f"The 'carrier_hz' of ring_modulation must be below {sample_rate / 2:g} Hz, half the sample rate. "
                f"Got {self.carrier_hz:g}."
            )
        return Attacked(batch * _cosine(batch.shape[1], self.carrier_hz, sample_rate).astype(np.float32))

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The stated carrier, and half the power."""
        del sample_rate
        return (
            Claim.about("carrier_hz", self.carrier_hz, 1 + 0.001 * self.carrier_hz),
            Claim.about("level_change_db", 10 * math.log10(0.5), 1),
            Claim("product_error_db", high=-80, every=True),
            Claim("own_clip"),  # every partial is at another place
        )

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """Strongest partial of before times after: x^2 is never negative, so x^2 cos has one at the carrier.

        `product_error_db`: energy of what is not clip times carrier, over that of the clip.
        """
        cycles = np.arange(before.shape[1]) * (self.carrier_hz / sample_rate) % 1
        clip = before.astype(np.float64)
        error = np.sum((after - clip * np.cos(2 * np.pi * cycles)) ** 2, axis=1)
        energy = np.sum(clip**2, axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            error_db = np.where(energy > 0, 10 * np.log10(np.maximum(error, 1e-30) / energy), np.nan)
        return {"carrier_hz": _strongest_hz(before * after, sample_rate), "product_error_db": error_db}


@dataclass(frozen=True, kw_only=True)
class LevelRamp(Attack):
    """Changes the level steadily over the clip, by a number of dB from the first sample to the last.

    The gain is linear in dB and starts at 0 dB; a negative change fades down, a positive one fades up.
    """

    name: ClassVar[str] = "level_ramp"
    family: ClassVar[str] = "dynamics"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"change_db": (-6, 6, -12, 12, -24)}
    is_ordered: ClassVar[bool] = False

    change_db: float = parameter(unit="db", low=-120, high=60, excluding=0)

    def apply_batch(self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator]) -> Attacked:
        """Multiply all clips by the same gain."""
        del sample_rate, rngs
        gain = np.exp(np.linspace(0, self.change_db / NEPER_DB, batch.shape[1]))
        return Attacked(batch * gain.astype(np.float32))

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The stated change, from one end of the clip to the other."""
        del sample_rate
        return (
            Claim.about("start_gain_db", 0, 0.1 + 0.02 * abs(self.change_db)),
            Claim.about("ramp_db", self.change_db, 0.1 + 0.02 * abs(self.change_db)),
        )

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """Straight line through the gains of the first and the last frame that is not silent."""
        gains = frame_gains_db(before, after, sample_rate)
        heard = ~np.isnan(gains)
        rows, n_frames = np.arange(len(gains)), gains.shape[1]
        first, last = heard.argmax(axis=1), n_frames - 1 - heard[:, ::-1].argmax(axis=1)
        start, end = gains[rows, first], gains[rows, last]
        slope = np.where(last > first, (end - start) / np.maximum(last - first, 1), np.nan)
        return {"start_gain_db": start - slope * (first + 0.5), "ramp_db": slope * n_frames}


@dataclass(frozen=True, kw_only=True)
class Fade(Attack):
    """Fades the clip in and out, each over a percentage of its length.

    Raised-cosine (Hann) ramps from silence to full gain and back; at 50 percent they meet.
    """

    name: ClassVar[str] = "fade"
    family: ClassVar[str] = "dynamics"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"fade_percent": (1, 5, 10, 25, 50)}

    fade_percent: float = parameter(unit="percent", low=0, high=50, above_low=True)

    def apply_batch(self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator]) -> Attacked:
        """Multiply all clips by the same gain."""
        del sample_rate, rngs
        samples = batch.shape[1]
        length = max(1, round(samples * self.fade_percent / 100))
        ramp = 0.5 - 0.5 * np.cos(np.pi / length * (np.arange(length) + 0.5))
        gain = np.ones(samples)
        gain[:length] = ramp
        gain[-length:] = np.minimum(gain[-length:], ramp[::-1])  # in the middle of an odd length both ramps may meet
        return Attacked(batch * gain.astype(np.float32))

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """A raised cosine is below one half for half its length, and there are two of them."""
        del sample_rate
        tolerance = 0.2 + 0.1 * self.fade_percent
        return (
            Claim.about("muted_percent", self.fade_percent, tolerance),
            Claim.about("muted_start_percent", self.fade_percent / 2, tolerance),
            Claim("level_change_db", high=0, every=True),
        )

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """Share of the samples with a gain below one half, in the whole clip and in its first half."""
        del sample_rate
        half = max(1, before.shape[1] // 2)
        return {
            "muted_percent": muted_percent(before, after),
            "muted_start_percent": muted_percent(before[:, :half], after[:, :half]) / 2,
        }

    def leaves_alone(self, before: Audio, sample_rate: int) -> NDArray[np.bool_]:
        """Clips that are silent wherever the gain is below one."""
        del sample_rate
        length = max(1, round(before.shape[1] * self.fade_percent / 100))
        return np.asarray(~(before[:, :length].any(axis=1) | before[:, -length:].any(axis=1)), dtype=np.bool_)


@dataclass(frozen=True, kw_only=True)
class Suppression(Attack):
    """Sets a percentage of the samples to zero, at least one, and leaves the others as they are."""

    family: ClassVar[str] = "dynamics"
    silences: ClassVar[bool] = True

    suppressed_percent: float = parameter(unit="percent", low=0, high=100, above_low=True, below_high=True)

    @abstractmethod
    def place(self, samples: int, count: int, rng: np.random.Generator) -> slice | NDArray[np.int64]:
        """Which `count` of the samples of a clip to set to zero."""

    def apply_batch(self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator]) -> Attacked:
        """Set samples of a copy to zero."""
        del sample_rate
        samples = batch.shape[1]
        count = max(1, round(samples * self.suppressed_percent / 100))
        kept = batch.copy()
        places = [self.place(samples, count, rng) for rng in rngs]
        for clip, place in zip(kept, places, strict=True):
            clip[place] = 0
        return Attacked(kept, _stretches(places))

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The stated share is zero, and nothing else was altered."""
        del sample_rate
        return (
            Claim.about("zeroed_percent", self.suppressed_percent, self._tolerance),
            Claim.about("altered_percent", self.suppressed_percent, self._tolerance),
        )

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """Shares of the samples that were not zero before; where the zeros start, and how far they reach."""
        del sample_rate
        samples = before.shape[1]
        zeroed = (before != 0) & (after == 0)
        has_zeros = zeroed.any(axis=1)
        heard = np.maximum(np.count_nonzero(before, axis=1), 1)
        first, last = zeroed.argmax(axis=1), samples - 1 - zeroed[:, ::-1].argmax(axis=1)
        altered = np.count_nonzero(before != after, axis=1)
        percents = {
            "zeroed_percent": np.count_nonzero(zeroed, axis=1) / heard,
            "altered_percent": altered / heard,
            "zeros_start_percent": np.where(has_zeros, first / samples, np.nan),
            "zeros_span_percent": np.where(has_zeros, (last - first + 1) / samples, np.nan),
        }
        told = np.mean(before == 0, axis=1) < 0.1  # silence that was there hides what was added
        return {name: np.where(told, 100 * share, np.nan) for name, share in percents.items()}

    @property
    def _tolerance(self) -> float:
        """In percent: samples that were zero before cannot be told from those set to zero."""
        return 0.05 + 0.05 * self.suppressed_percent


@dataclass(frozen=True, kw_only=True)
class Suppress(Suppression):
    """Sets a contiguous part of the clip to zero, at a random place.

    Every place within the clip is equally likely. Also called time masking (SpecAugment) or sample suppression.
    """

    name: ClassVar[str] = "suppress"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"suppressed_percent": (2, 5, 10, 25, 50)}
    is_random: ClassVar[bool] = True

    def place(self, samples: int, count: int, rng: np.random.Generator) -> slice:
        """A part that lies within the clip."""
        start = int(rng.integers(samples - count + 1))
        return slice(start, start + count)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The zeros are one part."""
        share = Claim.about("zeros_span_percent", self.suppressed_percent, self._tolerance)
        return (*super().claims(sample_rate), share)

    def leaves_alone(self, before: Audio, sample_rate: int) -> NDArray[np.bool_]:
        """Clips with as long a silence in them."""
        del sample_rate
        count = max(1, round(before.shape[1] * self.suppressed_percent / 100))
        return np.asarray(longest_run(before == 0) >= count, dtype=np.bool_)


@dataclass(frozen=True, kw_only=True)
class LeadingSilence(Suppression):
    """Sets the beginning of the clip to zero: the first percentage of its samples.

    AudioSeal's augmentation "shush" (San Roman et al., "Proactive Detection of Voice Cloning with Localized
    Watermarking", 2024), there with 0.1 percent.
    """

    name: ClassVar[str] = "leading_silence"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"suppressed_percent": (0.1, 1, 5, 10, 25, 50)}

    def place(self, samples: int, count: int, rng: np.random.Generator) -> slice:
        """The first samples."""
        del samples, rng
        return slice(0, count)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The zeros are one part, at the beginning."""
        return (
            *super().claims(sample_rate),
            Claim.about("zeros_span_percent", self.suppressed_percent, self._tolerance),
            Claim("zeros_start_percent", high=self._tolerance),
        )

    def leaves_alone(self, before: Audio, sample_rate: int) -> NDArray[np.bool_]:
        """Clips that begin with as long a silence."""
        del sample_rate
        count = max(1, round(before.shape[1] * self.suppressed_percent / 100))
        return np.asarray(~before[:, :count].any(axis=1), dtype=np.bool_)


@dataclass(frozen=True, kw_only=True)
class ScatteredSuppress(Suppression):
    """Sets single samples to zero, at random places throughout the clip.

    Samples are drawn without replacement, each as likely as any other: lost samples of an unreliable link.
    """

    name: ClassVar[str] = "scattered_suppress"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"suppressed_percent": (0.1, 1, 5, 10, 25)}
    is_random: ClassVar[bool] = True

    def place(self, samples: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Distinct indices."""
        return np.asarray(rng.choice(samples, count, replace=False, shuffle=False))

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The zeros reach over most of the clip, where there are more than a few."""
        spread = (Claim("zeros_span_percent", low=50),) if self.suppressed_percent >= 0.1 else ()
        return (*super().claims(sample_rate), *spread)

    def leaves_alone(self, before: Audio, sample_rate: int) -> NDArray[np.bool_]:
        """Clips that are mostly silent."""
        del sample_rate
        return np.asarray(np.mean(before == 0, axis=1) > 0.5, dtype=np.bool_)


def _stretches(places: Sequence[slice | NDArray[np.int64]]) -> Mapping[str, NDArray[np.float64]]:
    """Facts of places, one a clip, in which no mark is left; none where they are not one stretch."""
    stretches = [(place.start, place.stop) for place in places if isinstance(place, slice)]
    if len(stretches) < len(places):
        return {}
    first, behind = np.array(stretches, dtype=np.float64).reshape(-1, 2).T
    return {UNMARKED_FROM: first, UNMARKED_TO: behind}


def _cosine(samples: int, frequency_hz: float, sample_rate: int) -> NDArray[np.float64]:
    """A cosine of the given frequency.

    By cos(a + b) = Re(e^ia e^ib), from two short tables of phases, which is four times as fast as a cosine a sample.
    """
    step = 2 * np.pi * frequency_hz / sample_rate
    size = math.isqrt(samples - 1) + 1
    fine = np.exp(1j * step * np.arange(size))
    coarse = np.exp(1j * step * size * np.arange(size))
    return np.asarray(np.multiply.outer(coarse, fine).real.reshape(-1)[:samples], dtype=np.float64)


def _strongest_hz(tracks: NDArray[np.floating], rate: float) -> NDArray[np.float64]:
    """Frequency of the strongest partial of each track, in Hz; NaN where all is zero."""
    size = 1 << max(2 * tracks.shape[1], 4096).bit_length()  # zeros appended refine the grid
    magnitude = np.abs(np.fft.rfft(tracks, size))
    hertz: NDArray[np.float64] = magnitude.argmax(axis=1) * (rate / size)
    hertz[~magnitude.any(axis=1)] = np.nan
    return hertz
