"""How well a detector tells watermarked clips from clean ones, at a threshold.

Conventions: a score is higher the surer the detector is that a clip is watermarked, and its decision is `score >
threshold`, strictly. Every function is pure. A metric over no clips (a true positive rate without watermarked clips)
is NaN, "not defined", and never 0. `estimate_...` gives the same value with an interval.

Arguments, of all functions:

- `scores`: `(n,)` scores, without NaN.
- `is_watermarked`: `(n,)` booleans, the truth.
- `threshold`: In the unit of the scores. It is taken as given: where it was calibrated, `calibrated` has the
  estimates that know its own uncertainty.
- `resamples`: Of the `n` clips.

All raise ValueError where the arguments do not fit each other.

Rates at a threshold are defined here; figures over all thresholds come from `roc`, thresholds from `thresholds`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from sealproof.harness.statistics.estimation.estimate import Estimate, estimate_rate, make_estimate
from sealproof.harness.statistics.estimation.intervals import mean_of_rates, wider
from sealproof.harness.statistics.estimation.resamples import Resamples
from sealproof.harness.statistics.estimation.vectors import Flags, Floats, as_flags, ratio, require_equal_length
from sealproof.harness.statistics.thresholds import decide

__all__ = [
    "accuracy",
    "balanced_accuracy",
    "decisions_and_truth",
    "estimate_accuracy",
    "estimate_balanced_accuracy",
    "estimate_fpr",
    "estimate_tpr",
    "fpr",
    "tpr",
]


def accuracy(scores: ArrayLike, is_watermarked: ArrayLike, threshold: float) -> float:
    """Share of clips decided rightly: (true positives + true negatives) / clips.

    Range [0, 1], higher is better; .5 by chance where both classes are equally many.
    """
    decisions, truth = decisions_and_truth(scores, is_watermarked, threshold)
    return _share(decisions == truth)


def tpr(scores: ArrayLike, is_watermarked: ArrayLike, threshold: float) -> float:
    """Share of watermarked clips that are flagged: the true positive rate, or recall.

    Range [0, 1], higher is better for the detector; 1 minus the miss rate. NaN without watermarked clips.
    """
    decisions, truth = decisions_and_truth(scores, is_watermarked, threshold)
    return _share(decisions[truth])


def fpr(scores: ArrayLike, is_watermarked: ArrayLike, threshold: float) -> float:
    """Share of clean clips that are flagged: the false positive rate.

    Range [0, 1], lower is better for the detector. NaN without clean clips.
    """
    decisions, truth = decisions_and_truth(scores, is_watermarked, threshold)
    return _share(decisions[~truth])


def balanced_accuracy(scores: ArrayLike, is_watermarked: ArrayLike, threshold: float) -> float:
    """Mean of the shares of watermarked and of clean clips decided rightly: (TPR + 1 - FPR) / 2.

    Range [0, 1], higher is better; .5 for a detector that always says the same. NaN where a class is missing.
    """
    decisions, truth = decisions_and_truth(scores, is_watermarked, threshold)
    return (_share(decisions[truth]) + _share(~decisions[~truth])) / 2


def estimate_accuracy(scores: ArrayLike, is_watermarked: ArrayLike, threshold: float, resamples: Resamples) -> Estimate:
    """Accuracy with the wider of Wilson's and the cluster bootstrap's interval."""
    decisions, truth = decisions_and_truth(scores, is_watermarked, threshold)
    return estimate_rate(decisions == truth, resamples)


def estimate_tpr(scores: ArrayLike, is_watermarked: ArrayLike, threshold: float, resamples: Resamples) -> Estimate:
    """True positive rate with the wider of Wilson's and the cluster bootstrap's interval."""
    decisions, truth = decisions_and_truth(scores, is_watermarked, threshold)
    resamples.require(truth.size)
    return estimate_rate(decisions[truth], resamples.of_clips(truth))


def estimate_fpr(scores: ArrayLike, is_watermarked: ArrayLike, threshold: float, resamples: Resamples) -> Estimate:
    """False positive rate with the wider of Wilson's and the cluster bootstrap's interval."""
    decisions, truth = decisions_and_truth(scores, is_watermarked, threshold)
    resamples.require(truth.size)
    return estimate_rate(decisions[~truth], resamples.of_clips(~truth))


def estimate_balanced_accuracy(
    scores: ArrayLike, is_watermarked: ArrayLike, threshold: float, resamples: Resamples
) -> Estimate:
    """Balanced accuracy with the wider of the interval for independent clips and the cluster bootstrap's.

    The former joins the Wilson intervals of the two rates (Newcombe 1998, Statistics in Medicine 17, method 10, for a
    mean in place of a difference).
    """
    decisions, truth = decisions_and_truth(scores, is_watermarked, threshold)
    resamples.require(truth.size)
    right = decisions == truth
    by_group = resamples.sums(np.stack([right & truth, truth, right & ~truth, ~truth], axis=1))
    hits, n_marked, rejections, n_clean = by_group.sum(axis=0)
    value = float(ratio(hits, n_marked) + ratio(rejections, n_clean)) / 2
    totals = resamples.weights @ by_group
    replicates = (ratio(totals[:, 0], totals[:, 1]) + ratio(totals[:, 2], totals[:, 3])) / 2
    clustered = resamples.interval(replicates, extremes=(0, 1))
    independent = mean_of_rates(hits, int(n_marked), rejections, int(n_clean), resamples.confidence)
    return make_estimate(value, wider(independent, clustered), resamples)


def decisions_and_truth(scores: ArrayLike, is_watermarked: ArrayLike, threshold: float) -> tuple[Flags, Flags]:
    """Check that scores and truth fit each other, and decide."""
    decisions, truth = decide(scores, threshold), as_flags("is_watermarked", is_watermarked)
    require_equal_length(decisions.size, truth.size)
    return decisions, truth


def _share(values: Flags | Floats) -> float:
    """Mean, with NaN instead of a warning for nothing."""
    return float(values.mean()) if values.size else math.nan
