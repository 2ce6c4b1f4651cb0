"""Fidelity in strata: numbers of a count by hand, and a kappa that attack and label cannot earn."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealproof.attacks import AttackError, get_attack
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.matrix.attacking import AttackedPairs, attack_pairs
from sealproof.harness.matrix.cell import Cell
from sealproof.harness.statistics.agreement import estimate_kappa
from sealproof.harness.statistics.estimation.resamples import Resamples
from sealproof.harness.studies.extraction.exam import clips
from sealproof.harness.studies.extraction.exam.clips import Exam, ExamCell, hold_exam
from sealproof.harness.studies.extraction.exam.kappa import kappa_over_strata
from sealproof.harness.studies.extraction.exam.strata import measure_strata
from sealproof.harness.studies.extraction.exam.yardsticks import attack_and_label

ATTACKS = [get_attack(name) for name in ("identity", "white_noise.20db", "gain.6db")]


def _exam(dataset: Dataset, reference: np.ndarray) -> Exam:
    pairs = dataset.split("test")[: reference.shape[1] // 2]
    cells = [ExamCell(attack, Path(), row) for attack, row in zip(ATTACKS, reference, strict=False)]
    return Exam([pair.group for pair in pairs], cells, {}, 0, "key")


def test_strata_are_those_of_a_count_by_hand(bench_dataset: Dataset) -> None:
    reference = np.array([[0, 0, 1, 1], [0, 0, 1, 0], [1, 0, 1, 1]], dtype=np.bool_)
    says = np.array([[0, 0, 1, 1], [0, 1, 1, 0], [0, 0, 0, 1]], dtype=np.bool_)
    found = {
        (each.stratum, each.label, each.metric): each.estimate
        for each in measure_strata(_exam(bench_dataset, reference), says, ("noise",))
    }
    assert found["unattacked", "all", "agreement"].value == 1
    assert found["attacked", "all", "agreement"].value == 5 / 8
    assert found["attacked", "all", "agreement"].n_clips == 8
    assert found["attacked", "clean", "agreement"].value == 2 / 4
    assert found["attacked", "marked", "accuracy"].value == 2 / 4
    # Noise alone leaves between 10 and 90 % of the marks.
    assert found["half_failing", "all", "agreement"].value == 3 / 4
    assert found["detector_wrong", "all", "agreement"].value == 1 / 2
    assert found["detector_wrong", "all", "agreement"].n_clips == 2
    assert found["seen_families", "all", "agreement"].value == 3 / 4
    assert found["unseen_families", "all", "agreement"].value == 2 / 4


def test_kappa_over_one_stratum_is_cohens() -> None:
    rng = np.random.default_rng(0)
    a = rng.random(200) < 0.5
    b = a ^ (rng.random(200) < 0.2)
    resamples = Resamples.of([str(at // 10) for at in range(200)], 0)
    ours = kappa_over_strata(a, b, np.zeros(200, np.intp), resamples.codes, resamples)
    theirs = estimate_kappa(a, b, resamples)
    assert ours.value == pytest.approx(theirs.value)
    assert ours.ci_low < ours.value < ours.ci_high
    assert abs(ours.ci_low - theirs.ci_low) < 0.05


def test_who_knows_the_stratum_alone_has_no_kappa() -> None:
    rng = np.random.default_rng(1)
    strata = np.repeat(np.arange(4), 100)
    rates = np.array([0.02, 0.4, 0.6, 0.98])
    b = rng.random(400) < rates[strata]
    resamples = Resamples.of([str(at % 20) for at in range(400)], 0)
    knows = kappa_over_strata(rates[strata] > 0.5, b, strata, resamples.codes, resamples)
    assert knows.value == pytest.approx(0)
    assert kappa_over_strata(b, b, strata, resamples.codes, resamples).value == 1
    same = kappa_over_strata(strata < 2, strata < 2, strata, resamples.codes, resamples)
    assert np.isnan(same.value)


def test_the_best_guess_by_attack_and_label_is_what_the_detector_mostly_said(bench_dataset: Dataset) -> None:
    known = _exam(bench_dataset, np.array([[0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 0, 1], [1, 1, 0, 1, 1, 1]], np.bool_))
    asked = _exam(bench_dataset, np.zeros((3, 4), np.bool_))
    expected = [[0, 0, 1, 1], [0, 0, 0, 0], [1, 1, 1, 1]]
    np.testing.assert_array_equal(attack_and_label(known)(asked), expected)


def test_an_exam_is_held_once_and_leaves_out_what_cannot_be_done(
    bench_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = bench_dataset.split("test")[:3]

    def failing(dataset: Dataset, knowledge: Any, cell: Cell, *rest: Any) -> AttackedPairs:
        if "gain" in cell.attack.id:
            raise AttackError("gain is broken.")
        return attack_pairs(dataset, knowledge, cell, *rest)

    monkeypatch.setattr(clips, "attack_pairs", failing)
    first = hold_exam(bench_dataset, pairs, ATTACKS, 0, tmp_path)
    assert [cell.attack.id for cell in first.cells] == ["identity", "white_noise.20db"]
    assert first.failed == {"gain.6db": "gain is broken."}
    np.testing.assert_array_equal(
        np.concatenate(list(first.cells[0].blocks())),
        bench_dataset.audio([pair.clean for pair in pairs] + [pair.watermarked for pair in pairs]),
    )
    assert first.reference[0].tolist() == [False] * 3 + [True] * 3
    monkeypatch.setattr(clips, "attack_pairs", None)
    again = hold_exam(bench_dataset, pairs, ATTACKS[:2], 0, tmp_path)
    np.testing.assert_array_equal(again.reference, first.reference)
