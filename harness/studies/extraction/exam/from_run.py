"""A run as an exam: what its detectors said of its clips, so that mimics can be judged in strata after the fact."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from sealproof.attacks import get_attack
from sealproof.harness.studies.extraction.exam.clips import Decisions, Exam, ExamCell
from sealproof.harness.tables.reading.clips import ABSENT
from sealproof.harness.tables.reading.run_folder import RunFolder

_RULE = "fixed"
"""Every detector at its own threshold."""


def exam_of_run(folder: RunFolder) -> tuple[Exam, Mapping[str, Decisions]]:
    """Return a run's clips and its reference's decisions as an exam, and what each mimic said on it.

    Raises:
        HarnessError: The run's tables are damaged.
    """
    decisions = folder.decisions
    says = decisions.says[_RULE]
    attacks = {(cell.attack, cell.params): cell.attack_id for cell in folder.cells}
    # Cells that failed have no decisions.
    whole = [place for place in range(len(decisions.cells)) if not (says[place] == ABSENT).any()]
    order = sorted(whole, key=lambda place: attacks[decisions.cells[place]] != "identity")
    by_detector = {
        name: says[order, place].reshape(len(order), -1).astype(np.bool_)
        for place, name in enumerate(decisions.detectors)
    }
    reference = by_detector.pop(folder.detectors[0].name)
    cells = [
        ExamCell(get_attack(attacks[decisions.cells[place]]), Path(), row)
        for place, row in zip(order, reference, strict=True)
    ]
    groups = [decisions.group_of[name] for name in decisions.clip_ids]
    return Exam(groups, cells, {}, int(folder.facts["dataset_seed"]), ""), by_detector
