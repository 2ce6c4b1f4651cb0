"""Rates at a calibrated threshold, with intervals that know that another calibration split gives another threshold.

The threshold is a figure of few clips: of 100 clean ones it is the highest score. An interval that takes it as given
covers the TPR at a true 1 % of false positives in 35 to 55 % of samples with 50 to 120 calibration clips. Here the
calibration split is resampled, too, by recording: what the interval covers is the rate at the threshold that 1 % of
*all* such clean clips exceed, not the one at the threshold that happened to be calibrated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sealproof.harness.statistics.detection import decisions_and_truth
from sealproof.harness.statistics.estimation.bootstrap_ranks import Ranked, first_reaching
from sealproof.harness.statistics.estimation.estimate import Estimate, make_estimate
from sealproof.harness.statistics.estimation.intervals import mean_of_rates, wider, wilson
from sealproof.harness.statistics.estimation.resamples import N_RESAMPLES, Resamples
from sealproof.harness.statistics.estimation.vectors import Codes, Flags, Floats, as_scores, ratio
from sealproof.harness.statistics.roc import beyond_highest, kept_share
from sealproof.harness.statistics.thresholds import threshold_at_fpr

__all__ = ["CalibratedThreshold", "calibrate_threshold", "estimate_rates"]


@dataclass(frozen=True, eq=False)
class CalibratedThreshold:
    """A threshold, and what it would have been with other calibration recordings.

    Attributes:
        value: The threshold.
        others: `(K,)` thresholds of the resamples, each once, rising.
        place: `(B,)` which of them each resample has.
        kept: `(B,)` share of what is flagged there that would stay flagged; below 1 where the threshold lies beyond
            the highest score seen.
    """

    value: float
    others: Floats
    place: Codes
    kept: Floats

    @classmethod
    def given(cls, value: float, n_resamples: int = N_RESAMPLES) -> CalibratedThreshold:
        """Return a threshold without any uncertainty of its own.

        Args:
            value: The threshold.
            n_resamples: As many as the clips that will be judged have.
        """
        return cls(value, np.array([value]), np.zeros(n_resamples, dtype=np.intp), np.ones(n_resamples))


def calibrate_threshold(clean_scores: ArrayLike, target_fpr: float, resamples: Resamples) -> CalibratedThreshold | None:
    """Calibrate a threshold on clean clips, and on every resample of them.

    Args:
        clean_scores: `(n,)` scores of the calibration split's clean clips.
        target_fpr: Highest false positive rate allowed, in (0, 1].
        resamples: Of these clips; as many as those of the clips that will be judged, and drawn apart from them.

    Returns:
        The threshold; None where there are too few clips for any (`thresholds.fpr_support`).

    Raises:
        ValueError: If the arguments do not fit each other, or the target is not in (0, 1].
    """
    clean = as_scores("clean_scores", clean_scores)
    resamples.require(clean.size)
    value = threshold_at_fpr(clean, target_fpr)
    if value is None:
        return None
    beyond = beyond_highest(clean, resamples)
    n_clean = resamples.weights @ resamples.counts()
    allowed = np.maximum(target_fpr * (n_clean + beyond) - beyond, 0.0)
    distinct, ranks = np.unique(clean, return_inverse=True)
    crossing = first_reaching(
        [Ranked(ranks, resamples.codes, 1.0)],
        np.maximum(n_clean - allowed - 1e-6 * n_clean, 1e-3),
        distinct.size,
        resamples.weights,
    )
    positions, place = np.unique(crossing.position, return_inverse=True)
    return CalibratedThreshold(
        value, distinct[positions], place.astype(np.intp), kept_share(target_fpr, n_clean, beyond)
    )


def estimate_rates(
    scores: ArrayLike, is_watermarked: ArrayLike, threshold: CalibratedThreshold, resamples: Resamples
) -> Mapping[str, Estimate]:
    """Accuracy, balanced accuracy, TPR and FPR at a calibrated threshold, by name.

    The value is that at `threshold.value`. Each is given the wider of the cluster bootstrap's interval and the one of
    `detection` for independent clips.

    Args:
        scores: `(n,)` scores.
        is_watermarked: `(n,)` booleans, the truth.
        threshold: Of the same detector.
        resamples: Of the `n` clips.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    numbers = as_scores("scores", scores)
    flags, truth = decisions_and_truth(numbers, is_watermarked, threshold.value)
    resamples.require(truth.size)
    hits, n_marked, alarms, n_clean = _tally(flags, truth).sum(axis=0).tolist()
    flagged = _on_resamples(numbers, truth, threshold, resamples)
    of_marked, of_clean = resamples.of_clips(truth), resamples.of_clips(~truth)
    tpr, fpr = ratio(flagged[:, 0], flagged[:, 1]), ratio(flagged[:, 2], flagged[:, 3])
    n, right = n_marked + n_clean, hits + n_clean - alarms
    of_all = ratio(flagged[:, 0] + flagged[:, 3] - flagged[:, 2], flagged[:, 1] + flagged[:, 3])
    level = resamples.confidence
    rates = {
        "accuracy": (float(ratio(right, n)), of_all, wilson(right, n, level), resamples),
        "balanced_accuracy": (
            float(ratio(hits, n_marked) + 1 - ratio(alarms, n_clean)) / 2,
            (tpr + 1 - fpr) / 2,
            mean_of_rates(hits, n_marked, n_clean - alarms, n_clean, level),
            resamples,
        ),
        "tpr": (float(ratio(hits, n_marked)), tpr, wilson(hits, n_marked, level), of_marked),
        "fpr": (float(ratio(alarms, n_clean)), fpr, wilson(alarms, n_clean, level), of_clean),
    }
    return {
        name: make_estimate(value, wider(independent, clips.interval(replicates, extremes=(0, 1))), clips)
        for name, (value, replicates, independent, clips) in rates.items()
    }


def _on_resamples(scores: Floats, truth: Flags, threshold: CalibratedThreshold, resamples: Resamples) -> Floats:
    """Count by weight, in every resample at its own threshold: hits, marked, alarms, clean clips, `(B, 4)`."""
    weights = resamples.weights
    if threshold.place.size != weights.shape[0]:
        raise ValueError(
            f"The calibration must have as many resamples as the clips that are judged, {weights.shape[0]}. "
            f"Got {threshold.place.size}."
        )
    totals = np.empty((weights.shape[0], 4))
    for place, other in enumerate(threshold.others.tolist()):
        rows = np.flatnonzero(threshold.place == place)
        totals[rows] = weights[rows] @ resamples.sums(_tally(scores > other, truth))
    totals[:, [0, 2]] *= threshold.kept[:, None]
    return totals


def _tally(flags: Flags, truth: Flags) -> Flags:
    return np.stack([flags & truth, truth, flags & ~truth, ~truth], axis=1)
