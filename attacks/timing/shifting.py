"""Shifting: the clip comes later, turned round or back to front, at its old speed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from sealproof.attacks.contract.base import Attack, Attacked, Audio, Claim, parameter
from sealproof.attacks.timing.resampling import sampled_at
from sealproof.attacks.verification.measure import Floats
from sealproof.attacks.verification.verify import MAX_LAG_MS


@dataclass(frozen=True, kw_only=True)
class Offset(Attack):
    """Delays the clip by a number of samples: zeros in front, the end is cut, the length stays.

    A delay as long as the clip leaves silence.
    """

    name: ClassVar[str] = "offset"
    silences: ClassVar[bool] = True
    family: ClassVar[str] = "timing"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"offset_samples": (1, 10, 100, 160, 800, 1600, 4000, 8000)}
    keeps_alignment: ClassVar[bool] = False

    offset_samples: int = parameter(unit="samples", kind=int, low=1)

    def apply_batch(self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator]) -> Attacked:
        """Move the clips to the right."""
        del sample_rate, rngs
        delayed = np.zeros_like(batch)
        delayed[:, self.offset_samples :] = batch[:, : -self.offset_samples]
        return Attacked(delayed)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """Every sample stands where it must; the delay, as far as it is looked for."""
        moved = Claim.about("moved_percent", 100, 0, every=True)
        if self.offset_samples > sample_rate * MAX_LAG_MS / 1000:
            return (moved,)
        return (moved, Claim.about("delay_samples", self.offset_samples, 0))

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """Share of the samples that stand `offset_samples` later than before, or are the zeros in front."""
        del sample_rate
        delay = min(self.offset_samples, before.shape[1])
        moved = np.count_nonzero(after[:, delay:] == before[:, : before.shape[1] - delay], axis=1)
        return {"moved_percent": 100 * (moved + np.count_nonzero(after[:, :delay] == 0, axis=1)) / before.shape[1]}

    def leaves_alone(self, before: Audio, sample_rate: int) -> NDArray[np.bool_]:
        """Silence."""
        del sample_rate
        return np.asarray(~before.any(axis=1), dtype=np.bool_)


@dataclass(frozen=True, kw_only=True)
class FractionalDelay(Attack):
    """Delays the clip by a fraction of a sample, as filters and converters do, by band-limited interpolation."""

    name: ClassVar[str] = "fractional_delay"
    family: ClassVar[str] = "timing"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"delay_samples": (0.1, 0.25, 0.5)}

    delay_samples: float = parameter(unit="samples", low=0, above_low=True, high=1, below_high=True)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Read the clip a little earlier."""
        del sample_rate, rng
        return sampled_at(clip, np.arange(clip.size) - self.delay_samples)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The delay."""
        return (Claim.about("fractional_delay_samples", self.delay_samples, 0.01),)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """Slope of the phase between the clips, in samples, over the frequencies up to half of Nyquist."""
        del sample_rate
        window = np.hanning(before.shape[1])
        lower = slice(before.shape[1] // 4)
        old, new = (fft.rfft(batch * window, axis=1)[:, lower] for batch in (before, after))
        cross = new * old.conj()
        radians = 2 * np.pi * fft.rfftfreq(before.shape[1])[lower]
        # The least-squares line through zero, weighted by the power; within +-pi there is nothing to unwrap.
        with np.errstate(invalid="ignore"):
            slope = -np.sum(np.abs(cross) * radians * np.angle(cross), axis=1) / (np.abs(cross) @ radians**2)
        return {"fractional_delay_samples": slope}


@dataclass(frozen=True, kw_only=True)
class CircularShift(Attack):
    """Moves the clip to the right by a number of samples; what leaves at the end comes in at the start.

    A multiple of the clip's length brings every sample back to its place.
    """

    name: ClassVar[str] = "circular_shift"
    silences: ClassVar[bool] = True
    family: ClassVar[str] = "timing"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"shift_samples": (1, 10, 100, 1600, 6000)}
    keeps_alignment: ClassVar[bool] = False

    shift_samples: int = parameter(unit="samples", kind=int, low=1)

    def apply_batch(self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator]) -> Attacked:
        """Roll the clips."""
        del sample_rate, rngs
        return Attacked(np.roll(batch, self.shift_samples, axis=1))

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """Every sample stands where it must."""
        return (Claim.about("moved_percent", 100, 0, every=True),)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """Share of the samples that stand `shift_samples` later than before, counted around the end."""
        del sample_rate
        places = (np.arange(before.shape[1]) - self.shift_samples) % before.shape[1]
        return {"moved_percent": 100 * np.mean(after == before[:, places], axis=1)}

    def leaves_alone(self, before: Audio, sample_rate: int) -> NDArray[np.bool_]:
        """Clips of which the shift is a period, or their length."""
        del sample_rate
        return np.asarray((np.roll(before, self.shift_samples, axis=1) == before).all(axis=1), dtype=np.bool_)


@dataclass(frozen=True, kw_only=True)
class Reverse(Attack):
    """Plays the clip backwards."""

    name: ClassVar[str] = "reverse"
    family: ClassVar[str] = "timing"
    keeps_alignment: ClassVar[bool] = False

    def apply_batch(self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator]) -> Attacked:
        """Turn the clips round."""
        del sample_rate, rngs
        return Attacked(batch[:, ::-1])

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """Every sample stands where it must."""
        return (Claim.about("moved_percent", 100, 0, every=True),)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """Share of the samples that stand as far from the end as they stood from the start."""
        del sample_rate
        return {"moved_percent": 100 * np.mean(np.flip(after, axis=1) == before, axis=1)}

    def leaves_alone(self, before: Audio, sample_rate: int) -> NDArray[np.bool_]:
        """Clips that read the same from both ends."""
        del sample_rate
        return np.asarray((np.flip(before, axis=1) == before).all(axis=1), dtype=np.bool_)
