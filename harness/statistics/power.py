"""What a gate can find: the smallest drop of a rate that it reports in most cases, from clips and recordings alone."""

from __future__ import annotations

import math

__all__ = ["detectable_drop"]

_LEAST_CHANGED = 4
"""Clips that must change before Tango's interval excludes zero, where none changes the other way."""


def detectable_drop(
    n_clips: int, n_groups: int, *, by_group: bool, allowed_drop: float = 0.05, power: float = 0.8
) -> float:
    """Smallest drop, of a rate of 1, that the gate calls a regression with this probability.

    The gate wants a drop above `allowed_drop` whose interval excludes zero. With the standard error `s` of a drop `d`,
    `s^2 = d (1 - d) / n`, both hold often enough from the larger solution of `d = allowed_drop + z s` and
    `d = (t_975 + t_power) s` on, with Student's quantiles of G - 1 degrees of freedom (the usual size of a one-sample t
    test: Cohen 1988, Statistical Power Analysis for the Behavioral Sciences, chapter 2). `n` is the number of clips, or
    that of groups where they are lost as a whole (a design effect of the clips per group: Kish 1965, Survey Sampling,
    section 5.4). A normal approximation: held against the gate itself by simulation in the tests.

    Args:
        n_clips: Clips that the rate is taken over.
        n_groups: Recordings they are from, about equally large.
        by_group: A recording is lost as a whole or not at all; else errors are spread over all clips alike.
        allowed_drop: The gate's, in [0, 1).
        power: Share of cases in which the drop is found, in (0, 1).

    Returns:
        A drop in (0, 1]; NaN where no drop is found so often.
    """
    from scipy.special import bdtrc, ndtri, stdtrit

    if n_groups < 2:
        return math.nan
    n = n_groups if by_group else n_clips
    reach, z = float(stdtrit(n_groups - 1, 0.975) + stdtrit(n_groups - 1, power)), float(ndtri(power))

    def is_found(drop: float) -> bool:
        error = math.sqrt(drop * (1 - drop) / n)
        return (
            drop - allowed_drop >= z * error
            and drop >= reach * error
            and bdtrc(_LEAST_CHANGED - 1, n_clips, drop) >= power
        )

    low, high = 0.0, 1.0
    if not is_found(high):
        return math.nan
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (low, middle) if is_found(middle) else (middle, high)
    return high
