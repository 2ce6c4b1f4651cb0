"""Budgets: how much of a clip an adversary may change, at most. A budget is the unit ball of a norm of the change."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sealproof.attacks.adversarial.contract.oracle import Audio, Floats, Indices
from sealproof.attacks.contract.errors import AttackError

STEP = 2.0**-15
"""One step of 16-bit PCM, of a full scale of 1."""

_TINY = 1e-30


class Ball(Protocol):
    """A budget about given clips. `who` (m,) says which of them each row of a change (m, samples) belongs to."""

    def size(self, who: Indices, change: Floats) -> Floats:
        """Return (m,) how large changes are; 1 is the whole budget, and twice the change is twice the size."""
        ...

    def project(self, who: Indices, change: Floats) -> Floats:
        """Return changes within the budget; one that is within is returned as it is, never made larger."""
        ...

    def steepest(self, who: Indices, gradient: Floats) -> Floats:
        """Return the change of size 1, or close to it, along which a quantity with this gradient grows fastest."""
        ...


class Budget(Protocol):
    """What a change may be at most."""

    @property
    def name(self) -> str:
        """As in tables and ids: `snr30`."""
        ...

    def ball(self, clips: Audio, sample_rate: int) -> Ball:
        """Return the budget about clips (n, samples)."""
        ...


@dataclass(frozen=True)
class SnrBudget:
    """The change lies at least `snr_db` below its clip, by energy over the whole clip. A silent clip allows nothing."""

    snr_db: float

    @property
    def name(self) -> str:
        """`snr30` for 30 dB."""
        return f"snr{self.snr_db:g}"

    def ball(self, clips: Audio, sample_rate: int) -> "EnergyBall":
        """Return the budget about clips (n, samples)."""
        del sample_rate
        return EnergyBall(norms(clips.astype(np.float64)) * 10 ** (-self.snr_db / 20))


@dataclass(frozen=True)
class EnergyBall:
    """Changes of a Euclidean length of at most `radius` (n,)."""

    radius: Floats

    def size(self, who: Indices, change: Floats) -> Floats:
        """Return Euclidean lengths over the radius."""
        length, radius = norms(change), self.radius[who]
        return np.where(length > 0, length / np.maximum(radius, _TINY), 0.0)

    def project(self, who: Indices, change: Floats) -> Floats:
        """Shrink changes that are too long."""
        return np.asarray(change / np.maximum(self.size(who, change), 1.0)[:, None])

    def steepest(self, who: Indices, gradient: Floats) -> Floats:
        """Return the gradient's direction, as long as the radius."""
        return np.asarray(gradient * (self.radius[who] / np.maximum(norms(gradient), _TINY))[:, None])


@dataclass(frozen=True)
class PeakBudget:
    """No sample changes by more than `steps` steps of 16-bit PCM."""

    steps: int = 32

    def __post_init__(self) -> None:
        """Refuse a budget that allows nothing."""
        if self.steps < 1:
            raise AttackError(f"The 'steps' of an L-infinity budget must be at least 1. Got {self.steps}.")

    @property
    def name(self) -> str:
        """`linf32` for 32 steps."""
        return f"linf{self.steps}"

    def ball(self, clips: Audio, sample_rate: int) -> "PeakBall":
        """Return the budget, which is the same about all clips."""
        del clips, sample_rate
        return PeakBall(self.steps * STEP)


@dataclass(frozen=True)
class PeakBall:
    """Changes of at most `peak` in every sample."""

    peak: float

    def size(self, who: Indices, change: Floats) -> Floats:
        """Return the largest change of a sample over the peak."""
        del who
        return np.asarray(np.abs(change).max(axis=1) / self.peak)

    def project(self, who: Indices, change: Floats) -> Floats:
        """Cut samples off at the peak."""
        del who
        return np.asarray(np.clip(change, -self.peak, self.peak))

    def steepest(self, who: Indices, gradient: Floats) -> Floats:
        """Return the peak with the gradient's sign."""
        del who
        return np.asarray(self.peak * np.sign(gradient))


def norms(values: Floats) -> Floats:
    """Return the Euclidean length of each row."""
    return np.asarray(np.sqrt(np.einsum("ns,ns->n", values, values)))


def written(audio: Floats) -> Audio:
    """Return what audio is once it was written as 16-bit PCM and read back: rounded, and cut off at full scale."""
    return np.asarray(np.clip(np.rint(audio / STEP), -(2**15), 2**15 - 1) * STEP, np.float32)
