"""The verdict over all cells of a session: the mean of every rate, for many small losses add up."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from sealproof.harness.comparison.allowance import mean_allowance
from sealproof.harness.foundation.seeds import derive_seed
from sealproof.harness.pytest_plugin.gate import AT_CHANCE, Judged
from sealproof.harness.statistics.change.budget import OVERALL
from sealproof.harness.statistics.change.flips import flip_test

OVERALL_NAME = "overall"
"""What the verdict over all cells is called where cells are named."""


@dataclass(frozen=True)
class Mean:
    """The mean of one rate over the cells of a session.

    Attributes:
        detector: Whose rate it is.
        role: Its role.
        rule: The threshold rule; empty where there is none.
        metric: Name of the rate.
        before: The mean in the baseline.
        after: The mean now.
        drop: By how much it got worse; below 0 where it got better.
        allowed: By how much it may.
        p: P value of the loss, recordings' signs flipped, adjusted for the number of means.
        n_cells: Cells it is taken over.
        trials: (G,) trials of each recording, in one cell.
    """

    detector: str
    role: str
    rule: str
    metric: str
    before: float
    after: float
    drop: float
    allowed: float
    p: float
    n_cells: int
    trials: tuple[int, ...]

    @property
    def is_red(self) -> bool:
        """Whether it fails the session."""
        return self.drop > self.allowed and self.p <= OVERALL

    def sentence(self) -> str:
        """Say who, from, to, and how likely that is by chance."""
        rule = f" (rule {self.rule})" if self.rule else ""
        return (
            f"mean over {self.n_cells} cells of {self.detector} {self.metric}{rule}: from {self.before:.3f} to "
            f"{self.after:.3f}, p={self.p:.2g}; a drop of {self.allowed:.2g} is allowed"
        )


def means(cells: Iterable[Sequence[Judged]], allowed_drop: float) -> list[Mean]:
    """Judge the means over a session's cells, the worst first; none where there is but one cell.

    All cells are of the same recordings, so a recording's losses are added up over the cells before signs are flipped:
    how far cells lose together is in the data. Mimics at chance are left out.

    Args:
        cells: What each cell's rates came to.
        allowed_drop: By how much a rate of one cell may fall.
    """
    by_rate: dict[tuple[str, str, str], list[Judged]] = defaultdict(list)
    for rates in cells:
        for one in rates:
            if one.difference is not None and one.verdict != AT_CHANCE:
                by_rate[one.tally.detector, one.tally.threshold_rule, one.tally.metric].append(one)
    many = {key: ones for key, ones in by_rate.items() if len(ones) > 1}
    if not many:
        return []
    lost = np.stack([np.sum([one.losses for one in ones], axis=0) for ones in many.values()], axis=1)
    chances = flip_test(lost, derive_seed("flips of the means"), OVERALL).tolist()
    judged = [_mean(ones, p, allowed_drop) for ones, p in zip(many.values(), chances, strict=True)]
    return sorted(judged, key=lambda one: (not one.is_red, -one.drop))


def _mean(ones: Sequence[Judged], p: float, allowed_drop: float) -> Mean:
    tally = ones[0].tally
    differences = [one.difference for one in ones if one.difference is not None]
    before, after = (float(np.mean([getattr(one, side) for one in differences])) for side in ("before", "after"))
    drop = float(np.mean([one.drop for one in ones]))
    allowed = mean_allowance(tally.metric, before, allowed_drop)
    trials = tuple(tally.trials.tolist())
    names = (tally.detector, tally.role, tally.threshold_rule, tally.metric)
    return Mean(*names, before, after, drop, allowed, p, len(ones), trials)
