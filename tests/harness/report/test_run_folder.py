"""Run folders are read as they are, or refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.tables.reading.run_folder import RunFolder

Copy = Callable[[], Path]


@pytest.fixture
def copy(finished_run: Any, tmp_path: Path) -> Copy:
    """copy(): a copy of the run's folder to damage."""
    return lambda: shutil.copytree(finished_run.folder, tmp_path / "run")


def test_cells_are_the_runs(finished_run: Any) -> None:
    folder = RunFolder.open(finished_run.folder)
    assert [cell.attack_id for cell in folder.cells] == [outcome.cell.attack.id for outcome in finished_run.outcomes]
    assert [cell.key for cell in folder.cells] == [outcome.cell.key for outcome in finished_run.outcomes]
    assert [bool(cell.error) for cell in folder.cells] == [
        outcome.error is not None for outcome in finished_run.outcomes
    ]
    assert [detector.role for detector in folder.detectors] == ["reference", "mimic"]
    assert folder.detectors[1].thresholds["fixed"] == 0.5


def test_scores_are_those_the_detectors_gave(finished_run: Any) -> None:
    folder = RunFolder.open(finished_run.folder)
    found = folder.scores
    assert list(found.clip_ids) == [pair.clip_id for pair in finished_run.bench.pairs]
    for index, outcome in enumerate(finished_run.outcomes):
        for place, detector in enumerate(folder.detectors):
            if outcome.error is None:
                assert np.allclose(
                    found.scores[index, place], outcome.scores[detector.name].score, rtol=2e-5, atol=1e-6
                )
            else:
                assert np.isnan(found.scores[index, place]).all()


def test_every_number_of_the_summary_is_in_a_series(finished_run: Any) -> None:
    folder = RunFolder.open(finished_run.folder)
    series = folder.series
    place = {(cell.attack, cell.params): index for index, cell in enumerate(folder.cells)}
    rows = folder.summary[folder.summary["status"] == "ok"]
    for row in rows.to_dict("records"):
        own = series[row["detector"], row["threshold_rule"], row["metric"]]
        at = place[row["attack"], row["params"]]
        found = [own.value[at], own.low[at], own.high[at], own.n_clips[at], own.n_groups[at]]
        expected = [row[name] for name in ("value", "ci_low", "ci_high", "n_clips", "n_groups")]
        assert np.array_equal(found, expected, equal_nan=True)
    assert sum(int(np.isfinite(own.n_clips).sum()) for own in series.values()) == len(rows)


@pytest.mark.parametrize("name", ["summary.csv", "clips.csv"])
def test_a_table_that_was_changed_is_refused(copy: Copy, name: str) -> None:
    folder = copy()
    with (folder / name).open("a") as file:
        file.write("\n")
    with pytest.raises(HarnessError, match=f"{name} must be as run.json says.*was changed"):
        RunFolder.open(folder)


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"must be a folder that `sealproof run` wrote. It has no run.json, summary"):
        RunFolder.open(tmp_path)


def test_a_damaged_run_json_is_refused(copy: Copy) -> None:
    folder = copy()
    (folder / "run.json").write_text('{"files": {}}')
    with pytest.raises(HarnessError, match=r"run.json is damaged \(KeyError\('scheme'\)\)"):
        RunFolder.open(folder)


def test_cells_that_do_not_match_are_refused(copy: Copy) -> None:
    folder = copy()
    facts = json.loads((folder / "run.json").read_text())
    facts["cells"].pop()
    (folder / "run.json").write_text(json.dumps(facts))
    with pytest.raises(HarnessError, match=r"must name the same cells\. Got 17 and 18"):
        _ = RunFolder.open(folder).cells


def test_clips_of_another_run_are_refused(copy: Copy) -> None:
    folder = copy()
    text = (folder / "clips.csv").read_text().replace(",polarity,", ",reverse,")
    (folder / "clips.csv").write_text(text)
    facts = json.loads((folder / "run.json").read_text())
    facts["files"].pop("clips.csv")
    (folder / "run.json").write_text(json.dumps(facts))
    with pytest.raises(HarnessError, match=r"clips.csv must be the clips.csv of its run .*reverse"):
        _ = RunFolder.open(folder).scores
