"""Values with intervals: what one row of a table needs.

What a table reports
--------------------
A formula for independent clips is too narrow when clips are alike, and the bootstrap of recordings is too narrow where
few of them tell little. Wherever a formula exists the reported interval is the **wider of the two**, which keeps its
coverage in both cases; elsewhere it is the bootstrap's. Neither is a point where every clip gave the same answer: see
`Resamples.interval`.

Not a number means *not known*, in three cases: there is nothing to estimate from; all clips are of one group, which
says nothing about other recordings; or more than 5 % of the resamples have no value (a zero denominator).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sealproof.harness.statistics.estimation.bootstrap import bootstrap_mean, bootstrap_median, bootstrap_ratio
from sealproof.harness.statistics.estimation.intervals import UNKNOWN, Interval, wider, wilson
from sealproof.harness.statistics.estimation.resamples import Resamples
from sealproof.harness.statistics.estimation.vectors import Floats, as_flags, as_scores, ratio

__all__ = [
    "Estimate",
    "design_effect",
    "estimate_mean",
    "estimate_median",
    "estimate_median_of_defined",
    "estimate_rate",
    "estimate_rate_by_group",
    "make_estimate",
    "only_defined",
]


@dataclass(frozen=True)
class Estimate:
    """A metric of one cell with its interval: what one row of a table needs.

    Attributes:
        value: The metric on the clips as they are; NaN where it is not defined.
        ci_low: Lower end of the interval, never above `value`; NaN where it is not known.
        ci_high: Upper end of the interval, never below `value`; NaN where it is not known.
        n_clips: Clips that the metric is taken over (for a true positive rate the watermarked ones only).
        n_groups: Groups (recordings) that these clips come from.
    """

    value: float
    ci_low: float
    ci_high: float
    n_clips: int
    n_groups: int


def make_estimate(value: float, interval: Interval, resamples: Resamples) -> Estimate:
    """Join a value and its interval into an estimate.

    A percentile interval need not contain a metric that the bootstrap biases (an AUC whose twins share a group, with
    few groups). The end is then moved to the value: an estimate outside its own interval helps no reader.

    Args:
        value: The metric; where it is NaN the interval is too.
        interval: Its interval.
        resamples: Of the clips that the metric is taken over.
    """
    return _joined(value, interval, resamples.n_clips, resamples.n_groups)


def estimate_rate(successes: ArrayLike, resamples: Resamples) -> Estimate:
    """Share of clips that succeed, with the wider of Wilson's interval and the cluster bootstrap's.

    Wilson's assumes independent clips and is too narrow for clips of a recording that are alike. Range [0, 1]. How much
    the likeness matters tells `design_effect`.

    Args:
        successes: `(n,)` booleans.
        resamples: Of the `n` clips.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    flags = as_flags("successes", successes)
    resamples.require(flags.size)
    return estimate_rate_by_group(resamples.sums(flags), resamples.counts(), resamples)


def estimate_rate_by_group(successes: ArrayLike, trials: ArrayLike, resamples: Resamples) -> Estimate:
    """`estimate_rate` from each group's counts, which are all that it takes.

    Args:
        successes: `(G,)` whole numbers, successes in each group.
        trials: `(G,)` whole numbers, clips of each group; a group without clips does not count.
        resamples: Of these groups; which clip is of which does not matter here.

    Raises:
        ValueError: If the counts do not fit each other or the resamples.
    """
    right, asked = np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    n_columns = resamples.weights.shape[1]
    if not right.shape == asked.shape == (n_columns,) or not ((right >= 0) & (right <= asked)).all():
        raise ValueError(
            f"'successes' and 'trials' must hold a count for each of the {n_columns} groups of 'resamples', "
            f"successes in 0 .. trials. Got shapes {right.shape} and {asked.shape}."
        )
    n_successes, n_trials, n_groups = float(right.sum()), int(asked.sum()), int(np.count_nonzero(asked))
    if n_trials == 0:
        return _joined(math.nan, UNKNOWN, 0, 0)
    clustered = resamples.interval(bootstrap_ratio(right, asked, resamples.weights), n_groups, extremes=(0, 1))
    interval = wider(wilson(n_successes, n_trials, resamples.confidence), clustered)
    return _joined(n_successes / n_trials, interval, n_trials, n_groups)


def estimate_mean(values: ArrayLike, resamples: Resamples, bounds: tuple[float, float] | None = None) -> Estimate:
    """Mean over clips, in the unit of the values, with the cluster bootstrap's interval.

    Args:
        values: `(n,)` finite numbers.
        resamples: Of the `n` clips.
        bounds: The lowest and the highest value that a clip can have, where there are such: recordings of a kind not
            seen then count in, and an interval is never a point.

    Raises:
        ValueError: If the arguments do not fit each other, or a value is not finite.
    """
    numbers = as_scores("values", values)
    resamples.require(numbers.size)
    if numbers.size == 0:
        return make_estimate(math.nan, UNKNOWN, resamples)
    interval = resamples.interval(bootstrap_mean(numbers, resamples), extremes=bounds)
    return make_estimate(float(numbers.mean()), interval, resamples)


def estimate_median(values: ArrayLike, resamples: Resamples) -> Estimate:
    """Median over clips, in the unit of the values, with the cluster bootstrap's interval.

    Args:
        values: `(n,)` numbers; infinite ones are allowed.
        resamples: Of the `n` clips.

    Raises:
        ValueError: If the arguments do not fit each other, or a value is NaN.
    """
    numbers = as_scores("values", values)
    resamples.require(numbers.size)
    if numbers.size == 0:
        return make_estimate(math.nan, UNKNOWN, resamples)
    interval = resamples.interval(bootstrap_median(numbers, resamples))
    as_it_is = Resamples(resamples.codes, np.ones((1, resamples.weights.shape[1])))
    return make_estimate(float(bootstrap_median(numbers, as_it_is)[0]), interval, resamples)


def estimate_median_of_defined(values: ArrayLike, resamples: Resamples) -> Estimate:
    """Median over the clips that have a value: for measures that are not defined for every clip (silence has no SNR).

    Clips without one (NaN) are left out and not counted in `n_clips`; so are groups in `n_groups`.

    Args:
        values: `(n,)` numbers; infinite ones and NaN are allowed.
        resamples: Of the `n` clips.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    return estimate_median(*only_defined(values, resamples))


def only_defined(values: ArrayLike, resamples: Resamples) -> tuple[Floats, Resamples]:
    """Leave out clips whose value is not defined (NaN); return the values of the others, and their resamples.

    Args:
        values: `(n,)` numbers.
        resamples: Of the `n` clips.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    numbers: Floats = np.asarray(values, dtype=np.float64)
    resamples.require(numbers.size)
    defined = ~np.isnan(numbers)
    return numbers[defined], resamples.of_clips(defined)


def design_effect(values: ArrayLike, resamples: Resamples) -> float:
    """How many times larger the variance of a mean is than for as many independent clips.

    1 for independent clips, about the number of clips per group where a group's clips are copies; `n / design_effect`
    is the number of independent clips that the sample is worth. At least 0; NaN where all values are equal, or there
    are fewer than two groups. It is the check beside Wilson's interval, which assumes 1: at 4 that interval is half as
    wide as it should be. (Kish 1965, Survey Sampling, section 8.2.)

    Args:
        values: `(n,)` finite numbers or booleans.
        resamples: Of the `n` clips.

    Raises:
        ValueError: If the arguments do not fit each other, or a value is not finite.
    """
    numbers = as_scores("values", values)
    replicates = bootstrap_mean(numbers, resamples)
    defined = replicates[~np.isnan(replicates)]
    if resamples.n_groups < 2 or defined.size < 2:
        return math.nan
    return float(ratio(float(defined.var()), float(numbers.var(ddof=1)) / numbers.size))


def _joined(value: float, interval: Interval, n_clips: int, n_groups: int) -> Estimate:
    known = interval.known and not math.isnan(value)
    return Estimate(
        value=value,
        ci_low=min(interval.low, value) if known else math.nan,
        ci_high=max(interval.high, value) if known else math.nan,
        n_clips=n_clips,
        n_groups=n_groups,
    )
