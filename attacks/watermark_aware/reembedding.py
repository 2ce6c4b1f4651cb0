"""A watermarker is run again over the marked clip."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.base import Attack, Attacked, AttackError, Audio, parameter
from sealproof.attacks.contract.claims import Claim
from sealproof.attacks.contract.knowledge import EmbedFunction, Knowledge
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
        """Mark each clip with a message of its own."""
        del sample_rate
        return Attacked(_watermarker(self, self.scheme, knowledge)(batch, _seeds(rngs)).astype(np.float32, copy=False))

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The mark is as loud as the scheme's, all in all and in each part of the spectrum."""
        del sample_rate
        return (
            Claim.about("mark_level_db", 0, 1.5),
            Claim("mark_bands_db", high=4),
        )

    def evidence_from(
        self, before: Audio, attacked: Attacked, sample_rate: int, knowledge: Knowledge | None
    ) -> Mapping[str, NDArray[np.float64]]:
        """Mark some of the clips anew, with other messages, and compare what that changes with what changed.

        `mark_level_db` is the level of the change over that of the fresh mark; `mark_bands_db` the largest difference
        in four bands of the spectrum, of those that hold most of the fresh mark.
        """
        del sample_rate
        level, bands = np.full(len(before), np.nan), np.full(len(before), np.nan)
        if knowledge is None or not len(before):
            return {"mark_level_db": level, "mark_bands_db": bands}
        some = np.unique(np.linspace(0, len(before) - 1, _REMARKED).astype(int))
        fresh = _watermarker(self, self.scheme, knowledge)(before[some], [int(index) for index in some])
        powers = [
            np.abs(np.fft.rfft(after - before[some].astype(np.float64), axis=1)) ** 2
            for after in (attacked.audio[some], fresh)
        ]
        edges = np.linspace(0, powers[0].shape[1], 5).astype(int)[:-1]
        (got, wanted) = (np.add.reduceat(power, edges, axis=1) for power in powers)
        with np.errstate(divide="ignore", invalid="ignore"):
            level[some] = 10 * np.log10(got.sum(axis=1) / wanted.sum(axis=1))
            ratio = np.abs(10 * np.log10(got / wanted))
        counts = wanted > 0.01 * wanted.sum(axis=1, keepdims=True)
        bands[some] = np.where(counts, ratio, 0).max(axis=1)
        silent = wanted.sum(axis=1) == 0
        level[some[silent]] = bands[some[silent]] = np.nan
        return {"mark_level_db": level, "mark_bands_db": bands}


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
    spares_unmarked: ClassVar[bool] = True
    needs_knowledge: ClassVar[bool] = True

    copies: int = parameter(unit="copies", kind=int, low=2, high=32)

    def apply_knowing(
        self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator], knowledge: Knowledge
    ) -> Attacked:
        """Mark the other copies and average, in float64."""
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
        """The copies differ by their marks alone, and each has its share of the mark."""
        del sample_rate
        # Marks of sixteen bits have a quarter in common by chance: over a dozen clips that is a twentieth.
        tolerance = 0.15
        return Claim.about("own_share_error", 0, tolerance), Claim("others_share_db", -2, 2)

    def evidence_from(
        self, before: Audio, attacked: Attacked, sample_rate: int, knowledge: Knowledge | None
    ) -> Mapping[str, NDArray[np.float64]]:
        """Look for the clip's own mark and for those of the other copies in what came out.

        `own_share_error`: the share of the own mark, less 1 / copies and what others have in common with it, which
        copies marked afresh tell. `others_share_db`: energy of what the own mark does not explain, over that expected.
        """
        del sample_rate
        error, others = np.full(len(before), np.nan), np.full(len(before), np.nan)
        if knowledge is None or not len(before):
            return {"own_share_error": error, "others_share_db": others}
        marked = np.flatnonzero((before != knowledge.twins).any(axis=1))
        some = (
            marked[np.unique(np.linspace(0, max(0, len(marked) - 1), _REMARKED).astype(int))] if marked.size else marked
        )
        twins = knowledge.twins[some].astype(np.float64)
        own, left = before[some] - twins, attacked.audio[some] - twins
        energy = np.maximum(np.sum(own**2, axis=1), 1e-30)
        mark = _watermarker(self, "same", knowledge)
        fresh = [mark(knowledge.twins[some], [7 * _REMARKED * turn + int(i) for i in some]) - twins for turn in (1, 2)]
        common = np.mean([np.sum(each * own, axis=1) for each in fresh], axis=0) / energy
        apart = np.sum(fresh[0] * fresh[1], axis=1) / energy - common**2
        spread = np.mean([np.sum(each**2, axis=1) for each in fresh], axis=0) / energy - common**2
        share = np.sum(left * own, axis=1) / energy
        rest = np.sum((left - share[:, None] * own) ** 2, axis=1) / energy
        k = self.copies
        expected = ((k - 1) * spread + (k - 1) * (k - 2) * apart) / k**2
        error[some] = share - (1 + (k - 1) * common) / k
        others[some] = 10 * np.log10(np.maximum(rest, 1e-30) / np.maximum(expected, 1e-30))
        return {"own_share_error": error, "others_share_db": others}


_REMARKED = 12
"""Clips that are marked anew to verify an attack."""


def _watermarker(attack: Attack, scheme: str, knowledge: Knowledge) -> EmbedFunction:
    if scheme not in knowledge.watermarkers:
        known = ", ".join(knowledge.watermarkers) or "none"
        raise AttackError(f"{attack.id} needs the watermarker '{scheme}'. Known: {known}.")
    return knowledge.watermarkers[scheme]


def _seeds(rngs: Sequence[np.random.Generator]) -> list[int]:
    return [int(rng.integers(2**63)) for rng in rngs]
