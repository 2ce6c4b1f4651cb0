"""Sign-flip tests over recordings: is a loss more than luck, in one cell and in many that share their recordings?

Where two detectors are equally good, which of the two comes "before" is a coin's toss, recording by recording: all of a
recording's clips, under all attacks, stay together. So every recording's losses may be turned round, in all cells at
once, and what was seen is held against what these flips give. Nothing is assumed of how alike the clips of a recording
are, how cells depend on each other, or how losses are distributed. (Fisher 1935, The Design of Experiments, section 21;
over many statistics Westfall and Young 1993, Resampling-Based Multiple Testing, and Romano and Wolf 2005, Econometrica
73, for the steps down.)

It has a price: k recordings that all got worse are a chance of 2^-k, however much they lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.statistics.estimation.vectors import Floats

__all__ = ["flip_test", "flip_tests"]

_EXACT = 14
"""Recordings whose flips are all tried: 2^14. Beyond, flips are drawn."""

_N_ALONE = 1 << 17
"""Flips that are drawn for one cell, at most: enough for 1 in 20,000."""

N_TOGETHER = 1 << 15
"""Flips that are drawn for many cells."""

_CHUNK = 1 << 22
"""Signs that are held at once."""

_TIE = 1e-6
"""Statistics as near as this are the same: they are sums of whole numbers over a root."""


def flip_test(losses: Floats, seed: int = 0, level: float = 0.05) -> Floats:
    """P values of one cell's losses, one-sided, adjusted for the number of its rates (single step, maximum).

    The p value of a rate is the share of flips in which the largest of all the cell's statistics reaches that of this
    rate. A rate's statistic is its sum over the root of its sum of squares, which no flip changes.

    Args:
        losses: `(G, K)` by recording and rate; positive is worse. Rates may be in different units.
        seed: Decides which flips are drawn, where these are too many to try.
        level: As soon as no p value can be as small as this any more they are taken as they stand.

    Returns:
        `(K,)` p values in (0, 1]; 1 where a rate did not fall.
    """
    seen = _statistics(losses)
    changed = losses[losses.any(axis=1)]
    if not (seen > 0).any():
        return np.ones(seen.size)
    scaled = changed / _roots(losses)
    reached, n_flips = np.zeros(seen.size), 0
    for signs in _signs(len(changed), _N_ALONE, seed):
        largest = (signs @ scaled).max(axis=1)
        reached += (largest[:, None] >= seen - _TIE).sum(axis=0)
        n_flips += len(signs)
        if reached[seen > 0].min() > level * _N_ALONE:
            break
    return np.where(seen > 0, reached / n_flips, 1.0)


def flip_tests(cells: Sequence[Floats], seed: int = 0, n_flips: int = N_TOGETHER) -> list[Floats]:
    """P values of many cells' losses, adjusted for the cells, too: smallest p value, steps down.

    Every cell has a p value by itself, as in `flip_test`; a flip gives all cells one, and the smallest of these is what
    the observed are held against. So cells that move together count as few, and cells in which next to nothing changed
    do not count: they cannot have a small p value. The probability of any p value at most alpha, among the cells that
    did not get worse, is at most alpha.

    Args:
        cells: By cell `(G, K)` as in `flip_test`; the same recordings in all cells, in the same order.
        seed: As there.
        n_flips: How many are drawn; p values are whole shares of them.

    Returns:
        By cell `(K,)` adjusted p values in (0, 1]; 1 where a rate did not fall.
    """
    seen = [_statistics(losses) for losses in cells]
    live = [index for index, statistics in enumerate(seen) if (statistics > 0).any()]
    adjusted = [np.ones(statistics.size) for statistics in seen]
    if not live:
        return adjusted
    is_changed = np.any([losses.any(axis=1) for losses in cells], axis=0)
    scaled = [losses[is_changed] / _roots(losses) for losses in cells]
    blocks = [
        np.stack([(signs @ losses).max(axis=1) for losses in scaled], axis=1).astype(np.float32)
        for signs in _signs(int(is_changed.sum()), n_flips, seed)
    ]
    largest = np.concatenate(blocks)
    n_tried = len(largest)
    ordered = np.sort(largest, axis=0)

    def p_values(cell: int, statistics: NDArray[np.floating]) -> Floats:
        below = np.searchsorted(ordered[:, cell], statistics - _TIE, side="left")
        return np.asarray((n_tried - below) / n_tried, dtype=np.float64)

    own = {index: p_values(index, seen[index]) for index in live}
    dead = [index for index in range(len(cells)) if index not in own]
    live.sort(key=lambda index: own[index].min())
    # From the last to the first: the smallest of those that are not yet found to have got worse.
    smallest = np.min([p_values(index, largest[:, index]) for index in dead], axis=0) if dead else np.ones(n_tried)
    chances: dict[int, Floats] = {}
    for index in reversed(live):
        smallest = np.minimum(smallest, p_values(index, largest[:, index]))
        chances[index] = np.searchsorted(np.sort(smallest), own[index], side="right") / n_tried
    floor = 0.0
    for index in live:
        adjusted[index] = np.where(seen[index] > 0, np.maximum(chances[index], floor), 1.0)
        floor = float(adjusted[index].min())
    return adjusted


def _statistics(losses: Floats) -> Floats:
    return np.asarray(losses.sum(axis=0) / _roots(losses), dtype=np.float64)


def _roots(losses: Floats) -> Floats:
    squares = np.sqrt((losses**2).sum(axis=0))
    # Where nothing changed the statistic is 0 under all flips.
    return np.asarray(np.where(squares > 0, squares, 1.0), dtype=np.float64)


def _signs(n_groups: int, n_flips: int, seed: int) -> Iterator[Floats]:
    """Yield (b, G) flips of -1 and 1, the one that was seen among them; all there are, where these are few."""
    if n_groups <= _EXACT:
        numbers = np.arange(1 << n_groups)[:, None] >> np.arange(n_groups) & 1
        yield np.where(numbers, -1.0, 1.0)
        return
    rng = np.random.default_rng([seed, n_groups])
    rows = max(1, min(4096, _CHUNK // n_groups))
    for start in range(0, n_flips, rows):
        signs = np.where(rng.integers(0, 2, (min(rows, n_flips - start), n_groups), dtype=np.int8), -1.0, 1.0)
        if start == 0:
            signs[0] = 1.0
        yield signs
