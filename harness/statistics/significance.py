"""Tests: is a difference more than luck, and still so after many attacks?"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from sealproof.harness.statistics.estimation.vectors import Floats, as_flags, require_same_clips

__all__ = ["holm", "mcnemar_exact"]


def mcnemar_exact(correct_a: ArrayLike, correct_b: ArrayLike) -> float:
    """Two-sided p value of the hypothesis that two detectors are right equally often, from clips only one got right.

    Exact: under the hypothesis each such clip is a coin's toss. Range [0, 1]; 1 where there is no such clip. It takes
    clips to be independent, so with several clips per recording it is somewhat too small; correct it for the number of
    attacks (Holm). (McNemar 1947, Psychometrika 12; the exact form is the sign test.)

    Args:
        correct_a: `(n,)` booleans, where one detector is right.
        correct_b: `(n,)` booleans, where the other is, on the same clips.

    Raises:
        ValueError: If these are not booleans of one length.
    """
    first, second = as_flags("correct_a", correct_a), as_flags("correct_b", correct_b)
    require_same_clips(first.size, second.size)
    only_first, only_second = int(np.count_nonzero(first & ~second)), int(np.count_nonzero(~first & second))
    n_discordant = only_first + only_second
    ways = term = 1
    for successes in range(min(only_first, only_second)):
        term = term * (n_discordant - successes) // (successes + 1)
        ways += term
    # Whole numbers throughout: the p value is right to the last digit however many clips there are.
    return min(1.0, 2 * ways / (1 << n_discordant))


def holm(p_values: ArrayLike) -> Floats:
    """Adjust p values for having been many: step-down, without a word on how they depend on each other.

    Rejecting where the adjusted value is at most alpha, the probability of any false rejection among all of them is at
    most alpha. Each value is multiplied by the number of those not smaller, and is never below a smaller one's. Range
    [0, 1], never below the raw value. (Holm 1979, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian
    Journal of Statistics 6.)

    Args:
        p_values: `(m,)` p values in [0, 1]; NaN where there was no test, which stays NaN and does not count.

    Returns:
        `(m,)` adjusted p values, in the order they came.

    Raises:
        ValueError: If these are no vector of p values.
    """
    raw = np.asarray(p_values, dtype=np.float64)
    tested = np.flatnonzero(~np.isnan(raw)) if raw.ndim == 1 else raw
    if raw.ndim != 1 or not ((raw[tested] >= 0) & (raw[tested] <= 1)).all():
        raise ValueError(f"'p_values' of holm must be a vector of numbers in 0 .. 1. Got {raw.tolist()}.")
    ordered = tested[np.argsort(raw[tested], kind="stable")]
    adjusted = np.full(raw.shape, math.nan)
    stepped = np.maximum.accumulate(raw[ordered] * np.arange(ordered.size, 0, -1))
    adjusted[ordered] = np.minimum(stepped, 1.0)
    return adjusted
