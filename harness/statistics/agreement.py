"""How far two detectors agree with each other, whatever the truth: the fidelity of a mimic to its reference.

Raw agreement is inflated where both detectors say the same for almost every clip (an attack that removes every
watermark), so it is reported with coefficients that correct for it: Cohen's kappa, PABAK, the Matthews correlation.
All take two vectors of decisions and, but for `conditional_agreement`, treat both detectors alike. A coefficient that
the data do not define is NaN, never 0 ("no agreement") and never 1 ("perfect").

`estimate_...` gives the same value with an interval. The bootstrap works on the 2 x 2 counts of each group. Decisions
at a calibrated threshold are taken as given: its own uncertainty is not in these intervals.

The correlation of scores comes from `rank_agreement`, tests from `significance`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from sealproof.harness.statistics.estimation.estimate import Estimate, estimate_rate, make_estimate
from sealproof.harness.statistics.estimation.intervals import UNKNOWN, Interval, wider, wilson
from sealproof.harness.statistics.estimation.resamples import Resamples
from sealproof.harness.statistics.estimation.vectors import (
    Flags,
    Floats,
    as_flags,
    ratio,
    require_same_clips,
)

__all__ = [
    "agreement",
    "cohens_kappa",
    "conditional_agreement",
    "estimate_agreement",
    "estimate_conditional_agreement",
    "estimate_kappa",
    "estimate_mcc",
    "estimate_pabak",
    "mcc",
    "pabak",
]


def agreement(a: ArrayLike, b: ArrayLike) -> float:
    """Share of clips on which two detectors decide alike.

    Range [0, 1], higher is more alike; not corrected for chance. NaN without clips. Called fidelity where one imitates
    the other. (Jagielski et al. 2020, High Accuracy and High Fidelity Extraction of Neural Networks, section 3.)

    Args:
        a: `(n,)` booleans, the decisions of one detector.
        b: `(n,)` booleans, the decisions of the other.

    Raises:
        ValueError: If these are not booleans of one length.
    """
    first, second = _decisions(a, b)
    return float(ratio(np.count_nonzero(first == second), first.size))


def cohens_kappa(a: ArrayLike, b: ArrayLike) -> float:
    """Agreement beyond chance: (observed - expected) / (1 - expected).

    `expected` is the agreement of independent detectors that say "watermarked" as often as these. Range [-1, 1],
    higher is more alike, 0 by chance. NaN, "not defined", where both detectors are constant: on one class alone nothing
    tells agreement from chance. Where only one is constant it is 0. (Cohen 1960, Educational and Psychological
    Measurement 20.)

    Args:
        a: `(n,)` booleans, the decisions of one detector.
        b: `(n,)` booleans, the decisions of the other.

    Raises:
        ValueError: If these are not booleans of one length.
    """
    return float(_kappa(_counts(*_decisions(a, b))))


def pabak(a: ArrayLike, b: ArrayLike) -> float:
    """Prevalence-adjusted, bias-adjusted kappa: 2 x agreement - 1.

    What kappa would be if both detectors said "watermarked" for half the clips; it is defined where kappa is not and
    does not fall when one answer is rare. Range [-1, 1], higher is more alike. NaN without clips. (Byrt, Bishop and
    Carlin 1993, Journal of Clinical Epidemiology 46.)

    Args:
        a: `(n,)` booleans, the decisions of one detector.
        b: `(n,)` booleans, the decisions of the other.

    Raises:
        ValueError: If these are not booleans of one length.
    """
    return 2 * agreement(a, b) - 1


def mcc(a: ArrayLike, b: ArrayLike) -> float:
    """Matthews correlation: Pearson's correlation of the two vectors of decisions.

    Range [-1, 1], higher is more alike, 0 by chance. NaN, "not defined", where a detector is constant (libraries that
    return 0 there call a detector that always agrees uncorrelated). (Matthews 1975, Biochimica et Biophysica Acta 405.)

    Args:
        a: `(n,)` booleans, the decisions of one detector.
        b: `(n,)` booleans, the decisions of the other.

    Raises:
        ValueError: If these are not booleans of one length.
    """
    return float(_matthews(_counts(*_decisions(a, b))))


def conditional_agreement(
    mimic: ArrayLike, reference: ArrayLike, is_watermarked: ArrayLike, *, given: Literal["right", "wrong"]
) -> float:
    """Share of the clips on which the reference is right (or wrong) on which the mimic decides like it.

    Given "right" it is the mimic's accuracy where the reference is right; given "wrong", the share of the reference's
    errors that the mimic makes too, which no detector that merely learnt the truth would copy. Range [0, 1], higher is
    more alike. NaN where the reference is never right (or wrong).

    Args:
        mimic: `(n,)` booleans, the decisions of the imitating detector.
        reference: `(n,)` booleans, the decisions of the imitated one.
        is_watermarked: `(n,)` booleans, the truth.
        given: Which clips to look at: those on which the reference is `"right"` or `"wrong"`.

    Raises:
        ValueError: If these are not booleans of one length, or `given` is neither.
    """
    alike, selected = _alike_where(mimic, reference, is_watermarked, given)
    return float(ratio(np.count_nonzero(alike[selected]), np.count_nonzero(selected)))


def estimate_agreement(a: ArrayLike, b: ArrayLike, resamples: Resamples) -> Estimate:
    """Raw agreement with the wider of Wilson's and the cluster bootstrap's interval.

    Args:
        a: `(n,)` booleans, the decisions of one detector.
        b: `(n,)` booleans, the decisions of the other.
        resamples: Of the `n` clips.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    first, second = _decisions(a, b)
    return estimate_rate(first == second, resamples)


def estimate_kappa(a: ArrayLike, b: ArrayLike, resamples: Resamples) -> Estimate:
    """Cohen's kappa with the wider of the interval for independent clips and the cluster bootstrap's.

    The former is Wilson's interval of the agreement, carried over with the expected agreement held fixed (Cohen 1960);
    it has a width where the detectors never differ and the bootstrap has none.

    Args:
        a: `(n,)` booleans, the decisions of one detector.
        b: `(n,)` booleans, the decisions of the other.
        resamples: Of the `n` clips.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    return _estimate_coefficient(_kappa, a, b, resamples)


def estimate_mcc(a: ArrayLike, b: ArrayLike, resamples: Resamples) -> Estimate:
    """Matthews correlation with the wider of the interval for independent clips and the cluster bootstrap's.

    The former is Wilson's interval of the agreement, carried over with the detectors' rates held fixed.

    Args:
        a: `(n,)` booleans, the decisions of one detector.
        b: `(n,)` booleans, the decisions of the other.
        resamples: Of the `n` clips.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    return _estimate_coefficient(_matthews, a, b, resamples)


def estimate_pabak(a: ArrayLike, b: ArrayLike, resamples: Resamples) -> Estimate:
    """PABAK with the interval of the raw agreement, of which it is a linear function.

    Args:
        a: `(n,)` booleans, the decisions of one detector.
        b: `(n,)` booleans, the decisions of the other.
        resamples: Of the `n` clips.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    raw = estimate_agreement(a, b, resamples)
    return Estimate(2 * raw.value - 1, 2 * raw.ci_low - 1, 2 * raw.ci_high - 1, raw.n_clips, raw.n_groups)


def estimate_conditional_agreement(
    mimic: ArrayLike,
    reference: ArrayLike,
    is_watermarked: ArrayLike,
    resamples: Resamples,
    *,
    given: Literal["right", "wrong"],
) -> Estimate:
    """Conditional agreement with the wider of Wilson's and the cluster bootstrap's interval.

    Args:
        mimic: `(n,)` booleans, the decisions of the imitating detector.
        reference: `(n,)` booleans, the decisions of the imitated one.
        is_watermarked: `(n,)` booleans, the truth.
        resamples: Of the `n` clips.
        given: Which clips to look at: those on which the reference is `"right"` or `"wrong"`; they are the ones
            that `n_clips` counts.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    alike, selected = _alike_where(mimic, reference, is_watermarked, given)
    resamples.require(alike.size)
    return estimate_rate(alike[selected], resamples.of_clips(selected))


def _decisions(a: ArrayLike, b: ArrayLike) -> tuple[Flags, Flags]:
    first, second = as_flags("a", a), as_flags("b", b)
    require_same_clips(first.size, second.size)
    return first, second


def _alike_where(
    mimic: ArrayLike, reference: ArrayLike, is_watermarked: ArrayLike, given: Literal["right", "wrong"]
) -> tuple[Flags, Flags]:
    """Tell where mimic and reference decide alike, and which clips the condition selects."""
    if given not in ("right", "wrong"):
        raise ValueError(f"'given' of conditional_agreement must be 'right' or 'wrong'. Got {given!r}.")
    imitating, imitated = _decisions(mimic, reference)
    _, truth = _decisions(mimic, is_watermarked)
    return imitating == imitated, (imitated == truth) == (given == "right")


def _outcomes(a: Flags, b: Flags) -> Flags:
    """Mark the 2 x 2 outcome of each clip, `(n, 4)`: neither says "watermarked", only b, only a, both."""
    return np.stack([~a & ~b, ~a & b, a & ~b, a & b], axis=1)


def _counts(a: Flags, b: Flags) -> Floats:
    counts: Floats = _outcomes(a, b).sum(axis=0).astype(np.float64)
    return counts


def _kappa(counts: Floats) -> Floats:
    """Return Cohen's kappa of `(..., 4)` counts, in the form without divisions but one, so that 0 / 0 is exact."""
    neither, only_b, only_a, both = np.moveaxis(counts, -1, 0)
    expected_disagreement = (neither + only_b) * (only_b + both) + (neither + only_a) * (only_a + both)
    both_constant = (counts != 0).sum(axis=-1) <= 1
    kappa = ratio(2 * (neither * both - only_b * only_a), expected_disagreement)
    kappa[both_constant] = np.nan
    return kappa


def _matthews(counts: Floats) -> Floats:
    """Return the Matthews correlation of `(..., 4)` counts."""
    neither, only_b, only_a, both = np.moveaxis(counts, -1, 0)
    # Clipped because the root of a large product may round to a hair below it.
    return np.clip(ratio(neither * both - only_b * only_a, _margins_scale(counts)), -1.0, 1.0)


def _margins_scale(counts: Floats) -> Floats:
    """Return the geometric mean that scales the Matthews correlation: square roots first, lest the product round."""
    neither, only_b, only_a, both = np.moveaxis(counts, -1, 0)
    scale: Floats = np.sqrt((neither + only_b) * (only_a + both)) * np.sqrt((neither + only_a) * (only_b + both))
    return scale


def _estimate_coefficient(
    coefficient: Callable[[Floats], Floats],
    a: ArrayLike,
    b: ArrayLike,
    resamples: Resamples,
) -> Estimate:
    """Estimate a coefficient that is a function of the 2 x 2 counts, linear in the agreement for given margins."""
    first, second = _decisions(a, b)
    resamples.require(first.size)
    by_group = resamples.sums(_outcomes(first, second))
    counts = by_group.sum(axis=0)
    value = float(coefficient(counts))
    if math.isnan(value):
        return make_estimate(value, UNKNOWN, resamples)
    # In a recording of the worst kind the detectors agree by chance alone, not against chance.
    clustered = resamples.interval(
        coefficient(resamples.weights @ by_group), extremes=(max(-1.0, value - 1), min(1.0, value + 1))
    )
    independent = _with_margins_held(coefficient, counts, resamples.confidence)
    return make_estimate(value, wider(independent, clustered), resamples)


def _with_margins_held(coefficient: Callable[[Floats], Floats], counts: Floats, confidence: float) -> Interval:
    """Carry Wilson's interval of the agreement over to a coefficient, holding each detector's own rate.

    Kappa and the Matthews correlation are both (observed - expected agreement) / scale, where `expected` and
    `scale` depend on the two rates alone.
    """
    neither, only_b, only_a, both = counts
    n = float(counts.sum())
    agreed = wilson(neither + both, int(n), confidence)
    expected = ((neither + only_b) * (neither + only_a) + (only_a + both) * (only_b + both)) / n**2
    scale = 1 - expected if coefficient is _kappa else 2 * float(_margins_scale(counts)) / n**2
    return Interval(max(-1.0, (agreed.low - expected) / scale), min(1.0, (agreed.high - expected) / scale))
