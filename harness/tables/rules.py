"""How scores become decisions: the thresholds of a detector, and the rules that others use for AudioSeal's kind.

Published numbers for one detector differ because each benchmark decides in another way. A table says by which rule.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.matrix.outcome import Outcome, Scores
from sealproof.harness.statistics.message import bit_accuracy_per_clip
from sealproof.harness.statistics.thresholds import TARGET_FPR, fpr_support, threshold_at_fpr

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
        calibrated: By rule, the one with at most that rate of false positives on the calibration split's clean clips.
        n_negatives: Number of those clips.
    """

    fixed: float
    calibrated: Mapping[str, float]
    n_negatives: int

    def is_supported(self, rule: str) -> bool:
        """Say whether there are enough clean calibration clips for a calibrated rule."""
        return fpr_support(self.n_negatives, TARGET_FPRS[rule])

    def by_rule(self) -> dict[str, float]:
        """Return the thresholds by the rules' names."""
        return {FIXED: self.fixed, **self.calibrated}


def calibrate(outcome: Outcome) -> dict[str, Thresholds]:
    """Return every detector's thresholds from the calibration cell."""
    return {
        name: Thresholds(
            scores.threshold,
            {rule: threshold_at_fpr(scores.score[0], target) for rule, target in TARGET_FPRS.items()},
            int(scores.score[0].size),
        )
        for name, scores in outcome.scores.items()
    }


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
