"""The data dictionary against what a run writes, both ways."""

import csv
import importlib
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sealproof.attacks import Audio, get_attack
from sealproof.attacks.verification.profile import QUANTITIES as PROFILE
from sealproof.detectors import Detection, get_scheme
from sealproof.harness.comparison import text as compare_text
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.matrix import bench as run
from sealproof.harness.matrix import store
from sealproof.harness.matrix.bench import Bench
from sealproof.harness.matrix.cell import matrix
from sealproof.harness.matrix.quality.perceptual import PERCEPTUAL_METRICS
from sealproof.harness.matrix.store import CellStore
from sealproof.harness.matrix.subject import Subject, subjects_of
from sealproof.harness.pytest_plugin import baseline
from sealproof.harness.studies.extraction import write as extract
from sealproof.harness.tables.dictionary import columns
from sealproof.harness.tables.dictionary import page as data_dictionary
from sealproof.harness.tables.dictionary.columns import COLUMNS, FILES, QUANTITIES
from sealproof.harness.tables.dictionary.metrics import METRICS, THRESHOLD_RULES
from sealproof.harness.tables.write import write_tables

ATTACKS = [
    "identity",
    "white_noise.20db",
    "white_noise.0db",
    "white_noise.-20db",
    "splice.50percent",
    "mp3.32kbps",
]


class ByLevel:
    """Scores by level, and so knows nothing of watermarks."""

    name, sample_rate, threshold = "by_level", 16_000, 0.1

    def detect(self, batch: Audio) -> Detection:
        return Detection(np.abs(batch).mean(axis=1))


@pytest.fixture(scope="module")
def out(mini_dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a run that says everything there is to say: all metrics, all rules, a sweep, a part unmarked."""

    def measure(metric: str, before: Audio, after: Audio, sample_rate: int) -> NDArray[np.float64]:
        return np.ones(len(before))

    folder = tmp_path_factory.mktemp("dictionary")
    subjects = [
        *subjects_of(get_scheme("audioseal_mini"), []),
        Subject("by_level", "mimic", "1", ByLevel),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "perceptual_quality", measure)
        patch.setattr(store, "metric_version", lambda metric: "1")
        pairs, cells = mini_dataset.split("test"), CellStore(folder / "cells")
        bench = Bench(mini_dataset, pairs, subjects, cells, PERCEPTUAL_METRICS)
        attacks = [get_attack(spec) for spec in ATTACKS]
        outcomes = [bench.run(cell) for cell in matrix(mini_dataset, attacks, pairs, seed=0)]
        write_tables(bench, outcomes, 0, folder / "out")
    return folder / "out"


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_file_is_listed(out: Path) -> None:
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)


@pytest.mark.parametrize("file", [file for file in COLUMNS if file in FILES])
def test_every_column_is_explained_in_its_place(file: str, out: Path) -> None:
    with (out / file).open(newline="", encoding="utf-8") as lines:
        assert next(csv.reader(lines)) == list(COLUMNS[file])


def test_every_metric_and_rule_is_explained_and_comes_up(out: Path) -> None:
    rows = read(out / "summary.csv")
    assert {row["metric"] for row in rows} == set(METRICS)
    assert {row["threshold_rule"] for row in rows} == {"", *THRESHOLD_RULES}
    for row in rows:
        assert (row["threshold_rule"] != "") == METRICS[row["metric"]].has_rule, row


def test_values_lie_in_their_range(out: Path) -> None:
    known = set()
    for row in read(out / "summary.csv"):
        metric = METRICS[row["metric"]]
        for name in ("value", "ci_low", "ci_high"):
            if row[name]:
                value = float(row[name])
                assert metric.low is None or value >= metric.low, row
                assert metric.high is None or value <= metric.high, row
                known.add(row["metric"])
    # That one takes 99 clean clips; a run that has them is recomputed in tests/audit.
    assert known == set(METRICS) - {"tpr_at_fpr_1pct"}


def test_quantities_that_many_attacks_have_are_explained(out: Path) -> None:
    of_one_attack = {"noise_exponent", "replaced_percent", "from_twin_percent"}
    of_attacks_with_bands = set(PROFILE)  # none of these
    assert of_attacks_with_bands <= set(QUANTITIES)
    found = {row["quantity"] for row in read(out / "attacks.csv")}
    assert found - of_one_attack == set(QUANTITIES) - of_attacks_with_bands


def test_a_metric_says_where_it_is_defined() -> None:
    for name, metric in METRICS.items():
        module, _, function = metric.defined_in.rpartition(".")
        found = getattr(importlib.import_module(f"sealproof.harness.{module}"), function)
        assert callable(found), name
        assert metric.better in ("higher", "lower", "")
        assert metric.meaning[0].islower() or metric.meaning.startswith(("TPR", "PESQ", "Zimtohrli")), name
        if metric.chance is not None and metric.low is not None and metric.high is not None:
            assert metric.low <= metric.chance <= metric.high


def test_the_page_names_everything() -> None:
    page = data_dictionary.dictionary_markdown()
    tables = [line for line in page.splitlines() if line.startswith("|")]
    for name in (*FILES, *METRICS, *THRESHOLD_RULES, *QUANTITIES, *(c for file in COLUMNS.values() for c in file)):
        assert any(line.startswith(f"| `{name}`") for line in tables), name
    for line in tables:
        assert line.count("|") == line.count("| ") + 1, "a bar within a text would be another column"
    assert page.endswith("\n")
    assert not page.endswith("\n\n")
    assert "`best` (optimistic)" in page


def test_the_dictionary_is_about_the_columns_that_are_written() -> None:
    from sealproof.harness.tables.break_points import BREAK_POINT_COLUMNS
    from sealproof.harness.tables.clips import CLIP_COLUMNS
    from sealproof.harness.tables.summary import SUMMARY_COLUMNS

    written = {"summary.csv": SUMMARY_COLUMNS, "break_points.csv": BREAK_POINT_COLUMNS, "clips.csv": CLIP_COLUMNS}
    for file, names in written.items():
        assert tuple(columns.COLUMNS[file]) == names


def test_run_json_has_a_threshold_for_every_rule_that_has_one(out: Path) -> None:
    detectors = json.loads((out / "run.json").read_text())["detectors"]
    for about in detectors.values():
        for rule in ("fixed", "fpr_1pct", "fpr_0.1pct"):
            assert about[f"threshold_{rule}"] is None or isinstance(about[f"threshold_{rule}"], float)
        assert isinstance(about["threshold_fixed"], float)


def test_other_commands_write_the_columns_that_are_told() -> None:
    for file, written in (
        ("baseline.csv", baseline.COLUMNS),
        ("compare.csv", compare_text.COLUMNS),
        ("extract.csv", extract.COLUMNS),
        ("extract_seeds.csv", extract.SEED_COLUMNS),
    ):
        assert tuple(COLUMNS[file]) == written


def test_the_page_in_version_control_is_that_of_the_schema() -> None:
    page = Path(__file__).parents[3] / "results" / "README.md"
    assert page.read_text(encoding="utf-8") == data_dictionary.dictionary_markdown(), (
        "write sealproof.harness.tables.dictionary.page.dictionary_markdown() to results/README.md"
    )
