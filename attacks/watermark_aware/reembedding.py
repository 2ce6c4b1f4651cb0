"""A watermarker is run again over the marked clip."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

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
        """The copies differ by their marks alone."""
        del sample_rate
        return (Claim("snr_db", low=10),)


def _watermarker(attack: Attack, scheme: str, knowledge: Knowledge) -> EmbedFunction:
    if scheme not in knowledge.watermarkers:
        known = ", ".join(knowledge.watermarkers) or "none"
        raise AttackError(f"{attack.id} needs the watermarker '{scheme}'. Known: {known}.")
    return knowledge.watermarkers[scheme]


def _seeds(rngs: Sequence[np.random.Generator]) -> list[int]:
    return [int(rng.integers(2**63)) for rng in rngs]
