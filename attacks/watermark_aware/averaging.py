"""Averages of many marks: estimated, and added or taken away."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.base import Attack, Attacked, AttackError, Audio, parameter
from sealproof.attacks.contract.claims import Claim
from sealproof.attacks.contract.knowledge import Knowledge
from sealproof.attacks.contract.parameters import Value


@dataclass(frozen=True, kw_only=True)
class AddAverage(Attack):
    """Adds the mean of other recordings' marks, scaled to their mean energy, times `strength`.

    A mean of unlike marks is faint, and faint it would do nothing.

    Attributes:
        sign: -1 to subtract it.
    """

    family: ClassVar[str] = "watermark-aware"
    sweep: ClassVar[Mapping[str, tuple[Value, ...]]] = {"clips": (1, 4, 8)}
    is_ordered: ClassVar[bool] = False
    is_random: ClassVar[bool] = True
    needs_knowledge: ClassVar[bool] = True
    sign: ClassVar[int] = 1

    clips: int = parameter(unit="clips", kind=int, low=1, high=64)
    strength: float = parameter(unit="x", low=0, high=10, above_low=True, default=1.0)

    def apply_knowing(
        self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator], knowledge: Knowledge
    ) -> Attacked:
        """Add to each clip an estimate from recordings drawn for it."""
        del sample_rate
        residuals = _residuals(self, knowledge)
        drawn = [residuals[_draw(self, rng, len(residuals), self.clips)] for rng in rngs]
        return Attacked(_added(batch, [_average(marks) for marks in drawn], self.sign * self.strength))

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """What changed is so many marks of others, of equal weight, with their mean energy times the strength."""
        del sample_rate
        wanted = 20 * math.log10(self.strength)
        return (
            Claim.about("change_over_marks_db", wanted, 0.1, every=True),
            Claim.about("marks_in_change", self.clips, 0),
            Claim("beside_marks_db", high=-35, every=True),
            Claim.about("weight_sign", self.sign, 0, every=True),
        )

    def evidence_from(
        self, before: Audio, attacked: Attacked, sample_rate: int, knowledge: Knowledge | None
    ) -> Mapping[str, NDArray[np.float64]]:
        """Fit the marks of all known recordings to what changed: which are in it, with which weights, and what is left.

        `change_over_marks_db` is the energy of the change over the mean energy of the marks in it, `beside_marks_db`
        that of what no mark explains over that of the change.
        """
        del sample_rate
        names = ("change_over_marks_db", "marks_in_change", "beside_marks_db", "weight_sign")
        evidence = {name: np.full(len(before), np.nan) for name in names}
        if knowledge is None:
            return evidence
        residuals = _residuals(self, knowledge)
        energies = np.sum(residuals**2, axis=1)
        for index, change in enumerate(attacked.audio - before.astype(np.float64)):
            energy = change @ change
            weights = np.linalg.lstsq(residuals.T, change, rcond=None)[0]
            used = np.abs(weights) > 0.3 * np.abs(weights).max(initial=0)
            rest = change - weights @ residuals
            evidence["marks_in_change"][index] = used.sum()
            evidence["weight_sign"][index] = np.sign(weights[used].sum())
            evidence["beside_marks_db"][index] = (
                10 * np.log10(max(rest @ rest, 1e-30) / energy) if energy > 0 else np.inf
            )
            mean = energies[used].mean() if used.any() else np.nan
            evidence["change_over_marks_db"][index] = 10 * np.log10(max(energy, 1e-30) / mean)
        return evidence


@dataclass(frozen=True, kw_only=True)
class SubtractAverage(AddAverage):
    """Estimates the mark as the mean of others' marks, and subtracts it.

    Somebody who has marked recordings and their originals averages the differences. What all marks have in common
    stays, what belongs to host and message goes.
    Source: Cox et al., "Digital Watermarking and Steganography", 2nd ed., section 9.2 (averaging).
    """

    name: ClassVar[str] = "subtract_average"
    sign: ClassVar[int] = -1


@dataclass(frozen=True, kw_only=True)
class CopyMark(AddAverage):
    """Forges a mark: the difference between another recording and its original is added to the clip.

    With `clips` above 1 it is the mean of several such differences. A detector that finds it in clean clips accuses the
    wrong one: read the false alarms of this attack.
    Source: Kutter, Voloshynovskiy and Herrigel, "The Watermark Copy Attack" (SPIE 2000).
    """

    name: ClassVar[str] = "copy_mark"


def _residuals(attack: Attack, knowledge: Knowledge) -> NDArray[np.float64]:
    residuals = knowledge.marked.astype(np.float64) - knowledge.clean
    residuals = residuals[residuals.any(axis=1)]
    if not len(residuals):
        raise AttackError(f"{attack.id} needs marked recordings that differ from their originals. Got none.")
    return residuals


def _draw(attack: Attack, rng: np.random.Generator, n: int, wanted: int) -> NDArray[np.int64]:
    if wanted > n:
        raise AttackError(f"{attack.id} needs {wanted} marked recordings to draw from. Got {n}.")
    return rng.choice(n, wanted, replace=False)


def _average(residuals: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of the residuals, with the mean of their energies."""
    mean = residuals.mean(axis=0)
    energy = np.sum(mean**2)
    louder = np.sqrt(np.sum(residuals**2) / len(residuals) / energy) if energy else 1.0
    return np.asarray(louder * mean)


def _added(batch: Audio, estimates: Sequence[NDArray[np.float64]], strength: float) -> Audio:
    added = [clip + strength * estimate for clip, estimate in zip(batch, estimates, strict=True)]
    return np.array(added, dtype=np.float32).reshape(batch.shape)
