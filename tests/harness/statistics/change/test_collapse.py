"""Recordings that collapse."""

import numpy as np
import pytest

from sealproof.harness.statistics.change.collapse import find_collapse

TRIALS = [7] * 20


def test_three_of_twenty_recordings_lost_are_a_failure_though_no_flip_proves_them() -> None:
    found = find_collapse(TRIALS, [0, 1, 7, 0] + [7] * 16, TRIALS)
    assert found.lost == (0, 1, 3)
    assert found.is_failure


@pytest.mark.parametrize(
    ("before", "after", "trials"),
    [
        pytest.param([7] * 20, [0, 0] + [7] * 18, TRIALS, id="two alone may be luck"),
        pytest.param([7] * 20, [3, 3, 3] + [7] * 17, TRIALS, id="half lost is no collapse"),
        pytest.param([0, 0] + [7] * 18, [7, 7, 0, 0, 0, 0] + [7] * 14, TRIALS, id="nearly as many recover"),
        pytest.param([5] * 20, [0, 0, 0] + [7] * 17, TRIALS, id="a weak cell, where recordings come and go"),
        pytest.param([3] * 20, [0, 0, 0] + [3] * 17, [3] * 20, id="too few clips of each"),
    ],
)
def test_what_is_no_collapse(before: list[int], after: list[int], trials: list[int]) -> None:
    assert not find_collapse(np.array(before), np.array(after), np.array(trials)).is_failure


def test_where_there_are_fewer_than_three_all_must_collapse() -> None:
    assert find_collapse([10, 10], [0, 0], [10, 10]).is_failure
    assert not find_collapse([10, 10], [0, 10], [10, 10]).is_failure
