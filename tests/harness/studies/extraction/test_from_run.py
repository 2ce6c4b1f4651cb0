"""A finished run as an exam: what its detectors said, cell by cell."""

from pathlib import Path

import numpy as np
import pytest

from sealproof.attacks import get_attack
from sealproof.detectors import Detection, get_scheme
from sealproof.detectors.base import Audio
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.matrix.bench import Bench
from sealproof.harness.matrix.cell import matrix
from sealproof.harness.matrix.store import CellStore
from sealproof.harness.matrix.subject import Subject, subjects_of
from sealproof.harness.studies.extraction.exam.from_run import exam_of_run
from sealproof.harness.studies.extraction.exam.strata import measure_strata
from sealproof.harness.tables.reading.run_folder import RunFolder
from sealproof.harness.tables.write import write_tables


class Loudness:
    """Takes loud clips for watermarked."""

    name, sample_rate, threshold = "loudness", 16_000, 0.5

    def detect(self, batch: Audio) -> Detection:
        level = np.sqrt((batch.astype(np.float64) ** 2).mean(axis=1))
        return Detection((level / (level + 0.1)).astype(np.float32))


def test_a_run_in_strata_agrees_with_its_own_summary(bench_dataset: Dataset, tmp_path: Path) -> None:
    mimic = Subject("loudness", "mimic", "1", Loudness)
    subjects = [*subjects_of(get_scheme("spread_spectrum"), []), mimic]
    bench = Bench(bench_dataset, bench_dataset.split("test")[:6], subjects, CellStore(tmp_path / "cells"))
    attacks = [get_attack(name) for name in ("identity", "white_noise.0db", "reverse")]
    outcomes = [bench.run(cell) for cell in matrix(bench_dataset, attacks, bench.pairs, seed=0)]
    write_tables(bench, outcomes, 0, tmp_path / "run")
    folder = RunFolder.open(tmp_path / "run")
    exam, mimics = exam_of_run(folder)
    assert [cell.attack.id for cell in exam.cells] == ["identity", "white_noise.0db", "reverse"]
    assert list(mimics) == ["loudness"]
    found = {
        (each.stratum, each.label, each.metric): each.estimate.value
        for each in measure_strata(exam, mimics["loudness"])
    }
    rows = folder.summary.query("detector == 'loudness' and metric == 'agreement' and threshold_rule == 'fixed'")
    values = rows.set_index("attack")["value"].astype(float)
    assert found["unattacked", "all", "agreement"] == pytest.approx(values["identity"], abs=1e-6)
    attacked = values[["white_noise", "reverse"]].mean()
    assert found["attacked", "all", "agreement"] == pytest.approx(attacked, abs=1e-6)
