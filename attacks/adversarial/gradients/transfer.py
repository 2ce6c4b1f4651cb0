"""A change that fools a copy, tried on the original."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sealproof.attacks.adversarial.contract.base import AdaptiveAttack, Asks, Knows
from sealproof.attacks.adversarial.contract.knowledge import Surrogate
from sealproof.attacks.adversarial.contract.oracle import Floats
from sealproof.attacks.adversarial.contract.search import Search
from sealproof.attacks.adversarial.gradients.steps import Diversity, cosine, unit
from sealproof.attacks.contract.parameters import parameter

_MOMENTUM = 0.9


@dataclass(frozen=True, kw_only=True)
class Transfer(AdaptiveAttack):
    """Projected gradient ascent on a surrogate, with momentum, on clips that it hears in several variants.

    It never adds more than a mark is beside its clip: an inverted mark is a mark again, so more is not more.
    Source: Dong et al., "Boosting adversarial attacks with momentum" (CVPR 2018); Xie et al., "Improving
    transferability of adversarial examples with input diversity" (CVPR 2019).
    """

    name: ClassVar[str] = "transfer"
    summary: ClassVar[str] = "gradient ascent on a surrogate, with momentum and diverse inputs; nothing is asked"
    knows: ClassVar[Knows] = "surrogate"
    asks: ClassVar[Asks] = "nothing"

    steps: int = parameter(unit="steps", kind=int, low=2, high=500, default=20)
    copies: int = parameter(unit="copies", kind=int, low=1, high=16, default=3)

    def search(self, search: Search) -> None:
        """Attack all clips side by side."""
        assert search.task.knowledge.surrogate is not None  # noqa: S101 - see `lacks`
        search.guess(search.everybody, climb(search, search.task.knowledge.surrogate, self.steps, self.copies))


def climb(search: Search, surrogate: Surrogate, steps: int, copies: int, share: float = 1.0) -> Floats:
    """Return for each clip a change (n, samples) that raises the surrogate's value most.

    Args:
        search: The attack under way.
        surrogate: Whose gradients are followed.
        steps: How many.
        copies: Variants of a clip that it hears in each step.
        share: Of what may be changed at most: the budget, or the size of a mark where that is less.
    """
    diversity = Diversity()
    change, velocity = np.zeros_like(search.clips), np.zeros_like(search.clips)
    who = search.everybody
    # A little less than all: what is written is rounded, and must still be within.
    most = 0.998 * share * min(1.0, mark_size(search))
    for step in range(steps):
        _, gradient = diversity.slope(surrogate, search, who, change, copies)
        velocity = _MOMENTUM * velocity + unit(gradient)
        moved = change + cosine(0.3, 0.05, step / steps) * most * search.ball.steepest(who, velocity)
        change = most * search.ball.project(who, moved / most)
    return change


def mark_size(search: Search) -> float:
    """Return how large marks are in the budget's norm: the median of those that are known; infinite where none is."""
    known = search.task.knowledge
    if not len(known.marked):
        return float("inf")
    ball = search.task.budget.ball(known.clean, search.task.sample_rate)
    sizes = ball.size(np.arange(len(known.clean)), known.marked.astype(np.float64) - known.clean)
    return float(np.median(sizes)) if sizes.any() else float("inf")
