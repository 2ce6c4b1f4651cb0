"""By how much a rate may fall, from what the user allows: less where it is small, and less for a mean over cells."""

from sealproof.harness.tables.rates import LOWER_IS_BETTER

_PART_OF_SMALL = 5
"""A small rate may rise by a fifth of what is allowed in any case: one point of five."""

_PART_OF_MEAN = 2.5
"""The mean over all cells may fall by two fifths of what one cell may: two points of five."""


def allowance(metric: str, before: float, allowed_drop: float) -> float:
    """Return by how much a rate may get worse: by `allowed_drop`, but for false positives.

    These may double, and at least rise by a fifth of `allowed_drop`; never by more than all of it. From 1 % to 5 % is
    five times as many false alarms, though only four points.

    Args:
        metric: Name of the rate.
        before: The rate before, in [0, 1].
        allowed_drop: What the user allows, in [0, 1].
    """
    if metric in LOWER_IS_BETTER:
        return min(allowed_drop, max(allowed_drop / _PART_OF_SMALL, before))
    return allowed_drop


def mean_allowance(metric: str, before: float, allowed_drop: float) -> float:
    """Return by how much the mean of a rate over all cells may get worse: many small losses add up.

    Args:
        metric: Name of the rate.
        before: Its mean before, in [0, 1].
        allowed_drop: What the user allows in one cell.
    """
    return allowance(metric, before, allowed_drop / _PART_OF_MEAN)
