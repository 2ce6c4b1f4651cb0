"""Watermark-aware attacks: by somebody who has the watermarker, other marked recordings, or the unmarked original."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.base import UNMARKED_FROM, UNMARKED_TO, Attack, Attacked, AttackError, Audio, parameter
from sealproof.attacks.contract.claims import Claim
from sealproof.attacks.contract.knowledge import Knowledge, Watermarker
from sealproof.attacks.contract.parameters import Value


@dataclass(frozen=True, kw_only=True)
class Reembed(Attack):
    """Marks the clip once more, with a random message, by the same scheme or by another one.

    Overwriting: the second mark may push out the first one, or its message. On a clean clip by the same scheme it is a
    plain embedding, and the detector should find it.
    Source: "Yours or Mine? Overwriting Attacks against Neural Audio Watermarking" (arXiv 2509.05835).
    """

    name: ClassVar[str] = "reembed"
    family: ClassVar[str] = "watermark-aware"
    sweep: ClassVar[Mapping[str, tuple[Value, ...]]] = {"scheme": ("same", "spread_spectrum", "perth")}
    is_ordered: ClassVar[bool] = False
    is_random: ClassVar[bool] = True
    needs_knowledge: ClassVar[bool] = True

    scheme: str = parameter(unit="", kind=str, choices=("same", "spread_spectrum", "perth"))

    def apply_knowing(
        self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator], knowledge: Knowledge
    ) -> Attacked:
        """Marks each clip with a message of its own."""
        del sample_rate
        return Attacked(_watermarker(self, self.scheme, knowledge)(batch, _seeds(rngs)).astype(np.float32, copy=False))

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """A watermark is faint."""
        del sample_rate
        return (Claim("snr_db", low=10),)


@dataclass(frozen=True, kw_only=True)
class Collude(Attack):
    """Averages copies of the same recording that are marked with different messages.

    What users of one recording do who pool their copies: the marks of K messages weaken each other. The clip itself is
    one of the copies; the others are its unmarked twin, marked with random messages. A clip that is not marked stays as
    it was: all its copies are alike.
    Source: Cox et al., "Digital Watermarking and Steganography", 2nd ed., section 9.2 (collusion).
    """

    name: ClassVar[str] = "collude"
    family: ClassVar[str] = "watermark-aware"
    sweep: ClassVar[Mapping[str, tuple[Value, ...]]] = {"copies": (2, 3, 5, 8)}
    is_ordered: ClassVar[bool] = False
    is_random: ClassVar[bool] = True
    needs_knowledge: ClassVar[bool] = True

    copies: int = parameter(unit="copies", kind=int, low=2, high=32)

    def apply_knowing(
        self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator], knowledge: Knowledge
    ) -> Attacked:
        """Marks the other copies and averages, in float64."""
        del sample_rate
        mark = _watermarker(self, "same", knowledge)
        is_marked = (batch != knowledge.twins).any(axis=1)
        total = batch[is_marked].astype(np.float64)
        own = [rng for rng, marked in zip(rngs, is_marked, strict=True) if marked]
        for _ in range(self.copies - 1):
            total += mark(knowledge.twins[is_marked], _seeds(own))
        pooled = batch.copy()
        pooled[is_marked] = total / self.copies
        return Attacked(pooled)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The copies differ by their marks alone."""
        del sample_rate
        return (Claim("snr_db", low=10),)


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
        """Adds to each clip an estimate from recordings drawn for it."""
        del sample_rate
        residuals = _residuals(self, knowledge)
        drawn = [residuals[_draw(self, rng, len(residuals), self.clips)] for rng in rngs]
        attacked = _added(batch, [_average(marks) for marks in drawn], self.sign * self.strength)
        change = np.sum((attacked.astype(np.float64) - batch) ** 2, axis=1)
        mean = np.array([np.sum(marks**2) / self.clips for marks in drawn])
        return Attacked(attacked, {"change_over_marks_db": 10 * np.log10(np.maximum(change, 1e-20) / mean)})

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """What changed has the mean energy of the marks that were drawn, times the strength."""
        del sample_rate
        wanted = 20 * math.log10(self.strength)
        return (Claim("change_over_marks_db", wanted - 0.1, wanted + 0.1),)


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


@dataclass(frozen=True, kw_only=True)
class Splice(Attack):
    """Puts a stretch of the unmarked original in the place of the clip's own, at random.

    `unmarked_percent` of the clip, in one piece. It asks how much of a clip must be marked, and where the mark was. A
    clip that is not marked stays as it was.
    """

    name: ClassVar[str] = "splice"
    family: ClassVar[str] = "watermark-aware"
    sweep: ClassVar[Mapping[str, tuple[Value, ...]]] = {"unmarked_percent": (10, 25, 50, 75, 90)}
    is_random: ClassVar[bool] = True
    needs_knowledge: ClassVar[bool] = True

    unmarked_percent: float = parameter(unit="percent", low=0, high=100, above_low=True, below_high=True)

    def apply_knowing(
        self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator], knowledge: Knowledge
    ) -> Attacked:
        """Copies the stretch."""
        del sample_rate
        spliced = batch.copy()
        length = max(1, round(batch.shape[1] * self.unmarked_percent / 100))
        starts = [int(rng.integers(batch.shape[1] - length + 1)) for rng in rngs]
        for clip, twin, start in zip(spliced, knowledge.twins, starts, strict=True):
            clip[start : start + length] = twin[start : start + length]
        first = np.array(starts, dtype=np.float64)
        return Attacked(spliced, {UNMARKED_FROM: first, UNMARKED_TO: first + length})

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """Share of the clip from the first to the last sample that differs: of a marked clip, what was replaced."""
        del sample_rate
        differs = before != after
        first = differs.argmax(axis=1)
        last = differs.shape[1] - differs[:, ::-1].argmax(axis=1)
        return {"replaced_percent": np.where(differs.any(axis=1), 100.0 * (last - first) / before.shape[1], np.nan)}

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """No more than was asked for; less by the few samples at which a mark happens to be zero."""
        del sample_rate
        return (Claim("replaced_percent", self.unmarked_percent - 2, self.unmarked_percent + 0.1),)


@dataclass(frozen=True, kw_only=True)
class FadeMark(Attack):
    """Mixes the clip with its unmarked original, so that the mark fades to a part of its amplitude.

    `kept` of the mark's amplitude is left: 0.5 lowers it by 6 dB. It asks how strong a mark must be. A clip that is not
    marked stays as it was.
    """

    name: ClassVar[str] = "fade_mark"
    family: ClassVar[str] = "watermark-aware"
    sweep: ClassVar[Mapping[str, tuple[Value, ...]]] = {"kept": (0.75, 0.5, 0.25, 0.125)}
    needs_knowledge: ClassVar[bool] = True

    kept: float = parameter(unit="x", low=0, high=1, above_low=True, below_high=True)

    def apply_knowing(
        self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator], knowledge: Knowledge
    ) -> Attacked:
        """Mixes."""
        del sample_rate, rngs
        return Attacked(knowledge.twins + np.float32(self.kept) * (batch - knowledge.twins))

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """A mark is faint, and only it changes."""
        del sample_rate
        return (Claim("snr_db", low=10),)


def _watermarker(attack: Attack, scheme: str, knowledge: Knowledge) -> Watermarker:
    if scheme not in knowledge.watermarkers:
        known = ", ".join(knowledge.watermarkers) or "none"
        raise AttackError(f"{attack.id} needs the watermarker '{scheme}'. Known: {known}.")
    return knowledge.watermarkers[scheme]


def _seeds(rngs: Sequence[np.random.Generator]) -> list[int]:
    return [int(rng.integers(2**63)) for rng in rngs]


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
