"""The surest change within a budget, found with the detector's own gradients."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sealproof.attacks.adversarial.contract.base import AdaptiveAttack, Asks, Knows
from sealproof.attacks.adversarial.contract.search import Search
from sealproof.attacks.adversarial.gradients.steps import cosine
from sealproof.attacks.contract.parameters import parameter

_MOMENTUM = 0.75


@dataclass(frozen=True, kw_only=True)
class WhiteBoxPgd(AdaptiveAttack):
    """Projected gradient ascent within the budget, from the clip itself; clips whose decision has turned are left.

    Source: Madry et al., "Towards deep learning models resistant to adversarial attacks" (ICLR 2018).
    """

    name: ClassVar[str] = "white_box_pgd"
    summary: ClassVar[str] = "projected gradient ascent within the budget, along the detector's own gradients"
    knows: ClassVar[Knows] = "weights"
    asks: ClassVar[Asks] = "gradients"

    steps: int = parameter(unit="steps", kind=int, low=2, high=2000, default=30)

    def search(self, search: Search) -> None:
        """Attack all clips side by side."""
        who = search.everybody
        change, velocity = np.zeros_like(search.clips), np.zeros_like(search.clips)
        won = np.zeros(len(who), np.bool_)
        for step in range(self.steps):
            slope = search.gradient(who, change[who])
            turned = np.asarray(slope.flagged == (search.sign > 0))
            inside = search.ball.size(who, change[who]) <= 1.0
            won[who[turned & inside]] = True
            uphill = search.ball.steepest(who, search.sign * slope.gradient)[~won[who]]
            who = np.flatnonzero(~won)
            if not len(who):
                return
            velocity[who] = _MOMENTUM * velocity[who] + uphill
            pace = cosine(0.4, 0.05, step / self.steps)
            # A little less than all: what is written is rounded, and must still be within.
            moved = change[who] + pace * search.ball.steepest(who, velocity[who])
            change[who] = 0.998 * search.ball.project(who, moved / 0.998)
            search.guess(who, change[who])
