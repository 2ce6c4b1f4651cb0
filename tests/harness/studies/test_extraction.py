"""The extraction study: what a budget buys, what is kept, what is refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.studies.extraction import study
from sealproof.harness.studies.extraction.study import ExtractRequest, extract
from sealproof.harness.studies.extraction.write import COLUMNS, write_points

SMALL = ExtractRequest(
    access=("labels", "scores"), budgets=(8, 24), attacks="white_noise.20db,gain.6db", n_clips=4, steps=3
)


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Pairs and attacked clips of every training."""
    seen: list[tuple[int, int]] = []
    fit = vars(study)["fit_frames"]

    def counting(recipe: Any, twins: Any, queries: Any, **settings: Any) -> Any:
        seen.append((len(twins.audio) // 2, len(queries.audio)))
        return fit(recipe, twins, queries, **settings)

    monkeypatch.setattr(study, "fit_frames", counting)
    return seen


def test_a_budget_buys_as_many_answers_whatever_they_are(bench_dataset: Dataset, tmp_path: Path, fits: Any) -> None:
    import pandas as pd

    points = extract(bench_dataset, SMALL, tmp_path)
    assert fits == [(4, 0), (12, 0), (2, 4), (6, 12)]
    assert [2 * point.n_pairs + point.n_altered for point in points] == [8, 24, 8, 24]
    table_file, picture = write_points(points, "Imitating", tmp_path)
    table = pd.read_csv(table_file)
    assert tuple(table.columns) == COLUMNS
    assert table["access"].tolist() == ["labels", "labels", "scores", "scores"]
    for measure in ("accuracy", "agreement", "agreement_attacked"):
        assert table[measure].between(0, 1).all()
        assert (table[f"{measure}_low"] <= table[measure]).all()
        assert (table[measure] <= table[f"{measure}_high"]).all()
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_what_is_done_is_not_done_again(
    bench_dataset: Dataset, tmp_path: Path, fits: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = extract(bench_dataset, replace(SMALL, access=("labels",), budgets=(8,)), tmp_path)
    assert len(fits) == 1
    both = extract(bench_dataset, replace(SMALL, access=("labels",)), tmp_path)
    assert len(fits) == 2
    assert both[0] == first[0]
    # Nothing is attacked, asked or trained where all is there.
    monkeypatch.setattr(study, "_Judge", None)
    assert extract(bench_dataset, replace(SMALL, access=("labels",)), tmp_path) == both
    assert len(fits) == 2


def test_an_interrupted_study_keeps_its_points(
    bench_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit, calls = vars(study)["fit_frames"], list[int]()

    def interrupted(*args: Any, **settings: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return fit(*args, **settings)

    monkeypatch.setattr(study, "fit_frames", interrupted)
    with pytest.raises(KeyboardInterrupt):
        extract(bench_dataset, replace(SMALL, access=("labels",)), tmp_path)
    kept = list((tmp_path / "points").iterdir())
    assert [json.loads(path.read_text())["budget"] for path in kept] == [8]


def test_recordings_take_turns_in_a_small_budget(bench_dataset: Dataset) -> None:
    pairs = study._ordered(bench_dataset.split("train"), 0)
    groups = {pair.group for pair in pairs}
    assert {pair.group for pair in pairs[: len(groups)]} == groups


def test_numbers_are_those_of_a_count_by_hand(bench_dataset: Dataset) -> None:
    """A model that says yes to everything: right on half, and alike where the detector says yes."""

    class AlwaysYes:
        input_shape = (None, None)

        def __call__(self, waveforms: Any, *, training: bool) -> Any:
            import tensorflow as tf

            return tf.ones((tf.shape(waveforms)[0], 1))

    judge = study._Judge(bench_dataset, SMALL)
    found = judge.judge(AlwaysYes())
    assert found["accuracy"] == 0.5
    shares = [reference.mean() for _, _, reference in judge._cells]
    assert found["agreement"] == pytest.approx(shares[0])
    assert found["agreement_attacked"] == pytest.approx(np.mean(shares[1:]))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"access": ("guesses",)}, "--access must be some of labels, decisions, scores. Got guesses"),
        ({"access": ()}, "--access must be"),
        ({"budgets": (2,)}, "--budget must be"),
        ({"steps": 0}, "--steps must be at least 1. Got 0"),
        ({"n_clips": 0}, "--clips must be at least 1. Got 0"),
    ],
)
def test_impossible_requests_are_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(HarnessError, match=told):
        replace(SMALL, **changes)


def test_points_are_of_the_attacks_and_not_of_the_name_of_the_file_that_lists_them(
    bench_dataset: Dataset, tmp_path: Path, fits: list[Any]
) -> None:
    one, two = tmp_path / "one.toml", tmp_path / "two.toml"
    one.write_text("[attacks]\nwhite_noise = { snr_db = [20] }\n")
    two.write_text("# the same\n[attacks.white_noise]\nsnr_db = 20\n")
    request = replace(SMALL, access=("labels",), budgets=(8,))
    for attacks in (str(one), str(two), "white_noise.20db"):
        extract(bench_dataset, replace(request, attacks=attacks), tmp_path / "out")
    assert len(fits) == 1
    one.write_text("[attacks]\nwhite_noise = { snr_db = [10] }\n")
    extract(bench_dataset, replace(request, attacks=str(one)), tmp_path / "out")
    assert len(fits) == 2


def test_a_point_is_of_the_code_of_its_attacks(
    bench_dataset: Dataset, tmp_path: Path, fits: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    request = replace(SMALL, access=("labels",), budgets=(8,))
    extract(bench_dataset, request, tmp_path)
    monkeypatch.setattr(study, "attacks_sha256", lambda attacks: f"other code of {len(attacks)} attacks")
    extract(bench_dataset, request, tmp_path)
    assert len(fits) == 2


def test_a_point_of_another_imitation_is_computed_anew(
    bench_dataset: Dataset, tmp_path: Path, fits: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    request = replace(SMALL, access=("labels",), budgets=(8,))
    extract(bench_dataset, request, tmp_path)
    monkeypatch.setattr(study, "recipe_key", lambda _recipe: ["another network"])
    extract(bench_dataset, request, tmp_path)
    assert len(fits) == 2
