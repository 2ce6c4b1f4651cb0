"""How well scores separate watermarked clips from clean ones over all thresholds: the ROC curve and its figures.

Conventions are those of `detection`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from sealproof.harness.statistics.estimation.bootstrap import (
    bootstrap_auc,
    bootstrap_eer,
    bootstrap_tpr_at_allowance,
    midcounts,
    pairwise_wins,
)
from sealproof.harness.statistics.estimation.estimate import Estimate, make_estimate
from sealproof.harness.statistics.estimation.intervals import (
    UNKNOWN,
    Interval,
    joined,
    mean_of_rates,
    normal_quantile,
    wider,
    wilson,
)
from sealproof.harness.statistics.estimation.resamples import Resamples
from sealproof.harness.statistics.estimation.vectors import (
    Codes,
    Flags,
    Floats,
    as_flags,
    as_scores,
    ratio,
    require_equal_length,
)
from sealproof.harness.statistics.thresholds import threshold_at_fpr

__all__ = [
    "auc",
    "auc_interval",
    "beyond_highest",
    "eer",
    "estimate_auc",
    "estimate_eer",
    "estimate_tpr_at_fpr",
    "kept_share",
    "tpr_at_fpr",
]


def auc(scores: ArrayLike, is_watermarked: ArrayLike) -> float:
    """Probability that a watermarked clip scores higher than a clean one, a tie counting half.

    The area under the ROC curve. Range [0, 1], higher is better, .5 by chance. NaN where a class is missing. Compare
    clips under the same attack: attacks move the clean clips' scores too. (Hanley and McNeil 1982, Radiology 143.)

    Args:
        scores: `(n,)` scores.
        is_watermarked: `(n,)` booleans, the truth.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    marked, clean = _split_scores(scores, is_watermarked)
    wins = midcounts(marked, clean, _one_group(clean), 1).sum(dtype=np.float64)
    return float(ratio(wins, marked.size * clean.size))


def eer(scores: ArrayLike, is_watermarked: ArrayLike) -> float:
    """Equal error rate: the rate of misses and of false alarms at the threshold where both are the same.

    Where the ROC curve, its points joined by straight lines, has FPR = 1 - TPR. Range [0, 1], lower is better, .5 by
    chance; above .5 the detector is better when turned around. NaN where a class is missing. Its threshold is fitted to
    these clips, which makes it somewhat optimistic. (Martin et al. 1997, The DET Curve in Assessment of Detection Task
    Performance, Eurospeech.)

    Args:
        scores: `(n,)` scores.
        is_watermarked: `(n,)` booleans, the truth.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    marked, clean = _split_scores(scores, is_watermarked)
    return float(bootstrap_eer(marked, _one_group(marked), clean, _one_group(clean), np.ones((1, 1)))[0])


def tpr_at_fpr(scores: ArrayLike, is_watermarked: ArrayLike, target_fpr: float) -> float:
    """Share of watermarked clips that are flagged at the threshold that flags at most a given share of the clean ones.

    The threshold is `threshold_at_fpr` of these very clean clips (attacked ones in a cell), so no calibration split
    is involved. Range [0, 1], higher is better. NaN where a class is missing, or the clean clips are too few for any
    threshold (`fpr_support`). (Carlini et al. 2022, Membership Inference
    Attacks From First Principles, on why low false positive rates are the ones to report.)

    Args:
        scores: `(n,)` scores.
        is_watermarked: `(n,)` booleans, the truth.
        target_fpr: Highest false positive rate allowed, in (0, 1].

    Raises:
        ValueError: If the arguments do not fit each other, or the target is not in (0, 1].
    """
    marked, clean = _split_scores(scores, is_watermarked)
    if marked.size == 0 or clean.size == 0:
        return math.nan
    threshold = threshold_at_fpr(clean, target_fpr)
    return math.nan if threshold is None else float(np.count_nonzero(marked > threshold) / marked.size)


def estimate_auc(scores: ArrayLike, is_watermarked: ArrayLike, resamples: Resamples) -> Estimate:
    """AUC with the wider of the interval for independent clips and the cluster bootstrap's.

    The bootstrap is exact: it counts the pairs of every resample. The interval for independent clips is a score
    interval that has a width at an AUC of 1 too (Newcombe 2006, Statistics in Medicine 25, part 2, method 5).

    Args:
        scores: `(n,)` scores.
        is_watermarked: `(n,)` booleans, the truth.
        resamples: Of the `n` clips.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    marked, clean, truth = _split_clips(scores, is_watermarked, resamples)
    codes, weights = resamples.codes, resamples.weights
    wins = pairwise_wins(marked, codes[truth], clean, codes[~truth], weights.shape[1])
    value = float(ratio(wins.sum(), marked.size * clean.size))
    replicates = bootstrap_auc(wins, resamples.sums(truth), resamples.sums(~truth), weights)
    clustered = resamples.interval(replicates, extremes=_by_chance(value))
    independent = auc_interval(value, marked.size, clean.size, resamples.confidence)
    return make_estimate(value, wider(independent, clustered), resamples)


def estimate_eer(scores: ArrayLike, is_watermarked: ArrayLike, resamples: Resamples) -> Estimate:
    """Equal error rate with the wider of the interval for independent clips and the cluster bootstrap's.

    The bootstrap is exact: every resample has a threshold of its own. The interval for independent clips is that of the
    mean of miss and false alarm rate at a given threshold; it has a width at an EER of 0 too (Newcombe 1998, Statistics
    in Medicine 17, method 10, for a mean in place of a difference).

    Args:
        scores: `(n,)` scores.
        is_watermarked: `(n,)` booleans, the truth.
        resamples: Of the `n` clips.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    marked, clean, truth = _split_clips(scores, is_watermarked, resamples)
    codes = resamples.codes
    value = eer(scores, is_watermarked)
    if math.isnan(value):
        return make_estimate(value, UNKNOWN, resamples)
    replicates = bootstrap_eer(marked, codes[truth], clean, codes[~truth], resamples.weights)
    clustered = resamples.interval(replicates, extremes=_by_chance(value))
    independent = mean_of_rates(value * marked.size, marked.size, value * clean.size, clean.size, resamples.confidence)
    return make_estimate(value, wider(independent, clustered), resamples)


def estimate_tpr_at_fpr(
    scores: ArrayLike, is_watermarked: ArrayLike, target_fpr: float, resamples: Resamples
) -> Estimate:
    """TPR at a false positive rate with an interval for the TPR at that *true* rate.

    The bootstrap sets the threshold anew in every resample, and reckons with clean clips above the highest that was
    seen: `beyond_highest`. Where these alone exceed the target, no threshold that was seen will do, and the ROC curve
    is taken to be a straight line from the highest score's point to the origin, below which no concave curve lies.
    Wilson's interval, which takes the threshold as given, stands in where it is the wider.

    Args:
        scores: `(n,)` scores.
        is_watermarked: `(n,)` booleans, the truth.
        target_fpr: Highest false positive rate allowed, in (0, 1].
        resamples: Of the `n` clips.

    Raises:
        ValueError: If the arguments do not fit each other, or the target is not in (0, 1].
    """
    marked, clean, truth = _split_clips(scores, is_watermarked, resamples)
    value = tpr_at_fpr(scores, is_watermarked, target_fpr)
    if math.isnan(value):
        return make_estimate(value, UNKNOWN, resamples)
    of_clean, weights = resamples.of_clips(~truth), resamples.weights
    beyond = beyond_highest(clean, of_clean)
    n_clean = weights @ of_clean.counts()
    allowed = target_fpr * (n_clean + beyond) - beyond
    replicates = bootstrap_tpr_at_allowance(
        marked, resamples.codes[truth], clean, of_clean.codes, allowed, weights
    ) * kept_share(target_fpr, n_clean, beyond)
    clustered = joined(resamples.interval(replicates), resamples.interval(replicates, extremes=(0, 1)))
    independent = wilson(round(value * marked.size), marked.size, resamples.confidence)
    return make_estimate(value, wider(independent, clustered), resamples)


def beyond_highest(clean: Floats, resamples: Resamples) -> Floats:
    """Draw how many clean clips lie above the highest score seen, in every resample: `(B,)`.

    Of independent clips the share above the highest of `n` is about a standard exponential variable over `n`. Where
    high scores come by the recording, `n` is to be divided by how many come together: the clips of a recording among
    the highest twentieth (at least 10), over as many as chance would put there.

    Args:
        clean: `(n,)` scores of clean clips.
        resamples: Of these clips.
    """
    n_top = min(clean.size, max(10, clean.size // 20))
    # Ties at the edge go to all that share the score, not to the first of the file.
    top = clean >= np.partition(clean, clean.size - n_top)[clean.size - n_top]
    counts, sizes = resamples.sums(top), resamples.counts()
    together = (counts**2).sum() / counts.sum()
    by_chance = 1 + (counts.sum() - 1) * (sizes**2).sum() / sizes.sum() ** 2
    drawn: Floats = resamples.beyond * max(1.0, float(together / by_chance))
    return np.broadcast_to(drawn, resamples.weights.shape[:1])


def kept_share(target_fpr: float, n_clean: Floats, beyond: Floats) -> Floats:
    """Share of what is flagged at the highest clean score that stays flagged at the target: `(B,)`, mostly 1."""
    above: Floats = ratio(beyond, n_clean + beyond)
    return np.where(above > target_fpr, target_fpr / np.maximum(above, target_fpr), 1.0)


def auc_interval(value: float, n_marked: int, n_clean: int, confidence: float = 0.95) -> Interval:
    """Interval of an AUC over independent clips, by Newcombe's score method.

    The AUCs whose distance from `value` is within the reach of their own standard error, that being Hanley and
    McNeil's for exponential scores with both class sizes replaced by their mean. (Newcombe 2006, Statistics in Medicine
    25, part 2, method 5.)

    Args:
        value: The AUC, in [0, 1]; the interval of a NaN is NaN.
        n_marked: Watermarked clips.
        n_clean: Clean clips.
        confidence: Share of intervals that shall cover.
    """
    z = normal_quantile(confidence)
    if math.isnan(value):
        return UNKNOWN
    excess = (n_marked + n_clean) / 2 - 1

    def within_reach(area: float) -> bool:
        shape = 1 + excess * ((1 - area) / (2 - area) + area / (1 + area))
        return (value - area) ** 2 <= z * z * area * (1 - area) * shape / (n_marked * n_clean)

    def edge(outside: float) -> float:
        inside = value
        for _ in range(50):
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if within_reach(middle) else (inside, middle)
        return inside

    return Interval(edge(0.0), edge(1.0))


def _by_chance(value: float) -> tuple[float, float]:
    """Return what an AUC or an EER may be in a recording of the worst and in one of the best kind.

    Chance is .5 away at most, and not all the way to 0. A little farther, as one recording may be worse than chance.
    """
    return max(0.0, value - 0.6), min(1.0, value + 0.6)


def _split_scores(scores: ArrayLike, is_watermarked: ArrayLike) -> tuple[Floats, Floats]:
    """Split the scores into those of watermarked and those of clean clips."""
    numbers, truth = as_scores("scores", scores), as_flags("is_watermarked", is_watermarked)
    require_equal_length(numbers.size, truth.size)
    return numbers[truth], numbers[~truth]


def _split_clips(scores: ArrayLike, is_watermarked: ArrayLike, resamples: Resamples) -> tuple[Floats, Floats, Flags]:
    """Split the scores of resampled clips into those of watermarked and of clean ones; the truth comes third."""
    marked, clean = _split_scores(scores, is_watermarked)
    truth = as_flags("is_watermarked", is_watermarked)
    resamples.require(truth.size)
    return marked, clean, truth


def _one_group(values: Floats) -> Codes:
    return np.zeros(values.size, dtype=np.intp)
