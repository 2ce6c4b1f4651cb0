"""How far two detectors agree with each other, whatever the truth: the fidelity of a mimic to its reference.

Raw agreement is inflated where both detectors say the same for almost every clip (an attack that removes every
watermark), so it is reported with coefficients that correct for it: Cohen's kappa, PABAK, the Matthews correlation.
All take two vectors of decisions and, but for ``conditional_agreement``, treat both detectors alike. A coefficient that
the data do not define is NaN, never 0 ("no agreement") and never 1 ("perfect").

``estimate_...`` gives the same value with an interval; its ``groups`` and ``weights`` are those of ``intervals``. The
bootstrap works on the 2 x 2 counts of each group.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sealproof.harness.intervals import (
    UNKNOWN,
    Codes,
    Estimate,
    Flags,
    Floats,
    Interval,
    as_flags,
    as_groups,
    as_scores,
    count_groups,
    estimate_rate,
    make_estimate,
    midcounts,
    percentile_interval,
    ratio,
    sum_by_group,
    wider,
    wilson,
)

__all__ = [
    "Estimate",
    "agreement",
    "cohens_kappa",
    "conditional_agreement",
    "estimate_agreement",
    "estimate_conditional_agreement",
    "estimate_kappa",
    "estimate_mcc",
    "estimate_pabak",
    "estimate_spearman",
    "mcc",
    "mcnemar_exact",
    "pabak",
    "spearman",
]

_Block = NDArray[np.floating]

_RANKS_AT_A_TIME = 1 << 22
"""Clips x resamples that are ranked at once: it bounds the memory."""


def agreement(a: ArrayLike, b: ArrayLike) -> float:
    """Share of clips on which two detectors decide alike.

    Range [0, 1], higher is more alike; not corrected for chance. NaN without clips. Called fidelity where one imitates
    the other. (Jagielski et al. 2020, High Accuracy and High Fidelity Extraction of Neural Networks, section 3.)

    Args:
        a: ``(n,)`` booleans, the decisions of one detector.
        b: ``(n,)`` booleans, the decisions of the other.

    Raises:
        ValueError: If these are not booleans of one length.
    """
    first, second = _decisions(a, b)
    return float(ratio(np.count_nonzero(first == second), first.size))


def cohens_kappa(a: ArrayLike, b: ArrayLike) -> float:
    """Agreement beyond chance: (observed - expected) / (1 - expected).

    ``expected`` is the agreement of independent detectors that say "watermarked" as often as these. Range [-1, 1],
    higher is more alike, 0 by chance. NaN, "not defined", where both detectors are constant: on one class alone nothing
    tells agreement from chance. Where only one is constant it is 0. (Cohen 1960, Educational and Psychological
    Measurement 20.)

    Args:
        a: ``(n,)`` booleans, the decisions of one detector.
        b: ``(n,)`` booleans, the decisions of the other.

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
        a: ``(n,)`` booleans, the decisions of one detector.
        b: ``(n,)`` booleans, the decisions of the other.

    Raises:
        ValueError: If these are not booleans of one length.
    """
    return 2 * agreement(a, b) - 1


def mcc(a: ArrayLike, b: ArrayLike) -> float:
    """Matthews correlation: Pearson's correlation of the two vectors of decisions.

    Range [-1, 1], higher is more alike, 0 by chance. NaN, "not defined", where a detector is constant (libraries that
    return 0 there call a detector that always agrees uncorrelated). (Matthews 1975, Biochimica et Biophysica Acta 405.)

    Args:
        a: ``(n,)`` booleans, the decisions of one detector.
        b: ``(n,)`` booleans, the decisions of the other.

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
        mimic: ``(n,)`` booleans, the decisions of the imitating detector.
        reference: ``(n,)`` booleans, the decisions of the imitated one.
        is_watermarked: ``(n,)`` booleans, the truth.
        given: Which clips to look at: those on which the reference is ``"right"`` or ``"wrong"``.

    Raises:
        ValueError: If these are not booleans of one length, or ``given`` is neither.
    """
    alike, selected = _alike_where(mimic, reference, is_watermarked, given)
    return float(ratio(np.count_nonzero(alike[selected]), np.count_nonzero(selected)))


def spearman(scores_a: ArrayLike, scores_b: ArrayLike) -> float:
    """Rank correlation of two detectors' scores: Pearson's correlation of their ranks, ties sharing the mean rank.

    Whether both order the clips alike, on whatever scales and thresholds. Range [-1, 1], higher is more alike, 0 for
    unrelated scores. NaN, "not defined", where a detector gives every clip the same score. (Spearman 1904, American
    Journal of Psychology 15.)

    Args:
        scores_a: ``(n,)`` scores of one detector, without NaN.
        scores_b: ``(n,)`` scores of the other.

    Raises:
        ValueError: If a score is NaN or the lengths differ.
    """
    first, second = _scores(scores_a, scores_b)
    return float(_rank_correlations(first, second, np.zeros(first.size, dtype=np.intp), np.ones((1, 1)))[0])


def mcnemar_exact(correct_a: ArrayLike, correct_b: ArrayLike) -> float:
    """Two-sided p value of the hypothesis that two detectors are right equally often, from clips only one got right.

    Exact: under the hypothesis each such clip is a coin's toss. Range [0, 1]; 1 where there is no such clip. It takes
    clips to be independent, so with several clips per recording it is somewhat too small; correct it for the number of
    attacks (Holm). (McNemar 1947, Psychometrika 12; the exact form is the sign test.)

    Args:
        correct_a: ``(n,)`` booleans, where one detector is right.
        correct_b: ``(n,)`` booleans, where the other is, on the same clips.

    Raises:
        ValueError: If these are not booleans of one length.
    """
    first, second = _decisions(correct_a, correct_b)
    only_first, only_second = int(np.count_nonzero(first & ~second)), int(np.count_nonzero(~first & second))
    n_discordant = only_first + only_second
    ways = term = 1
    for successes in range(min(only_first, only_second)):
        term = term * (n_discordant - successes) // (successes + 1)
        ways += term
    # Whole numbers throughout: the p value is right to the last digit however many clips there are.
    return min(1.0, 2 * ways / (1 << n_discordant))


def estimate_agreement(
    a: ArrayLike, b: ArrayLike, groups: ArrayLike, weights: Floats, confidence: float = 0.95
) -> Estimate:
    """Raw agreement with the wider of Wilson's and the cluster bootstrap's interval.

    Args:
        a: ``(n,)`` booleans, the decisions of one detector.
        b: ``(n,)`` booleans, the decisions of the other.
        groups: ``(n,)`` group codes.
        weights: ``(B, G)`` resamples.
        confidence: Share of intervals that shall cover.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    first, second = _decisions(a, b)
    return estimate_rate(first == second, groups, weights, confidence)


def estimate_kappa(
    a: ArrayLike, b: ArrayLike, groups: ArrayLike, weights: Floats, confidence: float = 0.95
) -> Estimate:
    """Cohen's kappa with the wider of the interval for independent clips and the cluster bootstrap's.

    The former is Wilson's interval of the agreement, carried over with the expected agreement held fixed (Cohen 1960);
    it has a width where the detectors never differ and the bootstrap has none.

    Args:
        a: ``(n,)`` booleans, the decisions of one detector.
        b: ``(n,)`` booleans, the decisions of the other.
        groups: ``(n,)`` group codes.
        weights: ``(B, G)`` resamples.
        confidence: Share of intervals that shall cover.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    return _estimate_coefficient(_kappa, a, b, groups, weights, confidence)


def estimate_mcc(a: ArrayLike, b: ArrayLike, groups: ArrayLike, weights: Floats, confidence: float = 0.95) -> Estimate:
    """Matthews correlation with the wider of the interval for independent clips and the cluster bootstrap's.

    The former is Wilson's interval of the agreement, carried over with the detectors' rates held fixed.

    Args:
        a: ``(n,)`` booleans, the decisions of one detector.
        b: ``(n,)`` booleans, the decisions of the other.
        groups: ``(n,)`` group codes.
        weights: ``(B, G)`` resamples.
        confidence: Share of intervals that shall cover.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    return _estimate_coefficient(_matthews, a, b, groups, weights, confidence)


def estimate_pabak(
    a: ArrayLike, b: ArrayLike, groups: ArrayLike, weights: Floats, confidence: float = 0.95
) -> Estimate:
    """PABAK with the interval of the raw agreement, of which it is a linear function.

    Args:
        a: ``(n,)`` booleans, the decisions of one detector.
        b: ``(n,)`` booleans, the decisions of the other.
        groups: ``(n,)`` group codes.
        weights: ``(B, G)`` resamples.
        confidence: Share of intervals that shall cover.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    raw = estimate_agreement(a, b, groups, weights, confidence)
    return Estimate(2 * raw.value - 1, 2 * raw.ci_low - 1, 2 * raw.ci_high - 1, raw.n_clips, raw.n_groups)


def estimate_conditional_agreement(
    mimic: ArrayLike,
    reference: ArrayLike,
    is_watermarked: ArrayLike,
    groups: ArrayLike,
    weights: Floats,
    confidence: float = 0.95,
    *,
    given: Literal["right", "wrong"],
) -> Estimate:
    """Conditional agreement with the wider of Wilson's and the cluster bootstrap's interval.

    Args:
        mimic: ``(n,)`` booleans, the decisions of the imitating detector.
        reference: ``(n,)`` booleans, the decisions of the imitated one.
        is_watermarked: ``(n,)`` booleans, the truth.
        groups: ``(n,)`` group codes.
        weights: ``(B, G)`` resamples.
        confidence: Share of intervals that shall cover.
        given: Which clips to look at: those on which the reference is ``"right"`` or ``"wrong"``; they are the ones
            that ``n_clips`` counts.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    alike, selected = _alike_where(mimic, reference, is_watermarked, given)
    codes = as_groups(groups, alike.size, weights)
    return estimate_rate(alike[selected], codes[selected], weights, confidence)


def estimate_spearman(
    scores_a: ArrayLike, scores_b: ArrayLike, groups: ArrayLike, weights: Floats, confidence: float = 0.95
) -> Estimate:
    """Rank correlation of two detectors' scores with the cluster bootstrap's interval.

    The bootstrap is exact: every resample is ranked anew. At a correlation of exactly 1 or -1 it has no width and no
    formula stands in, so the interval is NaN there, "not known", rather than a point.

    Args:
        scores_a: ``(n,)`` scores of one detector, without NaN.
        scores_b: ``(n,)`` scores of the other.
        groups: ``(n,)`` group codes.
        weights: ``(B, G)`` resamples.
        confidence: Share of intervals that shall cover.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    first, second = _scores(scores_a, scores_b)
    codes = as_groups(groups, first.size, weights)
    value = float(_rank_correlations(first, second, codes, np.ones((1, weights.shape[1])))[0])
    if math.isnan(value) or 1 - abs(value) < 1e-12:
        return make_estimate(value, UNKNOWN, codes)
    replicates = _rank_correlations(first, second, codes, weights)
    return make_estimate(value, percentile_interval(replicates, count_groups(codes), confidence), codes)


def _decisions(a: ArrayLike, b: ArrayLike) -> tuple[Flags, Flags]:
    first, second = as_flags("a", a), as_flags("b", b)
    _require_equal_length(first.size, second.size)
    return first, second


def _scores(scores_a: ArrayLike, scores_b: ArrayLike) -> tuple[Floats, Floats]:
    first, second = as_scores("scores_a", scores_a), as_scores("scores_b", scores_b)
    _require_equal_length(first.size, second.size)
    return first, second


def _require_equal_length(n_first: int, n_second: int) -> None:
    if n_first != n_second:
        raise ValueError(f"Two detectors must be compared on the same clips. Got {n_first} and {n_second} of them.")


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
    """Mark the 2 x 2 outcome of each clip, ``(n, 4)``: neither says "watermarked", only b, only a, both."""
    return np.stack([~a & ~b, ~a & b, a & ~b, a & b], axis=1)


def _counts(a: Flags, b: Flags) -> Floats:
    counts: Floats = _outcomes(a, b).sum(axis=0).astype(np.float64)
    return counts


def _kappa(counts: Floats) -> Floats:
    """Return Cohen's kappa of ``(..., 4)`` counts, in the form without divisions but one, so that 0 / 0 is exact."""
    neither, only_b, only_a, both = np.moveaxis(counts, -1, 0)
    expected_disagreement = (neither + only_b) * (only_b + both) + (neither + only_a) * (only_a + both)
    both_constant = (counts != 0).sum(axis=-1) <= 1
    kappa = ratio(2 * (neither * both - only_b * only_a), expected_disagreement)
    kappa[both_constant] = np.nan
    return kappa


def _matthews(counts: Floats) -> Floats:
    """Return the Matthews correlation of ``(..., 4)`` counts."""
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
    groups: ArrayLike,
    weights: Floats,
    confidence: float,
) -> Estimate:
    """Estimate a coefficient that is a function of the 2 x 2 counts, linear in the agreement for given margins."""
    first, second = _decisions(a, b)
    codes = as_groups(groups, first.size, weights)
    by_group = sum_by_group(_outcomes(first, second), codes, weights.shape[1])
    counts = by_group.sum(axis=0)
    value = float(coefficient(counts))
    if math.isnan(value):
        return make_estimate(value, UNKNOWN, codes)
    clustered = percentile_interval(coefficient(weights @ by_group), count_groups(codes), confidence)
    independent = _with_margins_held(coefficient, counts, confidence)
    return make_estimate(value, wider(independent, clustered), codes)


def _with_margins_held(coefficient: Callable[[Floats], Floats], counts: Floats, confidence: float) -> Interval:
    """Carry Wilson's interval of the agreement over to a coefficient, holding each detector's own rate.

    Kappa and the Matthews correlation are both (observed - expected agreement) / scale, where ``expected`` and
    ``scale`` depend on the two rates alone.
    """
    neither, only_b, only_a, both = counts
    n = float(counts.sum())
    agreed = wilson(neither + both, int(n), confidence)
    expected = ((neither + only_b) * (neither + only_a) + (only_a + both) * (only_b + both)) / n**2
    scale = 1 - expected if coefficient is _kappa else 2 * float(_margins_scale(counts)) / n**2
    return Interval(max(-1.0, (agreed.low - expected) / scale), min(1.0, (agreed.high - expected) / scale))


def _rank_correlations(first: Floats, second: Floats, groups: Codes, weights: Floats) -> Floats:
    """Return Spearman's correlation in every resample, ranked anew.

    In single precision: ranks are whole or half numbers far below 2**24 and exact, sums of their products need not be.
    """
    if first.size == 0:
        return np.full(weights.shape[0], np.nan)
    precision: np.dtype[np.floating] = np.dtype(np.float32 if weights.shape[0] > 1 else np.float64)
    n_groups = weights.shape[1]
    counts_first = _centred_midcounts(first, groups, n_groups).astype(precision)
    counts_second = _centred_midcounts(second, groups, n_groups).astype(precision)
    by_group = weights.T.astype(precision)
    columns = max(1, _RANKS_AT_A_TIME // first.size)
    blocks = []
    for start in range(0, weights.shape[0], columns):
        block = np.ascontiguousarray(by_group[:, start : start + columns])
        blocks.append(_correlation(counts_first @ block, counts_second @ block, block[groups]))
    return np.concatenate(blocks)


def _centred_midcounts(values: Floats, groups: Codes, n_groups: int) -> Floats:
    """Count each group's clips below every clip, less half of the group's: ``(n, G)``.

    Summed with the weights of a resample it is the clip's rank there less the mean rank, ties sharing theirs; and
    centred like this, sums of ranks need no correction for a mean.
    """
    return midcounts(values, values, groups, n_groups) - np.bincount(groups, minlength=n_groups) / 2


def _correlation(x: _Block, y: _Block, weights: _Block) -> Floats:
    """Correlate the columns of two centred ``(n, b)`` matrices, weighted."""
    weighted = weights * x
    covariance = np.einsum("nb,nb->b", weighted, y)
    variance_x = np.einsum("nb,nb->b", weighted, x)
    variance_y = np.einsum("nb,nb->b", np.multiply(weights, y, out=weighted), y)
    return np.clip(ratio(covariance, np.sqrt(variance_x) * np.sqrt(variance_y)), -1.0, 1.0)
