"""Recordings that collapse: found nearly whole before, nearly not at all after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["ALIVE", "DEAD", "LEAST_CLIPS", "LEAST_RECORDINGS", "SOUND", "Collapse", "find_collapse", "least_recordings"]

ALIVE, DEAD = 0.75, 0.25
"""Share of a recording's clips that were right at least, and are right at most."""

SOUND = 0.95
"""Share of all clips that were right at least: where a detector is weak anyhow, single recordings come and go."""

LEAST_CLIPS = 4
"""Clips of a recording below which nothing is said of it: one of two may change by chance."""

LEAST_RECORDINGS = 3
"""Recordings that must collapse, more than recover; or all there are: docs/gate.md says how often chance does that."""


@dataclass(frozen=True)
class Collapse:
    """Recordings that changed wholly.

    Attributes:
        lost: Places of those that collapsed.
        won: Places of those that recovered.
        n_recordings: How many there are with enough clips to tell.
    """

    lost: tuple[int, ...]
    won: tuple[int, ...]
    n_recordings: int

    @property
    def is_failure(self) -> bool:
        """Whether more of them collapsed than chance lets."""
        return len(self.lost) - len(self.won) >= least_recordings(self.n_recordings)


def least_recordings(n_recordings: int) -> int:
    """Return how many recordings must collapse, of so many."""
    return max(1, min(LEAST_RECORDINGS, n_recordings))


def find_collapse(before: ArrayLike, after: ArrayLike, trials: ArrayLike) -> Collapse:
    """Find the recordings that changed wholly; none where fewer than 95 % of all clips were right before.

    Args:
        before: `(G,)` clips of each recording that were right.
        after: `(G,)` clips that are right now.
        trials: `(G,)` clips; recordings with fewer than 4 are left out.
    """
    n = np.asarray(trials, dtype=np.float64)
    enough = (n >= LEAST_CLIPS) & (np.sum(before) >= SOUND * n.sum())
    old, new = (np.asarray(counts, dtype=np.float64) / np.maximum(n, 1) for counts in (before, after))
    lost = enough & (old >= ALIVE) & (new <= DEAD)
    won = enough & (old <= DEAD) & (new >= ALIVE)
    return Collapse(_places(lost), _places(won), int(enough.sum()))


def _places(flags: NDArray[np.bool_]) -> tuple[int, ...]:
    places: Sequence[int] = np.flatnonzero(flags).tolist()
    return tuple(places)
