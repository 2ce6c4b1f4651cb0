"""The smallest drop that the gate finds, held against the gate's own tests."""

import math

import numpy as np
import pytest

from sealproof.harness.statistics.change.budget import CELLS, OVERALL, cell_level
from sealproof.harness.statistics.change.collapse import find_collapse
from sealproof.harness.statistics.change.flips import flip_test
from sealproof.harness.statistics.change.power import detectable_drop

ALLOWED = 0.05
N_SAMPLES = 300


@pytest.mark.parametrize("by_group", [False, True])
@pytest.mark.parametrize(("size", "n_groups", "n_cells"), [(7, 20, 28), (4, 20, 1), (10, 40, 154)])
def test_the_gate_finds_that_drop_in_four_of_five_cases(size: int, n_groups: int, n_cells: int, by_group: bool) -> None:
    rng = np.random.default_rng(n_groups)
    sizes, level = [size] * n_groups, cell_level(n_cells)
    drop = detectable_drop(sizes, level=level, by_group=by_group, allowed_drop=ALLOWED)
    found = 0
    for _ in range(N_SAMPLES):
        lost = rng.binomial(1, drop, n_groups) * size if by_group else rng.binomial(size, drop, n_groups)
        proven = lost.sum() > ALLOWED * size * n_groups and flip_test(lost[:, None].astype(float))[0] <= level
        found += proven or find_collapse(sizes, np.array(sizes) - lost, sizes).is_failure
    # Its steps are of half a point, and the share of 300 has a standard error of 2.3 points.
    assert 0.73 <= found / N_SAMPLES <= 0.92


def test_more_clips_more_recordings_and_fewer_cells_find_less() -> None:
    def drop(size: int, n_groups: int, level: float = CELLS, *, by_group: bool = False) -> float:
        return detectable_drop([size] * n_groups, level=level, by_group=by_group, allowed_drop=ALLOWED)

    assert drop(20, 20) < drop(4, 20)
    assert drop(4, 80) < drop(4, 20)
    assert drop(7, 20) < drop(7, 20, cell_level(154))
    assert drop(7, 40, by_group=True) < drop(7, 10, by_group=True)


def test_few_recordings_prove_nothing_but_that_they_collapse() -> None:
    found = detectable_drop([20] * 4, level=CELLS, by_group=False, allowed_drop=ALLOWED)
    assert found > 0.5
    assert math.isnan(
        detectable_drop([20] * 4, level=OVERALL, by_group=False, allowed_drop=ALLOWED, finds_collapse=False)
    )
    assert math.isnan(detectable_drop([], level=CELLS, by_group=False, allowed_drop=ALLOWED))
