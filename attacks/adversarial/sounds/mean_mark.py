"""What marks have in common, added or taken away."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sealproof.attacks.adversarial.contract.base import AdaptiveAttack, Asks, Knows
from sealproof.attacks.adversarial.contract.search import Search


@dataclass(frozen=True, kw_only=True)
class MeanMark(AdaptiveAttack):
    """Averages the marks of other recordings; adds the mean to forge, and takes it away to remove.

    It is as strong as a mark usually is beside its clip, or as the budget allows, whichever is less: more would be an
    inverted mark, and may be found again.
    """

    name: ClassVar[str] = "mean_mark"
    summary: ClassVar[str] = "the mean of other recordings' marks, added or taken away; nothing is asked"
    knows: ClassVar[Knows] = "pairs"
    asks: ClassVar[Asks] = "nothing"

    def search(self, search: Search) -> None:
        """Offer the mean mark for every clip."""
        known = search.task.knowledge
        marks = known.marked.astype(np.float64) - known.clean
        mean = marks.mean(axis=0)
        length = float(np.linalg.norm(mean))
        if length == 0:
            return  # no two marks have anything in common: the clip itself is all there is to offer
        usual = np.median(np.linalg.norm(marks, axis=1) / np.maximum(np.linalg.norm(known.clean, axis=1), 1e-12))
        levels = usual * np.linalg.norm(search.clips, axis=1)
        search.guess(search.everybody, search.sign * (levels / length)[:, None] * mean)
