"""The extraction study: what a budget buys, what is kept, what is written, what is refused."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealproof.detectors import get_scheme
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.studies.extraction import study
from sealproof.harness.studies.extraction.imitators.base import Imitator, Judgement, Lesson
from sealproof.harness.studies.extraction.imitators.linear import Tone
from sealproof.harness.studies.extraction.lessons.data import judged_pairs
from sealproof.harness.studies.extraction.request import ExtractRequest
from sealproof.harness.studies.extraction.study import extract
from sealproof.harness.studies.extraction.summary import summary_lines
from sealproof.harness.studies.extraction.write import COLUMNS, SEED_COLUMNS, measured, write_results

SMALL = ExtractRequest(
    imitators=("tone",),
    access=("labels", "decisions"),
    budgets=(8, 24),
    attacks="white_noise.20db,gain.6db",
    n_clips=4,
    augment=("altered:level+noise",),
)


@pytest.fixture
def lessons(monkeypatch: pytest.MonkeyPatch) -> list[Lesson]:
    """What the tone detector was taught with, lesson by lesson."""
    seen: list[Lesson] = []
    fit = Tone.fit

    def remembering(self: Imitator, lesson: Lesson, *, steps: int, seed: int) -> Judgement:
        seen.append(lesson)
        return fit(self, lesson, steps=steps, seed=seed)  # type: ignore[arg-type]

    monkeypatch.setattr(Tone, "fit", remembering)
    return seen


def test_a_budget_buys_as_many_answers_whatever_they_are(
    bench_dataset: Dataset, tmp_path: Path, lessons: list[Lesson]
) -> None:
    import pandas as pd

    request = replace(SMALL, augment=("plain", "altered:level+noise"), seeds=(0, 1), yardsticks=True)
    results = extract(bench_dataset, request, tmp_path)
    sizes = [(len(lesson.twins.audio) // 2, len(lesson.altered.audio)) for lesson in lessons]
    assert sizes == 2 * [(4, 0), (12, 0), (4, 0), (12, 0)] + 2 * [(2, 4), (6, 12), (2, 4), (6, 12)]
    files = write_results(measured(results), "Imitating", tmp_path)
    table, seeds = pd.read_csv(files[0]), pd.read_csv(files[1])
    assert tuple(table.columns) == COLUMNS
    assert tuple(seeds.columns) == SEED_COLUMNS
    cases = table.dropna(subset="access")
    assert (2 * cases["n_pairs"] + cases["n_altered"] == cases["budget"]).all()
    known = table.dropna(subset="ci_low")
    assert (known["ci_low"] <= known["value"]).all()
    assert (known["value"] <= known["ci_high"]).all()
    assert set(seeds["n_seeds"]) == {2}
    assert "agreement_of_seeds" in set(seeds["metric"])
    assert "Functional equivalence" in files[2].read_text()
    assert files[-1].read_bytes()[:4] == b"\x89PNG"
    assert len(summary_lines(measured(results))) == 1 + len(results)


def test_yardsticks_are_what_they_say(bench_dataset: Dataset, tmp_path: Path) -> None:
    """The truth is always right; attack and label decide alike for all clips of a class, so kappa within is 0."""
    request = replace(SMALL, budgets=(8,), access=("labels",), attacks="white_noise.20db,reverse", yardsticks=True)
    results = extract(bench_dataset, request, tmp_path)
    values = {
        (result.who, each.stratum, each.label, each.metric): each.estimate.value
        for result, measures in measured(results)
        for each in measures
    }
    assert values["oracle_truth", "unattacked", "all", "accuracy"] == 1
    assert values["oracle_truth", "detector_wrong", "all", "agreement"] == 0
    within = values["oracle_attack_and_label", "attacked", "all", "kappa_within"]
    assert np.isnan(within) or within == pytest.approx(0)
    (moved,) = [result for result in results if result.who == "detector_shifted"]
    _, pairs = judged_pairs(bench_dataset, "train", 4, None)
    audio = bench_dataset.audio([pair.clean for pair in pairs] + [pair.watermarked for pair in pairs])
    late = np.concatenate([audio[:, :1], audio[:, :-1]], axis=1)
    detector = get_scheme("spread_spectrum").detector
    np.testing.assert_array_equal(moved.point.decisions[0], detector.detect(late).score > detector.threshold)


def test_what_is_done_is_not_done_again(
    bench_dataset: Dataset, tmp_path: Path, lessons: list[Lesson], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = extract(bench_dataset, replace(SMALL, access=("labels",), budgets=(8,)), tmp_path)
    assert len(lessons) == 1
    both = extract(bench_dataset, replace(SMALL, access=("labels",)), tmp_path)
    assert len(lessons) == 2
    np.testing.assert_array_equal(both[0].point.decisions, first[0].point.decisions)
    # Nothing is asked or taught where all is there.
    monkeypatch.setattr(study, "_taught", None)
    again = extract(bench_dataset, replace(SMALL, access=("labels",)), tmp_path)
    assert [result.point.facts for result in again] == [result.point.facts for result in both]


def test_a_case_does_not_depend_on_what_else_is_asked_for(bench_dataset: Dataset, tmp_path: Path) -> None:
    alone = extract(bench_dataset, replace(SMALL, access=("decisions",), budgets=(8,)), tmp_path / "alone")
    beside = extract(bench_dataset, SMALL, tmp_path / "beside")
    same = next(each for each in beside if each.case == alone[0].case)
    np.testing.assert_array_equal(same.point.decisions, alone[0].point.decisions)


def test_an_interrupted_study_keeps_its_points(
    bench_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught, calls = study._taught, list[int]()

    def interrupted(*args: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return taught(*args)

    monkeypatch.setattr(study, "_taught", interrupted)
    with pytest.raises(KeyboardInterrupt):
        extract(bench_dataset, replace(SMALL, access=("labels",)), tmp_path)
    kept = list((tmp_path / "points").iterdir())
    assert len(kept) == 1
    with np.load(kept[0]) as content:
        assert json.loads(str(content["facts"]))["case"]["budget"] == 8


def test_points_are_of_the_attacks_and_not_of_the_name_of_the_file_that_lists_them(
    bench_dataset: Dataset, tmp_path: Path, lessons: list[Lesson]
) -> None:
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text("[attacks]\nwhite_noise = { snr_db = [20] }\n")
    two.write_text("# the same\n[attacks.white_noise]\nsnr_db = 20\n")
    request = replace(SMALL, access=("labels",), budgets=(8,))
    for attacks in (str(one), str(two), "white_noise.20db"):
        extract(bench_dataset, replace(request, attacks=attacks), tmp_path / "out")
    assert len(lessons) == 1
    one.write_text("[attacks]\nwhite_noise = { snr_db = [10] }\n")
    extract(bench_dataset, replace(request, attacks=str(one)), tmp_path / "out")
    assert len(lessons) == 2


def test_a_point_is_of_the_code_of_its_attacks(
    bench_dataset: Dataset, tmp_path: Path, lessons: list[Lesson], monkeypatch: pytest.MonkeyPatch
) -> None:
    request = replace(SMALL, access=("labels",), budgets=(8,))
    extract(bench_dataset, request, tmp_path)
    monkeypatch.setattr(study, "attacks_sha256", lambda attacks: f"other code of {len(attacks)} attacks")
    extract(bench_dataset, request, tmp_path)
    assert len(lessons) == 2


def test_families_that_were_not_learnt_from_are_a_stratum(bench_dataset: Dataset, tmp_path: Path) -> None:
    request = replace(SMALL, access=("labels",), budgets=(8,), augment=("altered:level",))
    (result,) = extract(bench_dataset, request, tmp_path)
    ((_, measures),) = measured([result])
    cells = {each.stratum: each.n_cells for each in measures}
    assert (cells["seen_families"], cells["unseen_families"], cells["attacked"]) == (1, 1, 2)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"access": ("guesses",)},
            "--access must be some of labels, decisions, clip_scores, scores. Got guesses",
        ),
        ({"access": ()}, "--access must be"),
        ({"imitators": ("parrot",)}, "--imitators must be some of distilled_cnn"),
        ({"augment": ("loud",)}, "--augment must be some of plain, altered. Got loud"),
        ({"select": ("all",)}, "--select must be some of random, knockoff, active. Got all"),
        ({"budgets": (2,)}, "--budget must be"),
        ({"steps": 0}, "--steps must be at least 1. Got 0"),
        ({"n_clips": 0}, "--clips must be at least 1. Got 0"),
        ({"seeds": ()}, "--data and --seeds must name at least one each"),
    ],
)
def test_impossible_requests_are_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(HarnessError, match=told):
        replace(SMALL, **changes)


def test_families_that_no_attack_has_are_refused(bench_dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"must name some of .*noise.* Got nonsense"):
        extract(bench_dataset, replace(SMALL, augment=("altered:nonsense",)), tmp_path)


def test_only_a_detector_of_audioseals_kind_has_that_inside(bench_dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="The imitator probe must know a detector of AudioSeal's kind"):
        extract(bench_dataset, replace(SMALL, imitators=("probe",), budgets=(8,)), tmp_path)


def test_another_dataset_of_the_scheme_may_teach_and_judge(
    bench_dataset: Dataset, bench_copy: Callable[[str], Dataset], mini_dataset: Dataset, tmp_path: Path
) -> None:
    other = bench_copy("other")
    request = replace(SMALL, access=("labels",), budgets=(8,), data=("train", str(other.root)))
    own, foreign = extract(bench_dataset, request, tmp_path)
    np.testing.assert_array_equal(own.point.decisions, foreign.point.decisions)
    (judged,) = extract(bench_dataset, replace(request, data=("train",), judge=other.root), tmp_path)
    np.testing.assert_array_equal(judged.point.decisions, own.point.decisions)
    with pytest.raises(HarnessError, match="--data must be a dataset that the same scheme marked, spread_spectrum"):
        extract(bench_dataset, replace(request, data=(str(mini_dataset.root),)), tmp_path)
