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

    It ends for a clip as soon as the surrogate takes it for one of the other kind as surely as it takes real ones: an
    inverted mark is a mark again, so more is not more.
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


def climb(search: Search, surrogate: Surrogate, steps: int, copies: int) -> Floats:
    """Return for each clip a change (n, samples) within the budget that the surrogate falls for, or nearly."""
    diversity = Diversity()
    change, velocity = np.zeros_like(search.clips), np.zeros_like(search.clips)
    goal = search.sign * surrogate.goal(search.task.direction)
    who = search.everybody
    for step in range(steps):
        value, gradient = diversity.slope(surrogate, search, who, change[who], copies)
        open_ones = value < goal
        who, gradient = who[open_ones], gradient[open_ones]
        if not len(who):
            break
        velocity[who] = _MOMENTUM * velocity[who] + unit(gradient)
        pace = cosine(0.3, 0.05, step / steps)
        moved = change[who] + pace * search.ball.steepest(who, velocity[who])
        change[who] = search.ball.project(who, moved)
    return change
