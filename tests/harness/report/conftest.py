"""A run folder made by the real pipeline, and a report of it, that the tests of the report share."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from sealproof.attacks import Attack, AttackError, Audio, get_attack
from sealproof.detectors import Detection, get_scheme
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.matrix.bench import Bench
from sealproof.harness.matrix.cell import matrix
from sealproof.harness.matrix.outcome import Outcome
from sealproof.harness.matrix.store import CellStore
from sealproof.harness.matrix.subject import Subject, subjects_of
from sealproof.harness.report.write import write_report
from sealproof.harness.tables.write import write_tables

HOSTILE = '</script><script>window.hacked = true</script> & "quoted", `ticked` | 100 % _of_ {it} @all'
"""Text that no page, table or comment may take for markup."""

IDS = (
    "identity", "white_noise.30db", "white_noise.20db", "white_noise.10db", "white_noise.0db", "highpass.100hz",
    "highpass.500hz", "highpass.2khz", "offset.1samples", "offset.100samples", "gain.-6db", "gain.6db",
    "echo.100ms.0.3x", "echo.100ms.0.5x", "echo.300ms.0.3x", "polarity", "gain.-6db+white_noise.20db",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Refusing(Attack):
    """Refuses every clip, with a message that is not to be trusted."""

    name = "refusing"
    family = "noise"

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        raise AttackError(HOSTILE)


class Loudness:
    """Takes loud clips for watermarked: as good as a mimic that learnt the wrong thing."""

    name, sample_rate, threshold = "loudness", 16_000, 0.5

    def detect(self, batch: Audio) -> Detection:
        level = np.sqrt((batch.astype(np.float64) ** 2).mean(axis=1))
        return Detection((level / (level + 0.1)).astype(np.float32))


class RunOf(NamedTuple):
    """A run: what it was made with, what came of it, and its folder."""

    bench: Bench
    outcomes: Sequence[Outcome]
    folder: Path


@pytest.fixture(scope="session", autouse=True)
def small_matrices_in_one_thread() -> Iterator[None]:
    """On a busy machine BLAS threads wait for each other far longer than they compute."""
    with threadpool_limits(1, user_api="blas"):
        yield


@pytest.fixture(scope="session")
def finished_run(bench_dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> RunOf:
    """18 cells, one of them failed, of a reference and a mimic. Do not write into the folder."""
    root = tmp_path_factory.mktemp("report")
    subjects = [*subjects_of(get_scheme("spread_spectrum"), []), Subject("loudness", "mimic", "1", Loudness)]
    bench = Bench(bench_dataset, bench_dataset.split("test"), subjects, CellStore(root / "cells"))
    attacks = [*(get_attack(attack_id) for attack_id in IDS), Refusing()]
    outcomes = [bench.run(cell) for cell in matrix(bench_dataset, attacks, bench.pairs, seed=3)]
    write_tables(bench, outcomes, 3, root / "run")
    return RunOf(bench, outcomes, root / "run")


@pytest.fixture(scope="session")
def report(finished_run: RunOf, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the report of that run, with four examples. Do not write into it."""
    out = tmp_path_factory.mktemp("written") / "report"
    write_report(finished_run.folder, out, finished_run.bench.dataset.root, 4)
    return out
