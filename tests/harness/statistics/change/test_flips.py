"""Flips of signs over recordings, held against a plain loop over all flips and against equal detectors."""

from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from sealproof.harness.statistics.change.budget import CELLS, FAMILY, OVERALL, cell_level, least_changed
from sealproof.harness.statistics.change.flips import flip_test, flip_tests


def statistics(losses: NDArray[np.float64]) -> NDArray[np.float64]:
    roots = np.sqrt((losses**2).sum(axis=0))
    return losses.sum(axis=0) / np.where(roots > 0, roots, 1)


def by_loop(losses: NDArray[np.float64]) -> list[float]:
    flips = [statistics(losses * np.array(signs)[:, None]).max() for signs in product((1, -1), repeat=len(losses))]
    return [float(np.mean(np.array(flips) >= seen - 1e-9)) if seen > 0 else 1.0 for seen in statistics(losses).tolist()]


def test_one_cell_is_a_plain_loop_over_all_flips() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        losses = rng.integers(-3, 5, (8, 3)).astype(float)
        losses[rng.integers(8)] = 0
        assert flip_test(losses).tolist() == pytest.approx(by_loop(losses))


def test_many_cells_are_a_plain_loop_too() -> None:
    rng = np.random.default_rng(1)
    cells = [rng.integers(-1, 4, (7, 2)).astype(float) for _ in range(4)]
    flips = np.array(list(product((1, -1), repeat=7)))[:, :, None]
    largest = np.stack([[statistics(cell * signs).max() for signs in flips] for cell in cells])
    # Each flip's p value by itself in each cell, and from these the smallest over the cells not yet stepped past.
    chances = np.array([[np.mean(row >= one - 1e-9) for one in row] for row in largest])
    own = [
        np.array([np.mean(row >= seen - 1e-9) for seen in statistics(cell)])
        for row, cell in zip(largest, cells, strict=True)
    ]
    order = sorted(range(4), key=lambda cell: own[cell].min())
    floor = 0.0
    found = flip_tests(cells)
    for step, cell in enumerate(order):
        smallest = chances[order[step:]].min(axis=0)
        expected = [max(floor, float(np.mean(smallest <= p + 1e-9))) for p in own[cell]]
        kept = np.where(statistics(cells[cell]) > 0, expected, 1.0)
        assert found[cell].tolist() == pytest.approx(kept.tolist())
        floor = min(found[cell])


def test_recordings_that_all_got_worse_are_a_chance_of_two_to_their_number() -> None:
    losses = np.zeros((40, 2))
    losses[:9, 0] = 1
    assert flip_test(losses).tolist() == [2**-9, 1.0]
    assert least_changed(2**-9) == 9
    # Drawn flips, where there are too many to try.
    losses[:30, 0], losses[:5, 0] = 1, -1
    assert flip_test(losses)[0] == pytest.approx(sum_of_binomials(30, 25), rel=0.25)


def sum_of_binomials(n: int, least: int) -> float:
    from math import comb

    return sum(comb(n, k) for k in range(least, n + 1)) / 2**n


def test_cells_in_which_nothing_changed_cost_nothing_and_cells_that_move_together_count_as_one() -> None:
    losses = np.zeros((20, 1))
    losses[:7] = 1
    alone = float(flip_tests([losses])[0][0])
    assert alone == 2**-7
    assert flip_tests([losses, *[np.zeros((20, 1))] * 100])[0][0] == alone
    assert all(found[0] == alone for found in flip_tests([losses] * 50))


def test_the_unit_of_a_rate_does_not_matter() -> None:
    losses = np.random.default_rng(2).integers(-2, 4, (10, 2)).astype(float)
    assert flip_test(losses * np.array([1.0, 400.0])).tolist() == flip_test(losses).tolist()


@pytest.mark.parametrize("n_cells", [1, 28])
def test_equal_detectors_are_red_in_no_more_sessions_than_the_level(n_cells: int) -> None:
    rng = np.random.default_rng(n_cells)
    n_sessions, red = 300, 0
    for _ in range(n_sessions):
        shared = rng.integers(-2, 3, (12, 1))
        cells = [(shared + rng.integers(-2, 3, (12, 3))).astype(float) for _ in range(n_cells)]
        together = min(found.min() for found in flip_tests(cells)) <= CELLS
        assert not (min(flip_test(cell).min() for cell in cells) <= cell_level(n_cells) and not together)
        red += together
    # 3 % of 300, and three standard errors.
    assert red <= 9 + 3 * 3


def test_what_is_spent_is_less_than_there_is() -> None:
    assert CELLS + OVERALL < FAMILY
    assert cell_level(28) * 28 == pytest.approx(CELLS)
