"""The least change that turns a decision, found with the detector's own gradients."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sealproof.attacks.adversarial.contract.base import AdaptiveAttack, Asks, Knows
from sealproof.attacks.adversarial.contract.oracle import Flags, Floats, Indices
from sealproof.attacks.adversarial.contract.search import Search
from sealproof.attacks.adversarial.gradients.steps import cosine
from sealproof.attacks.contract.parameters import parameter

_SHRINK_ROUNDS = 6

_LEAST = 0.01
"""The first radius where the gradient promises that nothing is needed."""

_LARGEST = 32.0
"""No change is tried beyond so many times the budget: it would be another clip."""


@dataclass(frozen=True, kw_only=True)
class WhiteBox(AdaptiveAttack):
    """Walks along the boundary of the decision towards the clip.

    Each step goes up the gradient and is then cut to a radius, which shrinks while the decision is turned and grows
    while it is not; at first it is what the gradient promises to be enough. In the end the change is shrunk along its
    ray. The radius only ever cuts: nothing is scaled up to it.
    Source: Pintor, Roli, Brendel and Biggio, "Fast minimum-norm adversarial attacks through adaptive norm constraints"
    (NeurIPS 2021); Rony et al., "Decoupling direction and norm for efficient gradient-based L2 adversarial attacks and
    defenses" (CVPR 2019).
    """

    name: ClassVar[str] = "white_box"
    summary: ClassVar[str] = "least change that turns the decision, along the detector's own gradients (FMN/DDN type)"
    knows: ClassVar[Knows] = "weights"
    asks: ClassVar[Asks] = "gradients"
    seeks_least: ClassVar[bool] = True

    steps: int = parameter(unit="steps", kind=int, low=4, high=2000, default=60)

    def search(self, search: Search) -> None:
        """Attack all clips side by side, from the clips themselves."""
        who = search.everybody
        change = np.zeros_like(search.clips)
        radius = np.full(len(who), np.inf)
        for step in range(self.steps):
            at = step / self.steps
            slope = search.gradient(who, change)
            uphill = search.ball.steepest(who, search.sign * slope.gradient)
            least = search.least_size
            turned = np.asarray(slope.flagged == (search.sign > 0))
            radius = self._radius(search, who, change, radius, turned, uphill, slope.gradient, slope.value, at)
            radius = np.minimum(radius, np.where(np.isfinite(least), least, _LARGEST))
            pace = cosine(0.5, 0.02, at) * radius
            change = _cut(search, who, change + pace[:, None] * uphill, radius)
        # More than one crossing is not assumed away: whatever turns the decision is kept, nothing is ever made larger.
        rounds = min(_SHRINK_ROUNDS, search.task.oracle.limit)
        who = np.flatnonzero(search.has_turned & (search.left >= rounds))
        search.shrink(who, search.least_change(who), rounds)

    @staticmethod
    def _radius(
        search: Search,
        who: Indices,
        change: Floats,
        radius: Floats,
        turned: Flags,
        uphill: Floats,
        gradient: Floats,
        value: Floats,
        at: float,
    ) -> Floats:
        """Return the next radius of each clip."""
        rate = cosine(0.10, 0.005, at)
        size = search.ball.size(who, change)
        # How much a change of size 1 along the gradient promises, and so how far off the boundary is.
        promise = np.einsum("ns,ns->n", search.sign * gradient, uphill)
        far = np.maximum(-search.sign * value, 0) / np.maximum(promise, 1e-12)
        expected = size + np.minimum(far, np.maximum(2 * size, 0.05))
        never = ~search.has_turned
        # The value may be past its zero and the decision not: where nothing is promised it grows all the same.
        grown = np.where(never, np.maximum(expected, np.maximum(1.15 * size, _LEAST)), radius * (1 + rate))
        return np.where(turned, search.least_size * (1 - rate), grown)


def _cut(search: Search, who: Indices, change: Floats, radius: Floats) -> Floats:
    """Cut changes to a radius each, in the budget's norm."""
    scale = np.maximum(radius, 1e-12)[:, None]
    return np.asarray(scale * search.ball.project(who, change / scale))
