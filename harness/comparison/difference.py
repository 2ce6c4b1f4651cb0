"""The paired difference of two rates on the same clips, with an interval that is honest at both ends.

The same clips were judged twice (before and after a change), so what varies is not the rate but the change. Its
interval is the hull of three, each of which fails somewhere by itself:

- the **cluster bootstrap**: groups are resampled, both sides with the same resamples. Where no clip changed, or all
  did, it is a point;
- a **t interval** from the groups' changes with G - 1 degrees of freedom (the ratio estimator's cluster-robust
  variance). It knows that few groups tell little, which resampling them cannot;
- **Tango's score interval** for matched pairs, which takes clips to be independent. It has a width where nothing
  changed (of 160 clips: +-2.3 points), and needs four changed clips to exclude zero when none changed the other way.

An interval excludes zero only where all three do. Measured with changes that are as often for the better as for the
worse (2 to 100 groups of 4 to 100 clips, from independent clips to whole groups that change): it excluded zero in
0.0 to 5.8 % of samples, at 95 % confidence; without the t interval in up to 15 %. As for any rate
(`estimates.estimate_rate`), changes that come by the recording, and in few recordings, may be missed by a sample.

What a gate sees of a detector that errs on some more clips, measured: of 160 clips in 20 groups (an accuracy on the
demo) a rate 5 % worse is caught in 84 % of cases with 3 % allowed, and one 10 % worse in 98 % with 5 % allowed; of 80
clips (a TPR) 44 % and 89 %; of 800 clips in 40 groups 99 % and all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.comparison.allowance import allowance
from sealproof.harness.comparison.losses import parts
from sealproof.harness.foundation.seeds import derive_seed
from sealproof.harness.statistics.estimation.bootstrap import group_weights
from sealproof.harness.statistics.estimation.intervals import percentile_interval
from sealproof.harness.statistics.estimation.vectors import Floats
from sealproof.harness.statistics.paired import score_interval
from sealproof.harness.tables.rates import LOWER_IS_BETTER, Tally

N_RESAMPLES = 2000

REGRESSION = "regression"
"""The rate fell by more than is allowed, and the interval of the difference excludes zero."""

UNPROVEN = "unproven"
"""The rate fell by more than is allowed, but the clips are too few, or too alike, to tell that from chance."""

IMPROVEMENT = "improvement"
"""The rate rose, and the interval of the difference excludes zero."""

CHANGED = "changed"
"""The rate is another, within what is allowed or what chance does."""

SAME = "same"
"""The rate is the same."""


@dataclass(frozen=True)
class Difference:
    """A rate before and after a change.

    Attributes:
        before: The rate before, in [0, 1].
        after: The rate after.
        value: After minus before, in [-1, 1].
        ci_low: Lower end of its 95 % interval; NaN where all clips are of one group.
        ci_high: Upper end.
        n_clips: Clips that were judged twice; for AUC and bits, the rate's trials.
        n_groups: Groups they are from.
    """

    before: float
    after: float
    value: float
    ci_low: float
    ci_high: float
    n_clips: int
    n_groups: int

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies wholly on one side of zero; never where it is not known."""
        return self.ci_low > 0 or self.ci_high < 0

    def drop(self, metric: str) -> float:
        """Return by how much the rate got worse; below zero where it got better."""
        return self.value if metric in LOWER_IS_BETTER else 0.0 - self.value

    def verdict(self, metric: str, allowed_drop: float) -> str:
        """Return what the difference comes to: one of this module's five words.

        Args:
            metric: Name of the rate.
            allowed_drop: By how much a rate may fall; `allowance` says what that means for this one.
        """
        drop = self.drop(metric)
        if drop > allowance(metric, self.before, allowed_drop):
            return REGRESSION if self.excludes_zero else UNPROVEN
        if drop < 0 and self.excludes_zero:
            return IMPROVEMENT
        return CHANGED if drop else SAME


def paired_differences(
    before: Sequence[Tally], after: Sequence[Tally], changes: NDArray[np.int64] | None = None
) -> list[Difference]:
    """Return the differences of rates on the same clips.

    Args:
        before: (R) rates.
        after: (R) the same rates after the change; all with the same groups, and the same trials as before.
        changes: (R, 2) clips that succeeded before only, and after only. Where they are not known (a baseline keeps
            counts, not clips), clips of a group that changed both ways cancel, which narrows the score interval; the
            other two do not need them.

    Raises:
        ValueError: Groups or trials differ.
    """
    if not before:
        return []
    groups = before[0].groups
    if len(before) != len(after) or any(tally.groups != groups for tally in (*before, *after)):
        raise ValueError("Rates can be paired only where both sides have the same groups.")
    trials = np.stack([tally.trials for tally in after])
    if not np.array_equal(trials, np.stack([tally.trials for tally in before])):
        raise ValueError("Rates can be paired only where both sides have as many clips in every group.")
    old, new = np.stack([tally.successes for tally in before]), np.stack([tally.successes for tally in after])
    change = new - old
    if changes is None:
        changes = np.stack([-change.clip(max=0).sum(axis=1), change.clip(min=0).sum(axis=1)], axis=1)
    own = np.stack([parts(tally.metric, row, of) for tally, row, of in zip(after, change, trials, strict=True)])
    low, high = _intervals(own, trials.astype(np.float64), changes.astype(np.float64))
    n_clips, n_groups = trials.sum(axis=1), np.count_nonzero(trials, axis=1)
    columns = (
        old.sum(axis=1) / n_clips,
        new.sum(axis=1) / n_clips,
        # From the counts: 0.95 - 1.0 is a hair below -0.05, and would exceed an allowed drop of 0.05.
        change.sum(axis=1) / n_clips,
        low,
        high,
        n_clips,
        n_groups,
    )
    return [Difference(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def _intervals(change: Floats, trials: Floats, changes: Floats, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Return the lower and upper ends, (R,) each; arguments as in `paired_differences`, (R, G) and (R, 2)."""
    total = trials.sum(axis=1)
    value = change.sum(axis=1) / total
    ends = (
        _bootstrap(change, trials, confidence),
        _student(change, trials, confidence),
        score_interval(changes[:, 0], changes[:, 1], total, confidence),
    )
    low = np.min([value, *(low for low, _ in ends)], axis=0)
    high = np.max([value, *(high for _, high in ends)], axis=0)
    return np.maximum(low, -1.0), np.minimum(high, 1.0)


def _bootstrap(change: Floats, trials: Floats, confidence: float) -> tuple[Floats, Floats]:
    low, high = np.zeros(len(change)), np.zeros(len(change))
    # Where no group changed, neither does a resample of them.
    rows = np.flatnonzero(change.any(axis=1))
    weights = _weights(change.shape[1])
    replicates = (change[rows] @ weights.T) / np.maximum(trials[rows] @ weights.T, 1)
    n_groups = np.count_nonzero(trials, axis=1)
    for row, values in zip(rows.tolist(), replicates, strict=True):
        interval = percentile_interval(values, int(n_groups[row]), confidence)
        low[row], high[row] = interval.low, interval.high
    return low, high


def _student(change: Floats, trials: Floats, confidence: float) -> tuple[Floats, Floats]:
    """T intervals of ratios of sums over groups.

    (Cochran 1977, Sampling Techniques, section 6.3.)
    """
    from scipy.special import stdtrit

    total = trials.sum(axis=1)
    value = change.sum(axis=1) / total
    n_groups = np.count_nonzero(trials, axis=1)
    if (n_groups < 2).any():
        # One group says nothing about other recordings.
        value = np.where(n_groups < 2, np.nan, value)
        n_groups = np.maximum(n_groups, 2)
    residuals = change - value[:, None] * trials
    error = np.sqrt(n_groups / (n_groups - 1) * (residuals**2).sum(axis=1)) / total
    reach = stdtrit(n_groups - 1, (1 + confidence) / 2) * error
    return value - reach, value + reach


@lru_cache(maxsize=4)
def _weights(n_groups: int) -> Floats:
    """Return the resamples of so many groups: the same for every cell, detector and metric, before and after."""
    return group_weights(n_groups, N_RESAMPLES, derive_seed("paired difference"))


def interval_text(difference: Difference) -> str:
    """Write a difference with its interval: `-0.075 [-0.131, -0.020]`."""
    if difference.n_groups < 2:
        return f"{difference.value:+.3f} [not known: one group]"
    return f"{difference.value:+.3f} [{difference.ci_low:+.3f}, {difference.ci_high:+.3f}]"
