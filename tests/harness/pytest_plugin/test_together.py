"""What cells prove beside each other, what their means do, and recordings that collapse."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from sealproof.harness.comparison.allowance import allowance, mean_allowance
from sealproof.harness.comparison.difference import REGRESSION, SAME, UNPROVEN
from sealproof.harness.pytest_plugin.baseline import Sample, row_of
from sealproof.harness.pytest_plugin.gate import COLLAPSE, Gate, Judged
from sealproof.harness.pytest_plugin.means import means
from sealproof.harness.pytest_plugin.power import power_text
from sealproof.harness.tables.rates import Tally

GROUPS = tuple(f"song{number:02}" for number in range(20))
SAMPLE = Sample("set", "0123456789ab", GROUPS)
ALL = np.full(20, 7)


def tally(attack: str, right: NDArray[np.int64] | Sequence[int], metric: str = "tpr") -> Tally:
    return Tally("perth", attack, "", "perth", "reference", "fixed", metric, GROUPS, np.asarray(right), ALL)


def gate(names: Sequence[str], metric: str = "tpr", before: int = 7) -> Gate:
    rows = [row_of(tally(name, np.full(20, before), metric), SAMPLE) for name in names]
    return Gate({row.key: row for row in rows}, "baseline.csv", SAMPLE, 0.05, len(names))


def session(after: dict[str, NDArray[np.int64]]) -> tuple[dict[str, list[Judged]], dict[str, list[Judged]]]:
    """What each cell says by itself, and beside the others."""
    judge = gate(list(after))
    alone = {name: judge.judge([tally(name, right)]) for name, right in after.items()}
    return alone, judge.together(alone)


def verdicts(judged: dict[str, list[Judged]]) -> dict[str, str]:
    return {name: rates[0].verdict for name, rates in judged.items()}


def one_lost(n_recordings: int) -> NDArray[np.int64]:
    return ALL - (np.arange(20) < n_recordings)


def test_a_loss_that_one_of_many_cells_cannot_prove_is_proven_where_no_other_changes() -> None:
    # Eight recordings got worse: a chance of 2^-8, which is no proof in one of 28 cells.
    alone, together = session({"mp3": one_lost(8), **{f"gain{n}": ALL for n in range(27)}})
    assert verdicts(alone)["mp3"] == UNPROVEN
    assert verdicts(together)["mp3"] == REGRESSION
    assert together["mp3"][0].p_together == 2**-8
    assert set(verdicts(together).values()) == {REGRESSION, SAME}


def test_a_cell_says_the_same_whatever_runs_beside_it() -> None:
    judge = gate([f"gain{n}" for n in range(28)])
    assert [one.verdict for one in judge.judge([tally("gain0", one_lost(11))])] == [REGRESSION]
    assert [one.verdict for one in judge.judge([tally("gain0", one_lost(9))])] == [UNPROVEN]


def test_small_losses_of_all_cells_add_up() -> None:
    rng = np.random.default_rng(0)
    cells = {f"gain{n}": ALL - (rng.random((20, 7)) < 0.03).sum(axis=1) for n in range(28)}
    _, together = session(cells)
    assert not any(one.is_red for rates in together.values() for one in rates)
    (mean,) = means(together.values(), 0.05)
    assert mean.is_red
    assert mean.sentence().startswith("mean over 28 cells of perth tpr (rule fixed): from 1.000 to 0.968, p=")
    assert not means([together["gain0"]], 0.05), "one cell has no mean"
    assert not means(together.values(), 0.5)[0].is_red, "it may fall so far"


def test_a_better_detector_is_no_failure() -> None:
    judge = gate(["mp3", "gain"], before=4)
    judged = judge.together({name: judge.judge([tally(name, ALL)]) for name in ("mp3", "gain")})
    assert not any(one.is_red for rates in judged.values() for one in rates)
    assert not any(one.is_red for one in means(judged.values(), 0.05))


@pytest.mark.parametrize(("metric", "before"), [("tpr", 7), ("fpr", 0)])
def test_three_recordings_of_twenty_that_collapse_fail_a_cell(metric: str, before: int) -> None:
    after = np.full(20, before)
    after[[3, 5, 8]] = 7 - before
    judged = gate(["mp3"], metric, before).judge([tally("mp3", after, metric)])
    assert [one.verdict for one in judged] == [COLLAPSE]
    assert judged[0].is_red
    assert judged[0].sentence().endswith("3 recordings collapsed (song03, song05, song08)")


def test_false_alarms_that_were_rare_may_double_but_no_more() -> None:
    assert allowance("fpr", 0.01, 0.05) == 0.01
    assert allowance("fpr", 0.0, 0.05) == pytest.approx(0.01)
    assert allowance("fpr", 0.03, 0.05) == 0.03
    assert allowance("fpr", 0.4, 0.05) == allowance("tpr", 0.4, 0.05) == allowance("auc", 1.0, 0.05) == 0.05
    assert mean_allowance("tpr", 1.0, 0.05) == pytest.approx(0.02)
    assert allowance("fpr", 0.01, 0.0) == 0.0


def test_what_can_be_found_is_said_beforehand() -> None:
    assert power_text([7] * 20, 28, 0.05) == (
        "with 140 marked clips of 20 recordings, 80 % of sessions find, of the TPR, a loss of 12.0 points in one of 28 "
        "cells (a loss of 7.5 points where no other cell changes; a loss of 20.5 points where whole recordings are "
        "lost), and a loss of 8.0 points in all cells"
    )
    few = power_text([20] * 4, 28, 0.05)
    assert "and no loss in all cells" in few
    assert few.endswith(
        "It takes 10 recordings that got worse to prove a loss in one of 28 cells: with 4, only recordings that "
        "collapse fail a cell by itself"
    )
