"""Cells of a study of adversaries: one adversary aimed at one rule, in one direction, under budgets; and their keys."""

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.adversarial.contract.base import AdaptiveAttack
from sealproof.attacks.adversarial.contract.budget import Budget
from sealproof.attacks.adversarial.contract.oracle import Direction
from sealproof.harness.studies.adversaries.target.surrogates import SurrogateSource

Table = NDArray[np.float64]


@dataclass(frozen=True)
class AdversaryCell:
    """One adversary aimed at one target.

    Attributes:
        scheme: Whose detector is attacked.
        adversary: The adversary.
        direction: `removal` or `forgery`.
        rule: The threshold rule that is attacked.
        threshold: Of the score, by that rule.
        surrogate: What it has of its own; None where it needs none.
        budgets: Under which its results are judged. It is run in the first of them; an adversary that seeks the least
            change is run once for all of its kind.
        limit: Questions allowed for each clip.
        n_clips: At most so many clips are attacked.
        seed: Of the study.
    """

    scheme: str
    adversary: AdaptiveAttack
    direction: Direction
    rule: str
    threshold: float
    surrogate: SurrogateSource | None
    budgets: tuple[Budget, ...]
    limit: int
    n_clips: int
    seed: int

    @cached_property
    def id(self) -> str:
        """Name for files and messages: letters, digits and `. _ -` only."""
        budgets = "-".join(budget.name for budget in self.budgets)
        own = "" if self.surrogate is None else f"-{self.surrogate.name}"
        return f"{self.scheme}-{self.adversary.id}{own}-{self.direction}-{self.rule}-{budgets}-{self.limit}q"

    @property
    def surrogate_name(self) -> str:
        """The surrogate's name; empty where it has none."""
        return "" if self.surrogate is None else self.surrogate.name

    @property
    def access(self) -> str:
        """What it knows of the detector: its weights, a surrogate of some access level, pairs, or nothing."""
        if self.surrogate is not None:
            return self.surrogate.access
        return {"weights": "weights", "pairs": "labels"}.get(self.adversary.knows, "none")


@dataclass(frozen=True)
class Fought:
    """What came of a block of clips; budgets are rows, clips are columns.

    Attributes:
        success: (b, n) 1 where what was handed over lies within the budget and turns the decision, else 0.
        controls: (b, c, n) the same of each control at the same SNR; NaN where there is none.
        survives: (b, p, n) 1 where the decision stays turned after each passage; NaN where it was not turned.
        passed_control: (b, p, n) 1 where the passage alone, without any change, turns the decision.
        size: (b, n) how much of the budget was used.
        snr_db: (b, n) of what was handed over; infinite where nothing was changed.
        nmr_db: (b, n) its noise-to-mask ratio; NaN where nothing was changed.
        si_sdr_db: (b, n) its scale-invariant signal-to-distortion ratio.
        first_question: (b, n) after how many questions the first success within the budget came; infinite without one.
        least_snr_db: (n,) of the least change that turned the decision, however large; -infinity where none did.
        n_questions: (n,) questions asked.
        n_gradients: (n,) gradients taken.
        spied: (n,) questions as the detector's own counter has them.
        seconds: (2,) processor and wall seconds for the block.
    """

    success: Table
    controls: Table
    survives: Table
    passed_control: Table
    size: Table
    snr_db: Table
    nmr_db: Table
    si_sdr_db: Table
    first_question: Table
    least_snr_db: Table
    n_questions: Table
    n_gradients: Table
    spied: Table
    seconds: Table

    @classmethod
    def joined(cls, parts: "list[Fought]") -> "Fought":
        """Join consecutive blocks, at least one."""
        arrays = {
            item.name: np.concatenate([getattr(part, item.name) for part in parts], axis=-1)
            for item in fields(cls)
            if item.name != "seconds"
        }
        return cls(**arrays, seconds=np.sum([part.seconds for part in parts], axis=0))
