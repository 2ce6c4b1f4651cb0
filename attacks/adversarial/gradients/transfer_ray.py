"""The direction of a copy, and ten questions about how far to go."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sealproof.attacks.adversarial.contract.base import AdaptiveAttack, Asks, Knows
from sealproof.attacks.adversarial.contract.oracle import Floats, Indices
from sealproof.attacks.adversarial.contract.search import Search
from sealproof.attacks.adversarial.gradients.transfer import climb
from sealproof.attacks.contract.parameters import parameter

N_QUESTIONS = 10

_SHARE = 0.25
"""The direction is found at so small a share of a mark's size: it turns on the way."""

_LADDER_DB = (-10.0, -4.0, 0.0, 6.0, 12.0)
"""Sizes that are tried first, against that share, least first: an inverted mark is a mark again."""


@dataclass(frozen=True, kw_only=True)
class TransferRay(AdaptiveAttack):
    """Takes the change that a surrogate falls for and asks the detector along its ray.

    First at some sizes far apart, then between the least that turned the decision and the next smaller one. The change
    turns the decision where the detector agrees with its copy about which way to go, however it differs about how far.
    """

    name: ClassVar[str] = "transfer_ray"
    summary: ClassVar[str] = "the direction of `transfer`, its size found with at most 10 decisions"
    knows: ClassVar[Knows] = "surrogate"
    asks: ClassVar[Asks] = "decisions"
    seeks_least: ClassVar[bool] = True
    most_questions: ClassVar[int | None] = N_QUESTIONS

    steps: int = parameter(unit="steps", kind=int, low=2, high=500, default=20)
    copies: int = parameter(unit="copies", kind=int, low=1, high=16, default=3)

    def search(self, search: Search) -> None:
        """Climb on the surrogate, then ask."""
        assert search.task.knowledge.surrogate is not None  # noqa: S101 - see `lacks`
        change = climb(search, search.task.knowledge.surrogate, self.steps, self.copies, _SHARE)
        search.guess(search.everybody, change)
        moved = np.flatnonzero(change.any(axis=1))
        if len(moved):
            ask_along(search, moved, change[moved], N_QUESTIONS)


def ask_along(search: Search, who: Indices, change: Floats, questions: int) -> None:
    """Ask about changes (m, samples) at several sizes, and between the least that turned and the next smaller one."""
    questions = min(questions, search.task.oracle.limit)
    ladder = sorted(10 ** (level / 20) for level in _LADDER_DB)[: max(1, questions // 2)]
    holds, fails = np.full(len(who), np.inf), np.zeros(len(who))
    for scale in ladder:
        turned = search.decide(who, scale * change)
        fails = np.where(~turned & ~np.isfinite(holds), scale, fails)
        holds = np.where(turned & ~np.isfinite(holds), scale, holds)
    fallen = np.flatnonzero(np.isfinite(holds))
    who, change, holds, fails = who[fallen], change[fallen], holds[fallen], fails[fallen]
    for _ in range(questions - len(ladder) if len(who) else 0):
        middle = np.sqrt(holds * np.maximum(fails, holds / 16))
        turned = search.decide(who, middle[:, None] * change)
        holds, fails = np.where(turned, middle, holds), np.where(turned, fails, middle)
