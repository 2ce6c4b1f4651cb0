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
        """A mark is faint, and only it changes."""
        del sample_rate
        return (Claim("snr_db", low=10),)
