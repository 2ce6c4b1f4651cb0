"""Break points: the strength of an attack at which a detector's rate falls below a level.

A sweep is one attack at several strengths, weakest first, on the same clips. Its break point is where the rate, joined
by straight lines, falls below the level; between two strengths it is interpolated linearly in the strength, or in its
logarithm where all strengths are positive and the largest is more than 10 times the smallest. Rates that rise a little
towards stronger damage are pooled first (isotonic regression), so there is one crossing.

Statuses
--------
`crosses`: the value is a strength. `never`: the rate stays at or above the level at all strengths; the break point
lies beyond the strongest. `always`: it is below at all; the break point lies before the weakest. `not_monotone`:
the rate rises towards stronger damage, by more than 0.05 and by more than chance; there is no one break point.

The interval holds the strengths at which the level lies within the rate's own interval, as a plot with a band shows
it. Between two strengths the curve was not seen. It may fall along a line or along a logistic curve, the usual shape
of a detection curve, and the interval covers both: where all clips are found at one strength and none at the next it
is all that lies between them.

An end beyond the strongest strength is infinite, as is one before the weakest, each in its own direction: with 40, 30
and 20 dB from weak to strong, beyond the strongest is `-inf`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from sealproof.harness.statistics.estimation.estimate import Estimate, estimate_rate_by_group
from sealproof.harness.statistics.estimation.resamples import Resamples
from sealproof.harness.statistics.estimation.vectors import Floats, ratio

__all__ = ["LOG_SPAN", "TOLERATED_RISE", "BreakPoint", "find_break_point"]

Status = Literal["crosses", "never", "always", "not_monotone", "no_threshold"]

LOG_SPAN = 10.0
"""Ratio of the largest to the smallest strength above which strengths are interpolated in their logarithm."""

TOLERATED_RISE = 0.05
"""Rise of the rate towards stronger damage that makes no sweep non-monotone, however certain it is."""


@dataclass(frozen=True)
class BreakPoint:
    """Where a rate falls below a level.

    Attributes:
        status: What was found.
        value: The strength, in its own unit; infinite for `never` and `always`, NaN for `not_monotone` and, which
            only callers say, `no_threshold`.
        ci_low: Lower end of the interval, never above `value`; infinite where it lies beyond the strengths tried. NaN
            where it is not known: for `not_monotone`, and where all clips are of one group.
        ci_high: Upper end, likewise.
    """

    status: Status
    value: float
    ci_low: float
    ci_high: float


def find_break_point(
    strengths: ArrayLike,
    successes: ArrayLike,
    trials: ArrayLike,
    resamples: Resamples,
    level: float = 0.5,
    rates: Sequence[Estimate] | None = None,
) -> BreakPoint:
    """Find the strength at which the rate falls below `level`, with an interval.

    The interval inverts those of the rates, so it is widest where the curve is flat. How well it covers:
    docs/statistics.md.

    Args:
        strengths: `(S,)` numbers, weakest first, rising or falling throughout.
        successes: `(S, G)` watermarked clips found, by strength and group.
        trials: `(S, G)` watermarked clips, at least one for each strength.
        resamples: Of these `G` groups.
        level: The rate that counts as broken when it is not reached, in (0, 1).
        rates: The rates with the intervals to invert, one a strength, where they are not those of `estimate_rate`: at
            a calibrated threshold they know its uncertainty too.

    Raises:
        ValueError: If the arguments do not fit each other, the strengths are in no order, or a strength has no clips.
    """
    tried, right, asked = (np.asarray(values, dtype=np.float64) for values in (strengths, successes, trials))
    _check(tried, right, asked, resamples.weights, level)
    # From here on, damage grows.
    direction = -1.0 if tried.size > 1 and tried[1] < tried[0] else 1.0
    damage, is_log = direction * tried, bool(tried.min() > 0 and tried.max() > LOG_SPAN * tried.min())
    if is_log:
        damage = direction * np.log(tried)

    def strength(place: float) -> float:
        """Turn damage back into a strength."""
        if math.isinf(place):
            return direction * place
        nearest = int(np.argmin(np.abs(damage - place)))
        if damage[nearest] == place:
            return float(tried[nearest])
        return math.exp(direction * place) if is_log else direction * place

    if _rises(right, asked, resamples):
        return BreakPoint("not_monotone", math.nan, math.nan, math.nan)
    if rates is None:
        rates = [estimate_rate_by_group(*counts, resamples) for counts in zip(right, asked, strict=True)]
    value = _crossing(damage, _pooled(right.sum(axis=1), asked.sum(axis=1)), level)
    status: Status = "crosses" if math.isfinite(value) else "never" if value > 0 else "always"
    low_curve, high_curve = (np.array([getattr(rate, end) for rate in rates]) for end in ("ci_low", "ci_high"))
    if np.isnan(low_curve).any():
        return BreakPoint(status, strength(value), math.nan, math.nan)
    lows = [_crossing(damage, low_curve, level), _crossing(damage, low_curve, level, is_logistic=True)]
    # Read from the other side, so that the last crossing is found where there are several.
    highs = [-_crossing(-damage[::-1], 1 - high_curve[::-1], 1 - level, is_logistic=way) for way in (False, True)]
    ends = sorted([strength(min(*lows, value)), strength(max(*highs, value))])
    return BreakPoint(status, strength(value), *ends)


def _check(tried: Floats, right: Floats, asked: Floats, weights: Floats, level: float) -> None:
    steps = np.diff(tried)
    if (
        tried.ndim != 1
        or tried.size == 0
        or not np.isfinite(tried).all()
        or not ((steps > 0).all() or (steps < 0).all())
    ):
        raise ValueError(
            f"'strengths' of find_break_point must rise or fall throughout, the weakest first. Got {tried.tolist()}."
        )
    if not right.shape == asked.shape == (tried.size, weights.shape[1]):
        raise ValueError(
            f"'successes' and 'trials' of find_break_point must be ({tried.size} strengths, {weights.shape[-1]} groups "
            f"of 'resamples'). Got {right.shape} and {asked.shape}."
        )
    if not asked.sum(axis=1).all():
        raise ValueError("'trials' of find_break_point must hold clips for each strength. Leave out those without.")
    if not 0 < level < 1:
        raise ValueError(f"'level' of find_break_point must lie between 0 and 1. Got {level}.")


def _rises(right: Floats, asked: Floats, resamples: Resamples) -> bool:
    """Tell whether the rate rises from any strength to a stronger one, beyond chance and beyond what is tolerated.

    All pairs of strengths are judged at once: a rise must exceed the largest error that the resamples make on any.
    """
    n_strengths = len(right)
    weaker, stronger = np.triu_indices(n_strengths, k=1)
    if weaker.size == 0:
        return False
    rates = ratio(right.sum(axis=1), asked.sum(axis=1))
    rises = rates[stronger] - rates[weaker]
    if rises.max() <= TOLERATED_RISE:
        return False
    resampled = ratio(resamples.weights @ right.T, resamples.weights @ asked.T)
    errors = (resampled[:, stronger] - resampled[:, weaker] - rises).max(axis=1)
    defined = errors[~np.isnan(errors)]
    return bool(defined.size and rises.max() > max(TOLERATED_RISE, float(np.quantile(defined, resamples.confidence))))


def _pooled(right: Floats, asked: Floats) -> Floats:
    """Return the rates that never rise and fit best: neighbours in the wrong order share their mean (`(S,)`).

    (Barlow et al. 1972, Statistical Inference under Order Restrictions, section 1.2: the max-min formula.)
    """
    ends = np.arange(right.size)
    sums, counts = (np.concatenate([[0.0], np.cumsum(values)]) for values in (right, asked))
    # means[i, j]: the rate from strength i to strength j.
    means = ratio(sums[None, 1:] - sums[:-1, None], counts[None, 1:] - counts[:-1, None])
    pooled = [means[: place + 1, place:].max(axis=1).min() for place in ends]
    return np.array(pooled)


def _crossing(damage: Floats, curve: Floats, level: float, *, is_logistic: bool = False) -> float:
    """Return the damage at which a curve first falls below a level; infinite where it does not, or starts below it."""
    below = curve < level
    if not below.any():
        return math.inf
    after = int(np.argmax(below))
    if after == 0:
        return -math.inf
    before, behind = curve[after - 1], curve[after]
    if not is_logistic:
        share = (before - level) / (before - behind)
    elif behind <= 0:
        # Down to 0 a logistic curve may be as steep as it likes.
        share = 0.0
    else:
        drop, rest = _log_odds(before) - _log_odds(level), _log_odds(level) - _log_odds(behind)
        share = drop / (drop + rest)
    return float(damage[after - 1] + share * (damage[after] - damage[after - 1]))


def _log_odds(rate: float) -> float:
    return math.log(rate / (1 - rate))
