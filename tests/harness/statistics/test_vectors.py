"""What the statistics are made from: checked vectors, group codes, sums by group."""

import math
from typing import Any

import numpy as np
import pytest

from sealproof.harness.statistics.estimation import groups, vectors
from sealproof.harness.statistics.estimation.bootstrap import group_weights
from sealproof.harness.statistics.estimation.estimate import estimate_mean, estimate_median, estimate_rate
from sealproof.harness.statistics.estimation.resamples import Resamples


def test_group_codes_number_the_sorted_names() -> None:
    codes, names = groups.group_codes(["b", "a", "b", "c"])
    assert names == ["a", "b", "c"]
    assert codes.tolist() == [1, 0, 1, 2]


def test_sum_by_group_adds_columns_and_keeps_empty_groups() -> None:
    values = np.array([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]])
    codes = np.array([2, 0, 2])
    assert groups.sum_by_group(values, codes, 4).tolist() == [[2, 20], [0, 0], [5, 50], [0, 0]]
    assert groups.sum_by_group(values[:, 0], codes, 4).tolist() == [2, 0, 5, 0]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([0, 1], "one group for each of the 3 clips"),
        ([0.0, 1.0, 1.0], "must be integers"),
        ([0, 1, 2], r"must lie in 0 \.\. 1"),
        ([0, 1, -1], r"must lie in 0 \.\. 1"),
    ],
)
def test_groups_must_fit_the_clips_and_the_weights(groups: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        estimate_rate([True, False, True], Resamples(np.array(groups), group_weights(2, 10)))


def test_weights_must_be_a_matrix() -> None:
    with pytest.raises(ValueError, match="'weights' must be a"):
        estimate_mean([1.0], Resamples(np.array([0]), np.ones(1)))


def test_scores_are_no_decisions_and_nan_is_no_number() -> None:
    clips = Resamples(np.array([0, 1]), group_weights(2, 10))
    with pytest.raises(ValueError, match="'successes' must be a vector of booleans"):
        estimate_rate([0.1, 0.9], clips)
    with pytest.raises(ValueError, match=r"must not hold NaN\. Got 1 of 2"):
        estimate_median([0.1, math.nan], clips)
    with pytest.raises(ValueError, match="'values' must be finite"):
        estimate_mean([0.1, math.inf], clips)
    with pytest.raises(ValueError, match="must be a vector, one number per clip"):
        estimate_mean([[0.1, 0.2]], clips)


def test_a_ratio_with_nothing_below_is_not_defined() -> None:
    found = vectors.ratio([1.0, 0.0, 3.0], [2.0, 0.0, 0.0])
    assert found[0] == 0.5
    assert np.isnan(found[1:]).all()


def test_groups_are_counted_where_they_have_clips() -> None:
    assert groups.count_by_group(np.array([3, 1, 3]), 5).tolist() == [0, 1, 0, 2, 0]
    assert groups.count_groups(np.array([3, 1, 3])) == 2
