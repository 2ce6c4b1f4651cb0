"""Robust accuracy by budget, read off a run's clips: what is left whatever of all its attacks is done to a clip."""

from pathlib import Path

import numpy as np

from sealproof.harness.datasets.manifest import CLEAN
from sealproof.harness.statistics.estimation.worst_case import WorstCase, worst_case
from sealproof.harness.tables.dictionary.columns import CLIPS
from sealproof.harness.tables.reading.clips import ABSENT, LABELS, read_damage
from sealproof.harness.tables.reading.marking import marks_clean_clips
from sealproof.harness.tables.resamples import resamples_of
from sealproof.harness.tables.rules import FIXED

UNATTACKED = ("identity", "")


def worst_cases(root: Path, scheme: str, detector: str, dataset_seed: int) -> list[WorstCase]:
    """Return the worst case of clean and of watermarked clips under a run's attacks, at the detector's own threshold.

    Args:
        root: The run folder.
        scheme: The run's. An attack that puts its mark on clean clips is none on these: flagging them is right.
        detector: Whose decisions: the reference's.
        dataset_seed: For the intervals.

    Returns:
        One for each label; none where the unattacked cell failed.

    Raises:
        HarnessError: clips.csv is damaged.
    """
    read = read_damage(root / CLIPS, detector, FIXED)
    if UNATTACKED not in read.cells:
        return []
    truth = np.arange(len(LABELS))[:, None]
    wrong = (read.flagged != truth) & (read.flagged != ABSENT)
    marking = [marks_clean_clips(*cell, scheme) for cell in read.cells]
    wrong[marking, LABELS.index(CLEAN)] = False
    plain = read.cells.index(UNATTACKED)
    names = [f"{attack} {params}".strip() for attack, params in read.cells]
    resamples = resamples_of(list(read.groups), dataset_seed)
    return [
        worst_case(label, names, wrong[:, place], read.snr_db[:, place], ~wrong[plain, place], resamples)
        for place, label in enumerate(LABELS)
    ]
