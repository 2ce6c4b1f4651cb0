"""Values with intervals: what one row of a table needs.

What a table reports
--------------------
A percentile interval of the cluster bootstrap collapses to a point when every clip gave the same answer (200 of 200
detected: ``[1, 1]``), and a formula for independent clips is too narrow when clips are alike. Wherever a formula exists
the reported interval is the **wider of the two**, which keeps its coverage in both cases; elsewhere it is the
bootstrap's.

Not a number means *not known*, in three cases: there is nothing to estimate from; all clips are of one group, which
says nothing about other recordings; or more than 5 % of the resamples have no value (a zero denominator).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sealproof.harness.statistics.estimation.bootstrap import (
    Resamples,
    bootstrap_mean,
    bootstrap_median,
    bootstrap_ratio,
)
from sealproof.harness.statistics.estimation.groups import count_by_group, count_groups, sum_by_group
from sealproof.harness.statistics.estimation.intervals import UNKNOWN, Interval, percentile_interval, wider, wilson
from sealproof.harness.statistics.estimation.vectors import Codes, Floats, as_flags, as_groups, as_scores, ratio

__all__ = [
    "Estimate",
    "design_effect",
    "estimate_mean",
    "estimate_median",
    "estimate_median_of_defined",
    "estimate_rate",
    "estimate_rate_by_group",
    "make_estimate",
]


@dataclass(frozen=True)
class Estimate:
    """A metric of one cell with its interval: what one row of a table needs.

    Attributes:
        value: The metric on the clips as they are; NaN where it is not defined.
        ci_low: Lower end of the interval, never above ``value``; NaN where it is not known.
        ci_high: Upper end of the interval, never below ``value``; NaN where it is not known.
        n_clips: Clips that the metric is taken over (for a true positive rate the watermarked ones only).
        n_groups: Groups (recordings) that these clips come from.
    """

    value: float
    ci_low: float
    ci_high: float
    n_clips: int
    n_groups: int


def make_estimate(value: float, interval: Interval, groups: Codes) -> Estimate:
    """Join a value and its interval into an estimate.

    A percentile interval need not contain a metric that the bootstrap biases (an AUC whose twins share a group, with
    few groups). The end is then moved to the value: an estimate outside its own interval helps no reader.

    Args:
        value: The metric; where it is NaN the interval is too.
        interval: Its interval.
        groups: ``(n,)`` codes of the clips that the metric is taken over.
    """
    return _joined(value, interval, groups.size, count_groups(groups))


def estimate_rate(successes: ArrayLike, resamples: Resamples) -> Estimate:
    """Share of clips that succeed, with the wider of Wilson's interval and the cluster bootstrap's.

    Wilson's assumes independent clips and is too narrow for clips of a recording that are alike; the bootstrap is a
    point where all clips agree. The wider keeps its coverage in both cases. Range [0, 1]. How much the likeness matters
    tells ``design_effect``.

    A limit: where failures are rare and come by the recording (2 % of the clips, 40 recordings of strongly alike clips)
    many samples hold none of the bad recordings, and a 95 % interval covers in about 86 %. More recordings help, more
    clips of each do not.

    Args:
        successes: ``(n,)`` booleans.
        resamples: The clips' groups, and what is drawn of them.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    flags = as_flags("successes", successes)
    codes = as_groups(resamples.codes, flags.size, resamples.weights)
    n_groups = resamples.weights.shape[1]
    return estimate_rate_by_group(
        sum_by_group(flags, codes, n_groups), count_by_group(codes, n_groups), resamples.weights, resamples.confidence
    )


def estimate_rate_by_group(
    successes: ArrayLike, trials: ArrayLike, weights: Floats, confidence: float = 0.95
) -> Estimate:
    """``estimate_rate`` from each group's counts, which are all that it takes.

    Args:
        successes: ``(G,)`` whole numbers, successes in each group.
        trials: ``(G,)`` whole numbers, clips of each group; a group without clips does not count.
        weights: ``(B, G)`` resamples.
        confidence: Share of intervals that shall cover.

    Raises:
        ValueError: If the counts do not fit each other or the resamples.
    """
    right, asked = np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    if right.shape != asked.shape or right.shape != weights.shape[1:] or not ((right >= 0) & (right <= asked)).all():
        raise ValueError(
            f"'successes' and 'trials' must hold a count for each of the {weights.shape[-1]} groups of 'weights', "
            f"successes in 0 .. trials. Got shapes {right.shape} and {asked.shape}."
        )
    n_successes, n_trials, n_groups = right.sum(), int(asked.sum()), int(np.count_nonzero(asked))
    if n_trials == 0:
        return _joined(math.nan, UNKNOWN, 0, 0)
    clustered = percentile_interval(bootstrap_ratio(right, asked, weights), n_groups, confidence)
    interval = wider(wilson(n_successes, n_trials, confidence), clustered)
    return _joined(n_successes / n_trials, interval, n_trials, n_groups)


def estimate_mean(values: ArrayLike, resamples: Resamples) -> Estimate:
    """Mean over clips, in the unit of the values, with the cluster bootstrap's interval.

    Args:
        values: ``(n,)`` finite numbers.
        resamples: The clips' groups, and what is drawn of them.

    Raises:
        ValueError: If the arguments do not fit each other, or a value is not finite.
    """
    numbers = as_scores("values", values)
    codes = as_groups(resamples.codes, numbers.size, resamples.weights)
    if numbers.size == 0:
        return make_estimate(math.nan, UNKNOWN, codes)
    interval = percentile_interval(
        bootstrap_mean(numbers, codes, resamples.weights), count_groups(codes), resamples.confidence
    )
    return make_estimate(float(numbers.mean()), interval, codes)


def estimate_median(values: ArrayLike, resamples: Resamples) -> Estimate:
    """Median over clips, in the unit of the values, with the cluster bootstrap's interval.

    Args:
        values: ``(n,)`` numbers; infinite ones are allowed.
        resamples: The clips' groups, and what is drawn of them.

    Raises:
        ValueError: If the arguments do not fit each other, or a value is NaN.
    """
    numbers = as_scores("values", values)
    codes = as_groups(resamples.codes, numbers.size, resamples.weights)
    if numbers.size == 0:
        return make_estimate(math.nan, UNKNOWN, codes)
    interval = percentile_interval(
        bootstrap_median(numbers, codes, resamples.weights), count_groups(codes), resamples.confidence
    )
    return make_estimate(
        float(bootstrap_median(numbers, codes, np.ones((1, resamples.weights.shape[1])))[0]), interval, codes
    )


def estimate_median_of_defined(values: ArrayLike, resamples: Resamples) -> Estimate:
    """Median over the clips that have a value: for measures that are not defined for every clip (silence has no SNR).

    Clips without one (NaN) are left out and not counted in ``n_clips``; so are groups in ``n_groups``.

    Args:
        values: ``(n,)`` numbers; infinite ones and NaN are allowed.
        resamples: The clips' groups, and what is drawn of them.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    numbers = np.asarray(values, dtype=np.float64)
    defined = ~np.isnan(numbers)
    return estimate_median(numbers[defined], resamples.fitting(numbers.size).of_clips(defined))


def design_effect(values: ArrayLike, resamples: Resamples) -> float:
    """How many times larger the variance of a mean is than for as many independent clips.

    1 for independent clips, about the number of clips per group where a group's clips are copies; ``n / design_effect``
    is the number of independent clips that the sample is worth. At least 0; NaN where all values are equal, or there
    are fewer than two groups. It is the check beside Wilson's interval, which assumes 1: at 4 that interval is half as
    wide as it should be. (Kish 1965, Survey Sampling, section 8.2.)

    Args:
        values: ``(n,)`` finite numbers or booleans.
        resamples: The clips' groups, and what is drawn of them.

    Raises:
        ValueError: If the arguments do not fit each other, or a value is not finite.
    """
    numbers = as_scores("values", values)
    replicates = bootstrap_mean(numbers, resamples.codes, resamples.weights)
    defined = replicates[~np.isnan(replicates)]
    n_groups = count_groups(as_groups(resamples.codes, numbers.size, resamples.weights))
    if n_groups < 2 or defined.size < 2:
        return math.nan
    clustered = float(defined.var()) * n_groups / (n_groups - 1)
    return float(ratio(clustered, float(numbers.var(ddof=1)) / numbers.size))


def _joined(value: float, interval: Interval, n_clips: int, n_groups: int) -> Estimate:
    known = interval.known and not math.isnan(value)
    return Estimate(
        value=value,
        ci_low=min(interval.low, value) if known else math.nan,
        ci_high=max(interval.high, value) if known else math.nan,
        n_clips=n_clips,
        n_groups=n_groups,
    )
