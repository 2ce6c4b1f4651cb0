"""The rank at which a running count of clips reaches a mark, in every resample: medians, quantiles, error rates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sealproof.harness.statistics.estimation.vectors import Codes, Floats, Singles

__all__ = ["Ranked", "Reached", "first_reaching"]


@dataclass(frozen=True)
class Ranked:
    """Clips of one kind by the rank of their score.

    Attributes:
        ranks: `(n,)` ranks from 0, ties sharing one.
        groups: `(n,)` group codes.
        gain: What one of them adds to the sum that is searched: a number, or `(B,)` for each resample.
    """

    ranks: Codes
    groups: Codes
    gain: Floats | float

    def counts(self, first_rank: int, last_rank: int, step: int, n_groups: int) -> Singles:
        """Count the clips up to every `step`-th rank from `first_rank` on, by group: `(G, steps)`."""
        selected = (self.ranks >= first_rank) & (self.ranks < last_rank)
        steps = (self.ranks[selected] - first_rank) // step
        n_steps = -((first_rank - last_rank) // step)
        flat = np.bincount(self.groups[selected] * n_steps + steps, minlength=n_groups * n_steps)
        return np.cumsum(flat.reshape(n_groups, n_steps), axis=1, dtype=np.float32)


@dataclass(frozen=True)
class Reached:
    """Where a sum was reached, in every resample.

    Attributes:
        position: `(B,)` the rank.
        before: `(kinds, B)` clips of each kind below that rank, as often as they were drawn.
        upto: `(kinds, B)` the same up to and with that rank.
    """

    position: Codes
    before: Floats
    upto: Floats


def first_reaching(kinds: Sequence[Ranked], floor: Floats, n_ranks: int, weights: Floats) -> Reached:
    """Find, in every resample, the first rank up to which the clips' gains add up to `floor`.

    In two steps, blocks of ranks and then the ranks of the block, so that a resample costs `2 G sqrt(n)` and no
    clip is looked at once per resample.

    Args:
        kinds: The clips, of one kind or several, on one scale of ranks.
        floor: `(B,)` what the gains shall add up to; where they never do, the last rank is found.
        n_ranks: Number of ranks.
        weights: `(B, G)` resamples.
    """
    n_resamples, n_groups = weights.shape
    step = max(1, round(n_ranks**0.5))
    # Single precision holds counts exactly, up to 16 million clips.
    rows_of_weights = weights.astype(np.float32)
    blocks = [rows_of_weights @ kind.counts(0, n_ranks, step, n_groups) for kind in kinds]
    block = np.minimum(_n_below(kinds, blocks, floor, slice(None)), blocks[0].shape[1] - 1)
    position = np.empty(n_resamples, dtype=np.intp)
    before, upto = np.zeros((len(kinds), n_resamples)), np.empty((len(kinds), n_resamples))
    for number in np.unique(block):
        rows = np.flatnonzero(block == number)
        first, last = number * step, min((number + 1) * step, n_ranks)
        sums = [rows_of_weights[rows] @ kind.counts(first, last, 1, n_groups) for kind in kinds]
        starts = [whole[rows, number - 1] if number else np.zeros(rows.size, np.float32) for whole in blocks]
        for within, start in zip(sums, starts, strict=True):
            within += start[:, None]
        place = np.minimum(_n_below(kinds, sums, floor, rows), last - first - 1)
        position[rows] = first + place
        at = np.arange(rows.size)
        for row, (within, start) in enumerate(zip(sums, starts, strict=True)):
            upto[row, rows] = within[at, place]
            before[row, rows] = np.where(place > 0, within[at, place - 1], start)
    return Reached(position, before, upto)


def _n_below(kinds: Sequence[Ranked], sums: Sequence[Singles], floor: Floats, rows: Codes | slice) -> Codes:
    """Count, in every resample, the places at which the gains do not yet add up to `floor`."""
    gained = [
        # Not multiplied by 1: half the time of a median.
        counted if isinstance(kind.gain, float) and kind.gain == 1 else counted * _column(kind.gain, rows)
        for kind, counted in zip(kinds, sums, strict=True)
        if not (isinstance(kind.gain, float) and kind.gain == 0)
    ]
    below: Codes = np.count_nonzero(sum(gained[1:], gained[0]) < floor[rows, None], axis=1)
    return below


def _column(gain: Floats | float, rows: Codes | slice) -> Floats | float:
    return gain[rows, None] if isinstance(gain, np.ndarray) else gain
