"""What needs no learning: two oracles, the detector itself moved by one sample, and mimics that are there."""

from collections.abc import Callable

import numpy as np

from sealproof.detectors.base import Audio, Detector
from sealproof.harness.studies.extraction.exam.clips import Decisions, Exam, flags

Yardstick = Callable[[Exam], Decisions]

TRUTH, ATTACK_AND_LABEL, SHIFTED = "oracle_truth", "oracle_attack_and_label", "detector_shifted"


def truth(exam: Exam) -> Decisions:
    """Answer with the truth: what agreement is worth that knows nothing of the detector."""
    return np.repeat(exam.truth[None], len(exam.cells), axis=0)


def attack_and_label(known: Exam) -> Yardstick:
    """Return the best guess that knows only the attack and the truth.

    Args:
        known: Other clips under the same attacks, on which it is learnt what the detector mostly says.
    """
    mostly = {
        cell.attack.id: [bool(cell.reference[known.truth == label].mean() > 0.5) for label in (False, True)]
        for cell in known.cells
    }

    def guess(exam: Exam) -> Decisions:
        # Where the attack failed on the other clips, the truth is the best that is known.
        return np.stack(
            [np.array(mostly.get(cell.attack.id, [False, True]))[exam.truth.astype(int)] for cell in exam.cells]
        )

    return guess


def shifted(detector: Detector) -> Yardstick:
    """Return the detector itself, hearing each clip one sample late: how faithful one can be at all."""

    def ask(exam: Exam) -> Decisions:
        return np.stack(
            [np.concatenate([flags(detector, _late(block)) for block in cell.blocks()]) for cell in exam.cells]
        )

    return ask


def of_detector(detector: Detector) -> Yardstick:
    """Return a detector as it is: a mimic that was trained before."""

    def ask(exam: Exam) -> Decisions:
        return exam.decisions(lambda audio: detector.detect(audio).score, detector.threshold)

    return ask


def _late(audio: Audio) -> Audio:
    return np.concatenate([audio[:, :1], audio[:, :-1]], axis=1)
