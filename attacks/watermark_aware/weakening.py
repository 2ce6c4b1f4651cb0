"""The clean twin is known: a part of the clip, or a part of the mark's strength, goes back to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.base import UNMARKED_FROM, UNMARKED_TO, Attack, Attacked, Audio, parameter
from sealproof.attacks.contract.claims import Claim
from sealproof.attacks.contract.knowledge import Knowledge
from sealproof.attacks.contract.parameters import Value


@dataclass(frozen=True, kw_only=True)
class Splice(Attack):
    """Puts a stretch of the unmarked original in the place of the clip's own, at random.

    `unmarked_percent` of the clip, in one piece. It asks how much of a clip must be marked, and where the mark was. A
    clip that is not marked stays as it was.
    """

    name: ClassVar[str] = "splice"
    silences: ClassVar[bool] = True
    family: ClassVar[str] = "watermark-aware"
    sweep: ClassVar[Mapping[str, tuple[Value, ...]]] = {"unmarked_percent": (10, 25, 50, 75, 90)}
    is_random: ClassVar[bool] = True
    spares_unmarked: ClassVar[bool] = True
    needs_knowledge: ClassVar[bool] = True

    unmarked_percent: float = parameter(unit="percent", low=0, high=100, above_low=True, below_high=True)

    def apply_knowing(
        self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator], knowledge: Knowledge
    ) -> Attacked:
        """Copy the stretch."""
        del sample_rate
        spliced = batch.copy()
        length = max(1, round(batch.shape[1] * self.unmarked_percent / 100))
        starts = [int(rng.integers(batch.shape[1] - length + 1)) for rng in rngs]
        for clip, twin, start in zip(spliced, knowledge.twins, starts, strict=True):
            clip[start : start + length] = twin[start : start + length]
        first = np.array(starts, dtype=np.float64)
        return Attacked(spliced, {UNMARKED_FROM: first, UNMARKED_TO: first + length})

    def evidence_from(
        self, before: Audio, attacked: Attacked, sample_rate: int, knowledge: Knowledge | None
    ) -> Mapping[str, NDArray[np.float64]]:
        """`replaced_percent` of the clip differ, first to last; `from_twin_percent` of these are the original's."""
        del sample_rate
        after = attacked.audio
        differs = before != after
        n_differ = np.count_nonzero(differs, axis=1)
        first = differs.argmax(axis=1)
        last = differs.shape[1] - differs[:, ::-1].argmax(axis=1)
        unknown = np.full(len(before), np.nan)
        replaced = np.where(n_differ > 0, 100.0 * (last - first) / before.shape[1], np.nan)
        if knowledge is None:
            return {"replaced_percent": replaced, "from_twin_percent": unknown}
        of_twin = np.count_nonzero(differs & (after == knowledge.twins), axis=1)
        share = np.where(n_differ > 0, 100 * of_twin / np.maximum(n_differ, 1), np.nan)
        return {"replaced_percent": replaced, "from_twin_percent": share}

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """No more than was asked for; less by the few samples at which a mark happens to be zero; all of the twin."""
        del sample_rate
        return (
            Claim("replaced_percent", self.unmarked_percent - 2, self.unmarked_percent + 0.1),
            Claim("from_twin_percent", low=100, every=True),
        )


@dataclass(frozen=True, kw_only=True)
class FadeMark(Attack):
    """Mixes the clip with its unmarked original, so that the mark fades to a part of its amplitude.

    `kept` of the mark's amplitude is left: 0.5 lowers it by 6 dB. It asks how strong a mark must be. A clip that is not
    marked stays as it was.
    """

    name: ClassVar[str] = "fade_mark"
    family: ClassVar[str] = "watermark-aware"
    sweep: ClassVar[Mapping[str, tuple[Value, ...]]] = {"kept": (0.75, 0.5, 0.25, 0.125)}
    spares_unmarked: ClassVar[bool] = True
    needs_knowledge: ClassVar[bool] = True

    kept: float = parameter(unit="x", low=0, high=1, above_low=True, below_high=True)

    def apply_knowing(
        self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator], knowledge: Knowledge
    ) -> Attacked:
        """Mix."""
        del sample_rate, rngs
        return Attacked(knowledge.twins + np.float32(self.kept) * (batch - knowledge.twins))

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """What is left of the mark, and nothing else."""
        del sample_rate
        return Claim.about("kept_x", self.kept, 0.005, every=True), Claim("beside_mark_db", high=-35, every=True)

    def evidence_from(
        self, before: Audio, attacked: Attacked, sample_rate: int, knowledge: Knowledge | None
    ) -> Mapping[str, NDArray[np.float64]]:
        """`kept_x`: what is left of the mark; `beside_mark_db`: energy of what is no mark, over that of the mark."""
        del sample_rate
        unknown = np.full(len(before), np.nan)
        if knowledge is None:
            return {"kept_x": unknown, "beside_mark_db": unknown}
        twins = knowledge.twins.astype(np.float64)
        mark, left = before - twins, attacked.audio - twins
        energy = np.sum(mark**2, axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            kept = np.sum(mark * left, axis=1) / energy
            beside = 10 * np.log10(np.sum((left - kept[:, None] * mark) ** 2, axis=1) / energy)
        return {"kept_x": kept, "beside_mark_db": np.where(energy > 0, beside, np.nan)}
