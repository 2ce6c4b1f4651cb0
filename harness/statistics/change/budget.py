"""How the gate spends its one chance in twenty: the probability that it turns red where nothing got worse.

The family-wise error is at most the sum of what its parts may err. The rule for recordings that collapse has no level
of its own: it is measured, and takes the rest (`benchmarks/pytest_plugin/gate_simulation.py`, docs/gate.md).
"""

FAMILY = 0.05
"""Sessions that may be red by chance, at most, however many cells they have."""

CELLS = 0.03
"""What the cells may spend together."""

OVERALL = 0.01
"""What the means over all cells may spend together."""

ALLOWED_DROP = 0.05
"""By how much a rate may fall where nothing else is asked for."""

POWER = 0.8
"""Share of sessions in which a drop is found that is called detectable."""


def cell_level(n_cells: int) -> float:
    """Return the level that one cell of so many is judged at by itself: an equal share (Bonferroni).

    Args:
        n_cells: Cells of the family, at least 1.
    """
    return CELLS / n_cells


def least_changed(level: float) -> int:
    """Return how many recordings must have got worse, and none better, before that is proven at a level: 2^-k <= level.

    Args:
        level: In (0, 1).
    """
    n = 1
    while 0.5**n > level:
        n += 1
    return n
