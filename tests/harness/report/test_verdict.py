"""The verdict of a run with an attack that marks clean clips."""

from pathlib import Path

import pytest

from sealproof.attacks import get_attack
from sealproof.detectors import get_scheme
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.matrix.assembly import open_bench
from sealproof.harness.matrix.cell import matrix
from sealproof.harness.matrix.request import RunRequest
from sealproof.harness.report.verdict import Verdict, judge
from sealproof.harness.tables.reading.run_folder import RunFolder
from sealproof.harness.tables.write import write_tables


@pytest.fixture(scope="module")
def folder(bench_dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Of `spread_spectrum` under its own second mark, and under a delay that blinds it."""
    assert get_scheme("spread_spectrum").name == bench_dataset.scheme
    bench = open_bench(bench_dataset, RunRequest(attacks="identity", seed=3))
    attacks = [get_attack(name) for name in ("identity", "reembed.same", "offset.100samples")]
    outcomes = [bench.run(cell) for cell in matrix(bench_dataset, attacks, bench.pairs, seed=3)]
    assert [outcome.error for outcome in outcomes] == [None] * 3
    out: Path = tmp_path_factory.mktemp("verdict") / "run"
    write_tables(bench, outcomes, 3, out)
    return RunFolder.open(out)


@pytest.fixture(scope="module")
def verdict(folder: RunFolder) -> Verdict:
    return judge(folder)


def test_what_marks_clean_clips_is_not_among_what_breaks_the_detector(verdict: Verdict) -> None:
    points = dict(verdict.points)
    assert "reembed" not in points["What breaks it"]
    assert "offset" in points["What breaks it"]
    assert "under 0 of 1 attack;" in verdict.headline
    assert "reembed scheme same, of which it flags 1.000 [" in points["What marks clean clips"]


def test_clean_clips_that_an_attack_marks_are_not_lost_in_the_worst_case(folder: RunFolder) -> None:
    clean, _ = folder.worst_cases
    assert clean.label == "clean"
    # The delay moves audio in time and has no SNR; so nothing is left that could turn a clean clip.
    assert [estimate.value for estimate in clean.estimates] == [1.0] * len(clean.estimates)
    assert not any(clean.by)
