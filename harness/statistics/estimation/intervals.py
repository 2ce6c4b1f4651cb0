"""Intervals: Wilson's for rates over independent clips, and percentiles of resamples."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from sealproof.harness.statistics.estimation.vectors import Floats

__all__ = [
    "UNKNOWN",
    "Interval",
    "joined",
    "mean_of_rates",
    "normal_quantile",
    "percentile_interval",
    "percentile_tail",
    "wider",
    "wilson",
]

MAX_DEGENERATE_SHARE = 0.05
"""Share of resamples that may have no value before the interval itself has none."""


@dataclass(frozen=True)
class Interval:
    """A confidence interval, in the unit of what it bounds; both ends are NaN where it is not known."""

    low: float
    high: float

    @property
    def width(self) -> float:
        """Distance between the ends; NaN where the interval is not known, 0 for a point (at infinity too)."""
        return 0.0 if self.low == self.high else self.high - self.low

    @property
    def known(self) -> bool:
        """Whether both ends are numbers (an infinite end is one)."""
        return not (math.isnan(self.low) or math.isnan(self.high))


UNKNOWN = Interval(math.nan, math.nan)
"""The interval of what cannot be bounded."""


def normal_quantile(confidence: float) -> float:
    """Return how many standard errors a two-sided interval reaches to each side: 1.96 for 95 %.

    Args:
        confidence: Share of intervals that shall cover, in (0, 1).

    Raises:
        ValueError: If `confidence` is not in (0, 1).
    """
    if not 0 < confidence < 1:
        raise ValueError(f"'confidence' must lie between 0 and 1, as 0.95. Got {confidence}.")
    return NormalDist().inv_cdf((1 + confidence) / 2)


def wilson(successes: float, n: int, confidence: float = 0.95) -> Interval:
    """Interval of a rate over independent trials, by Wilson's score method.

    The rates that a two-sided score test does not reject; it has a width at 0 of n and n of n too, and lies in [0, 1].
    (Wilson 1927, Probable Inference, the Law of Succession, and Statistical Inference, JASA 22.)

    Args:
        successes: Number of successes, in [0, n].
        n: Number of trials. With none the interval is NaN: nothing is known.
        confidence: Share of intervals that shall cover, in (0, 1).

    Raises:
        ValueError: If `successes` is not in [0, n], `n` is negative or `confidence` is not in (0, 1).
    """
    z = normal_quantile(confidence)
    if n < 0 or not 0 <= successes <= n:
        raise ValueError(f"'successes' of wilson must lie in 0 .. n with n at least 0. Got {successes} of {n}.")
    if n == 0:
        return UNKNOWN
    rate = successes / n
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    # At 0 of n and n of n the bound is the rate itself; rounding would leave it a hair inside.
    low = 0.0 if successes == 0 else max(0.0, centre - reach)
    high = 1.0 if successes == n else min(1.0, centre + reach)
    return Interval(low, high)


def mean_of_rates(first: float, n_first: int, second: float, n_second: int, confidence: float = 0.95) -> Interval:
    """Interval of the mean of two rates over independent trials, from the Wilson intervals of each.

    (Newcombe 1998, Statistics in Medicine 17, method 10, for a mean in place of a difference.)

    Args:
        first: Successes among the first trials; need not be whole.
        n_first: Number of them. With none the interval is NaN.
        second: Successes among the second trials.
        n_second: Number of them.
        confidence: Share of intervals that shall cover, in (0, 1).
    """
    if n_first == 0 or n_second == 0:
        return UNKNOWN
    p_interval, q_interval = wilson(first, n_first, confidence), wilson(second, n_second, confidence)
    p, q = first / n_first, second / n_second
    below = math.hypot(p - p_interval.low, q - q_interval.low) / 2
    above = math.hypot(p_interval.high - p, q_interval.high - q) / 2
    return Interval((p + q) / 2 - below, (p + q) / 2 + above)


@lru_cache(maxsize=1024)
def percentile_tail(n_groups: int, confidence: float) -> float:
    """Share of the resamples to cut off at each end, so that few groups do not make the interval too narrow.

    A plain percentile interval cuts (1 - confidence) / 2. That ignores that the spread is estimated from `G` groups
    and is too small by `(G - 1) / G`; with 10 groups a "95 %" interval covers in about 90 %. The expanded percentile
    interval cuts `Phi(-t * sqrt(G / (G - 1)))` instead, `t` being Student's quantile for `G - 1` degrees of
    freedom. (Hesterberg 2015, What Teachers Should Know About the Bootstrap, The American Statistician 69, section 4.)

    Args:
        n_groups: Number of groups, at least 2.
        confidence: Share of intervals that shall cover, in (0, 1).
    """
    from scipy.special import stdtrit

    student = float(stdtrit(n_groups - 1, (1 + confidence) / 2))
    return NormalDist().cdf(-student * math.sqrt(n_groups / (n_groups - 1)))


def percentile_interval(replicates: Floats, n_groups: int, confidence: float = 0.95) -> Interval:
    """Interval of a metric from its values on the resamples: the expanded percentile interval.

    The ends are values of resamples, without interpolation, so that infinite values (a noiseless clip's SNR) work.

    Args:
        replicates: `(B,)` values of the metric, NaN where a resample is degenerate (a zero denominator). These are
            left out; where they are more than 5 % the interval is NaN.
        n_groups: Number of groups the metric is taken over; with fewer than 2 the interval is NaN.
        confidence: Share of intervals that shall cover, in (0, 1).

    Raises:
        ValueError: If `confidence` is not in (0, 1).
    """
    normal_quantile(confidence)
    defined = replicates[~np.isnan(replicates)]
    if n_groups < 2 or defined.size < (1 - MAX_DEGENERATE_SHARE) * replicates.size:
        return UNKNOWN
    first = math.floor(percentile_tail(n_groups, confidence) * (defined.size - 1))
    last = defined.size - 1 - first
    ordered = np.partition(defined, (first, last))
    return Interval(float(ordered[first]), float(ordered[last]))


def joined(first: Interval, second: Interval) -> Interval:
    """Return the interval that holds two; NaN where either is not known."""
    if not (first.known and second.known):
        return UNKNOWN
    return Interval(min(first.low, second.low), max(first.high, second.high))


def wider(first: Interval, second: Interval) -> Interval:
    """Return the wider of two intervals for the same metric; NaN where either is not known.

    Args:
        first: An interval; returned on a tie.
        second: Another.
    """
    if not (first.known and second.known):
        return UNKNOWN
    return second if second.width > first.width else first
