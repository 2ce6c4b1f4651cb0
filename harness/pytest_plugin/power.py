"""What a session can find, said before it runs: from the recordings, the clips and the number of cells alone."""

import math
from collections.abc import Sequence
from functools import lru_cache

from sealproof.harness.comparison.allowance import allowance, mean_allowance
from sealproof.harness.statistics.change.budget import CELLS, OVERALL, POWER, cell_level, least_changed
from sealproof.harness.statistics.change.power import detectable_drop


@lru_cache(maxsize=256)
def detectable(
    sizes: tuple[int, ...], level: float, allowed_drop: float, *, by_group: bool, finds_collapse: bool
) -> float:
    """Return `detectable_drop`, which is asked for the same recordings again and again."""
    return detectable_drop(
        sizes, level=level, by_group=by_group, allowed_drop=allowed_drop, finds_collapse=finds_collapse
    )


def power_text(sizes: Sequence[int], n_cells: int, allowed_drop: float) -> str:
    """Say what loss of a TPR that was 1 the gate finds in 80 % of sessions.

    Args:
        sizes: Marked clips of each recording.
        n_cells: Cells of the matrix that are gated.
        allowed_drop: By how much a rate may fall.
    """
    clips = tuple(sizes)
    allowed = allowance("tpr", 1.0, allowed_drop)
    alone = detectable(clips, cell_level(n_cells), allowed, by_group=False, finds_collapse=True)
    best = detectable(clips, CELLS, allowed, by_group=False, finds_collapse=True)
    whole = detectable(clips, cell_level(n_cells), allowed, by_group=True, finds_collapse=True)
    mean = detectable(clips, OVERALL, mean_allowance("tpr", 1.0, allowed_drop), by_group=False, finds_collapse=False)
    text = (
        f"with {sum(clips)} marked clips of {len(clips)} recordings, {100 * POWER:.0f} % of sessions find, of the TPR, "
        f"{_drop(alone)} in one of {n_cells} cells ({_drop(best)} where no other cell changes; {_drop(whole)} where "
        f"whole recordings are lost), and {_drop(mean)} in all cells"
    )
    k = least_changed(cell_level(n_cells))
    if k > len(clips):
        text += (
            f". It takes {k} recordings that got worse to prove a loss in one of {n_cells} cells: with {len(clips)}, "
            "only recordings that collapse fail a cell by itself"
        )
    return text


def _drop(drop: float) -> str:
    return "no loss" if math.isnan(drop) else f"a loss of {100 * drop:.1f} points"
