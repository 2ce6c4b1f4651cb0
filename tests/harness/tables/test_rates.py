from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from sealproof.attacks import get_attack
from sealproof.detectors import Detection, get_scheme
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.matrix.bench import Bench
from sealproof.harness.matrix.cell import matrix
from sealproof.harness.matrix.store import CellStore
from sealproof.harness.matrix.subject import Subject, subjects_of
from sealproof.harness.statistics.estimation.groups import successes_by_group
from sealproof.harness.tables.rates import RULES, Tally, gated_rates, pairs_won, rate_flags, tallies
from sealproof.harness.tables.write import summariser_of, thresholds_of


class Loudness:
    """Scores by level: a detector of its own mind, wrong on many clips."""

    name, sample_rate, threshold = "loudness", 16_000, 0.1

    def detect(self, batch: NDArray[np.float32]) -> Detection:
        return Detection(np.abs(batch).mean(axis=1))


def test_rates_are_those_of_summary_csv(bench_copy: Callable[[str], Dataset]) -> None:
    dataset = bench_copy("tally")
    subjects = [
        *subjects_of(get_scheme("spread_spectrum"), []),
        Subject("loudness", "mimic", "1", Loudness),
    ]
    bench = Bench(dataset, dataset.split("test"), subjects, CellStore(dataset.root / "cells"))
    cell = matrix(dataset, [get_attack("white_noise.5db")], bench.pairs, seed=0)[0]
    outcome = bench.run(cell)
    found = list(tallies(outcome, bench.pairs, subjects, thresholds_of(bench, 0)))
    rows = {
        (row.detector, row.threshold_rule, row.metric): (row.value, row.n_clips, row.n_groups, row.role)
        for row in summariser_of(bench, 0).rows(outcome)
    }
    # Too few calibration clips for the other rule.
    assert {tally.threshold_rule for tally in found} == {"fixed", ""} < {*RULES, ""}
    assert len(found) == 3 + 4 + 2 + 1
    n_pairs = len(bench.pairs)
    n_bits = outcome.scores["spread_spectrum"].bits.shape[-1]
    trials = {"auc": 4 * n_pairs**2, "bit_accuracy": n_pairs * n_bits}
    for tally in found:
        value, n_clips, n_groups, role = rows[tally.detector, tally.threshold_rule, tally.metric]
        assert tally.value == pytest.approx(value)
        assert (tally.n_trials, len(tally.groups), tally.role) == (trials.get(tally.metric, n_clips), n_groups, role)
        assert (tally.attack, tally.params) == ("white_noise", "snr_db=5")
        assert tally.groups == tuple(sorted({pair.group for pair in bench.pairs}))
    assert len({tally.value for tally in found}) > 3


def test_groups_are_counted_apart() -> None:
    says = np.array([[False, True, False], [True, True, False]])
    flags = rate_flags(says, np.array([[False, False, False], [True, True, True]]))
    assert {name: rows.tolist() for name, rows in flags.items()} == {
        "accuracy": [[True, False, True], [True, True, False]],
        "tpr": [[True, True, False]],
        "fpr": [[False, True, False]],
        "agreement": [[True, False, True], [True, True, False]],
    }
    successes, trials = successes_by_group(flags["accuracy"], np.array([1, 1, 0]), 3)
    assert (successes.tolist(), trials.tolist()) == ([1, 3, 0], [2, 4, 0])
    assert "agreement" not in rate_flags(says, None)
    assert [metric for rule, metric in gated_rates("reference") if rule == "fixed"] == ["accuracy", "tpr", "fpr"]
    assert [metric for rule, metric in gated_rates("mimic") if rule == "fixed"] == list(flags)


def test_pairs_won_are_those_of_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    # Whole numbers, so that there are ties.
    clean, marked = rng.integers(0, 4, 9), rng.integers(1, 6, 9)
    codes = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2])
    wins, trials = pairs_won(np.stack([clean, marked]), codes, 3)
    expected = np.zeros(3, int)
    for own, score in zip(codes, marked, strict=True):
        for other, below in zip(codes, clean, strict=True):
            expected[own] += 2 * (score > below) + (score == below)
            expected[other] += 2 * (score > below) + (score == below)
    assert wins.tolist() == expected.tolist()
    assert trials.tolist() == [3 * 4 * 9, 2 * 4 * 9, 4 * 4 * 9]


def test_a_tally_knows_its_value() -> None:
    counts = np.array([3, 1]), np.array([4, 4])
    tally = Tally("s", "mp3", "bitrate_kbps=64", "d", "reference", "fixed", "tpr", ("a", "b"), *counts)
    assert (tally.value, tally.n_trials) == (0.5, 8)
    assert tally.key == ("s", "mp3", "bitrate_kbps=64", "d", "fixed", "tpr")
