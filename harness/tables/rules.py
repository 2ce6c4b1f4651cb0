"""How scores become decisions: the thresholds of a detector, and the rules that others use for AudioSeal's kind.

Published numbers for one detector differ because each benchmark decides in another way. A table says by which rule.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.matrix.outcome import Outcome, Scores
from sealproof.harness.statistics.calibrated import CalibratedThreshold, calibrate_threshold
from sealproof.harness.statistics.message import bit_accuracy_per_clip
from sealproof.harness.statistics.thresholds import TARGET_FPR, fpr_support
from sealproof.harness.tables.resamples import calibration_resamples_of

FIXED, CALIBRATED, CALIBRATED_STRICT, BEST = "fixed", "fpr_1pct", "fpr_0.1pct", "best"
"""Rules that hold a threshold against the score: the detector's own; those with 1 % and 0.1 % false positives on clean,
unattacked calibration clips; and the one that suits the very cell best, which nobody knows beforehand."""

TARGET_FPRS: Mapping[str, float] = {CALIBRATED: TARGET_FPR, CALIBRATED_STRICT: 0.001}
"""The calibrated rules and their rates of false positives."""

MEAN_PROBABILITY, LOW_TAU, BITS = "mean_probability", "low_tau", "bits"
"""Rules for detectors whose frames are probabilities, beside their score, the share of frames above 0.5."""

MEAN_PROBABILITY_THRESHOLD = 0.5
LOW_TAU_THRESHOLD = 0.1
"""AudioMarkBench's (Liu et al. 2024, NeurIPS): tau in its no-box table."""
BITS_THRESHOLD = 0.8
"""13 of 16 bits: an unmarked clip reaches that in 1.1 % of cases, if its bits are tosses of a coin."""


@dataclass(frozen=True)
class Thresholds:
    """A detector's thresholds.

    Attributes:
        fixed: The detector's own.
        calibrated: By rule, the one that new clean clips exceed at that rate at most, from those of the calibration
            split; a rule for which these are too few is missing.
        n_negatives: Number of those clips.
    """

    fixed: float
    calibrated: Mapping[str, CalibratedThreshold]
    n_negatives: int

    def is_supported(self, rule: str) -> bool:
        """Say whether there are enough clean calibration clips for a calibrated rule."""
        return fpr_support(self.n_negatives, TARGET_FPRS[rule])

    def by_rule(self) -> dict[str, float]:
        """Return the thresholds by the rules' names; a rule for which there are too few clips is missing."""
        return {FIXED: self.fixed, **{rule: threshold.value for rule, threshold in self.calibrated.items()}}

    def why_not(self, rule: str) -> str:
        """Say why a calibrated rule has no threshold; empty where it has one."""
        return "" if self.is_supported(rule) else why_no_threshold(self.n_negatives, TARGET_FPRS[rule])


def why_no_threshold(n_negatives: int, target_fpr: float) -> str:
    """Say that there are too few clean calibration clips for a threshold, and how many it takes."""
    return (
        f"no threshold: {100 * target_fpr:g} % false positives take {1 / target_fpr - 1:,.0f} clean calibration clips, "
        f"there are {n_negatives:,}"
    )


def calibrate(outcome: Outcome, groups: Sequence[str], dataset_seed: int) -> dict[str, Thresholds]:
    """Return every detector's thresholds from the calibration cell.

    Args:
        outcome: The calibration cell's.
        groups: The group of every clip in it.
        dataset_seed: The dataset's seed, for what the thresholds would be with other recordings.
    """
    resamples = calibration_resamples_of(groups, dataset_seed)
    by_name = {}
    for name, scores in outcome.scores.items():
        clean = scores.score[0]
        thresholds = {rule: calibrate_threshold(clean, target, resamples) for rule, target in TARGET_FPRS.items()}
        known = {rule: threshold for rule, threshold in thresholds.items() if threshold is not None}
        by_name[name] = Thresholds(scores.threshold, known, int(clean.size))
    return by_name


def alternative_decisions(scores: Scores, messages: NDArray[np.uint8]) -> dict[str, NDArray[np.bool_]]:
    """Decide by the rules for detectors whose frames are probabilities; none for others.

    Args:
        scores: Of clean and watermarked clips.
        messages: (clips, bits) what was sent in each watermarked clip; a clean clip is asked for its twin's message.

    Returns:
        By rule, (labels, clips).
    """
    if not scores.mean_probability.size:
        return {}
    decisions = {
        MEAN_PROBABILITY: scores.mean_probability > MEAN_PROBABILITY_THRESHOLD,
        # In single precision, as the score is: a share of exactly 10 % is not more than 10 %.
        LOW_TAU: scores.score > np.float32(LOW_TAU_THRESHOLD),
    }
    if scores.bits.shape[-1]:
        shares = np.stack([bit_accuracy_per_clip(bits, messages) for bits in scores.bits])
        decisions[BITS] = shares > BITS_THRESHOLD
    return decisions
