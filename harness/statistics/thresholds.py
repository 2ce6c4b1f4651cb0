"""Thresholds: where a detector's scores are cut into decisions.

A score is higher the surer the detector is that a clip is watermarked, and its decision is `score > threshold`,
strictly.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from sealproof.harness.statistics.estimation.vectors import Flags, as_flags, as_scores, require_equal_length

TARGET_FPR = 0.01
"""False-positive rate at which detectors are calibrated, on clean clips of the calibration split."""

__all__ = ["TARGET_FPR", "best_threshold", "decide", "fpr_support", "n_flagged_at_fpr", "threshold_at_fpr"]


def decide(scores: ArrayLike, threshold: float) -> Flags:
    """Decide for each clip whether it is watermarked: `score > threshold`.

    Args:
        scores: `(n,)` scores, without NaN.
        threshold: In the unit of the scores. A score equal to it is "clean".

    Returns:
        `(n,)` booleans.

    Raises:
        ValueError: If a score or the threshold is NaN.
    """
    if math.isnan(threshold):
        raise ValueError(
            "'threshold' must be a number. Got NaN, for which every clip would be clean; calibrate it first."
        )
    return as_scores("scores", scores) > threshold


def n_flagged_at_fpr(n_negatives: int, target_fpr: float) -> int | None:
    """Return how many of the clean calibration clips a threshold may flag; None where no threshold will do.

    A new clean clip is as likely to be the highest of `n + 1` as any of the `n` others. So above the `k`-th
    highest of these it lies with a probability of `k / (n + 1)` at most, and the threshold may be the `k`-th
    highest where that is within the target: `floor(target (n + 1)) - 1` of the clips lie above. (Split conformal
    prediction: Vovk, Gammerman and Shafer 2005, Algorithmic Learning in a Random World.)

    With fewer than `1 / target - 1` clips even the highest score is flagged too easily: 1 % takes 99 clean clips,
    0.1 % takes 999.

    Args:
        n_negatives: Clean clips in the calibration split.
        target_fpr: The false positive rate, in (0, 1].

    Raises:
        ValueError: If the target is not in (0, 1] or the number of clips is negative.
    """
    if not 0 < target_fpr <= 1:
        raise ValueError(f"'target_fpr' must be a share above 0 and up to 1, as 0.01 for 1 %. Got {target_fpr}.")
    if n_negatives < 0:
        raise ValueError(f"'n_negatives' must be at least 0. Got {n_negatives}.")
    # The product of 1 / x and x can round to just below 1.
    place = math.floor(target_fpr * (n_negatives + 1) + 1e-9)
    return min(place, n_negatives) - 1 if place >= 1 and n_negatives else None


def threshold_at_fpr(clean_scores: ArrayLike, target_fpr: float) -> float | None:
    """Return the smallest threshold among the scores of clean clips that new clean clips exceed rarely enough.

    The expected share of new clean clips above it is at most the target, clips being independent; of these very clips
    it flags as many as `n_flagged_at_fpr` says, or fewer where scores tie. Take the clean clips of a calibration
    split, not those under test, or the rate is optimistic. Clips that tie share one fate: as a decision is `score >
    threshold`, ties at the threshold are all "clean" and the reached rate can lie well below the target (it is 0 for a
    detector that gives every clean clip the same score).

    Args:
        clean_scores: `(n,)` scores of clean clips.
        target_fpr: Highest false positive rate allowed, in (0, 1].

    Returns:
        A threshold, in the unit of the scores; None where there are too few clips for any (see `fpr_support`).

    Raises:
        ValueError: If a score is NaN, or the target is not in (0, 1].
    """
    ordered = np.sort(as_scores("clean_scores", clean_scores))
    n_flagged = n_flagged_at_fpr(ordered.size, target_fpr)
    return None if n_flagged is None else float(ordered[ordered.size - 1 - n_flagged])


def fpr_support(n_negatives: int, target_fpr: float) -> bool:
    """Tell whether there are enough clean clips for a threshold at a false positive rate: `1 / target_fpr - 1`.

    Args:
        n_negatives: Clean clips in the calibration split.
        target_fpr: The false positive rate, in (0, 1].

    Raises:
        ValueError: If the target is not in (0, 1] or the number of clips is negative.
    """
    return n_flagged_at_fpr(n_negatives, target_fpr) is not None


def best_threshold(scores: ArrayLike, is_watermarked: ArrayLike) -> float:
    """Return the threshold at which most of these clips are decided rightly.

    No other cut of these scores has a higher accuracy. It has seen the very clips it is judged on, so figures at it are
    **optimistic**: an upper bound on what a detector could do that knew the attack. Of several best thresholds it is
    the highest, which flags the fewest clips.

    Args:
        scores: `(n,)` scores, at least one, without NaN.
        is_watermarked: `(n,)` booleans, the truth.

    Returns:
        A score of these clips; or, where flagging every clip is best, the next number below the lowest.

    Raises:
        ValueError: If there is no clip, or the arguments do not fit each other.
    """
    numbers, truth = as_scores("scores", scores), as_flags("is_watermarked", is_watermarked)
    require_equal_length(numbers.size, truth.size)
    if numbers.size == 0:
        raise ValueError("'scores' of best_threshold must hold at least one score. Got none.")
    distinct, ranks = np.unique(numbers, return_inverse=True)
    # Moving the threshold up to a score sets right the clean clips there and loses the watermarked ones.
    gained = np.cumsum(np.bincount(ranks, weights=np.where(truth, -1.0, 1.0)))
    best = distinct.size - 1 - int(np.argmax(gained[::-1]))
    if gained[best] < 0 and distinct[0] > -math.inf:
        return float(np.nextafter(distinct[0], -math.inf))
    return float(distinct[best])
