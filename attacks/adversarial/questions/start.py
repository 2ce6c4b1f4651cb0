"""What adversaries share that hear yes or no: where they look, and where they begin."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from sealproof.attacks.adversarial.contract.base import AdaptiveAttack, Asks
from sealproof.attacks.adversarial.contract.basis import BASES, restricted
from sealproof.attacks.adversarial.contract.oracle import Floats, Indices
from sealproof.attacks.adversarial.contract.search import Search
from sealproof.attacks.contract.parameters import parameter

_N_OTHERS = 6
"""Other clips that are tried, in a random order of each clip's own."""

_HALVINGS = 8


@dataclass(frozen=True, kw_only=True)
class DecisionAttack(AdaptiveAttack):
    """An adversary that hears yes or no, and begins at a change that turns the decision, however large."""

    asks: ClassVar[Asks] = "decisions"
    seeks_least: ClassVar[bool] = True
    needs_start: ClassVar[bool] = True

    basis: str = parameter(unit="", kind=str, choices=BASES, default="low")

    @classmethod
    def standard(cls) -> list[Self]:
        """Return it in either basis."""
        return [cls(basis=basis) for basis in BASES]

    def find_start(self, search: Search) -> tuple[Indices, Floats]:
        """Ask for a first change that turns the decision: the way to another recording of the other kind.

        For forgery that is a marked clip that is detected: nothing that is found by chance is. The part of the way in
        the basis is tried first, and the whole way where that does not do. What turns the decision is pulled towards
        the clip.

        Returns:
            The clips (m,) for which one was found, and the changes (m, samples).
        """
        task = search.task
        others = (task.knowledge.marked if search.sign > 0 else task.knowledge.clean).astype(np.float64)
        orders = np.stack([rng.permutation(len(others)) for rng in search.rngs])
        missing = search.everybody
        for place in range(min(_N_OTHERS, len(others))):
            for inside in dict.fromkeys((self.basis, "all")):
                missing = missing[~search.has_turned[missing] & (search.left[missing] > 0)]
                if len(missing):
                    way = others[orders[missing, place]] - search.clips[missing]
                    search.decide(missing, restricted(way, inside, task.sample_rate))
        who = np.flatnonzero(search.has_turned)
        return who, search.shrink(who, search.least_change(who), _HALVINGS)
