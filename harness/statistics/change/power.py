"""What a gate can find: the smallest drop of a rate that it reports in most cases, from recordings and clips alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.statistics.change.budget import POWER, least_changed
from sealproof.harness.statistics.change.collapse import DEAD, LEAST_CLIPS, least_recordings

__all__ = ["detectable_drop"]

_N_DRAWS = 1000
"""Sessions that are drawn for every drop: the share that is found is known within 1.3 points."""

_STEP = 0.005
"""Drops are tried in steps of half a point."""


def detectable_drop(
    sizes: Sequence[int], *, level: float, by_group: bool, allowed_drop: float, finds_collapse: bool = True
) -> float:
    """Smallest drop, of a rate of 1, that is found in 80 % of cases where nothing else changes.

    It is found where more than `allowed_drop` is lost and so many recordings got worse that the flips of their signs
    prove it (2^-k at most the level), or where recordings collapse. A new version that errs on other clips here and
    there, for the better and the worse, is harder to see through: see docs/gate.md.

    Args:
        sizes: Clips of each recording.
        level: What the p value must not exceed, in (0, 1).
        by_group: A recording is lost as a whole or not at all; else errors are spread over all clips alike.
        allowed_drop: By how much the rate may fall, in [0, 1).
        finds_collapse: Recordings that collapse are a failure of their own, as in a cell.

    Returns:
        A drop in (0, 1]; NaN where no drop is found so often.
    """
    counts = np.asarray(sizes, dtype=np.int64)
    rng = np.random.default_rng(counts.size)
    # The same draws for every drop, so that a larger one is never harder to find.
    draws = rng.random((_N_DRAWS, counts.size)) if by_group else rng.random((_N_DRAWS, int(counts.sum())))
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    k = least_changed(level)

    def power_at(drop: float) -> float:
        lost: NDArray[np.int64] = (draws < drop).astype(np.int64)
        lost = lost * counts if by_group else np.add.reduceat(lost, starts, axis=1)
        proven = (np.count_nonzero(lost, axis=1) >= k) & (lost.sum(axis=1) > allowed_drop * counts.sum() + 1e-9)
        if finds_collapse:
            enough = counts >= LEAST_CLIPS
            dead = enough & (counts - lost <= DEAD * counts)
            proven |= np.count_nonzero(dead, axis=1) >= least_recordings(int(enough.sum()))
        return float(proven.mean())

    low, high = 0, round(1 / _STEP)
    if counts.size < 1 or power_at(1.0) < POWER:
        return math.nan
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power_at(middle * _STEP) >= POWER else (middle, high)
    return round(high * _STEP, 3)
