"""What each recording adds to the change of a statistic over pairs of clips, such that the parts are independent."""

from __future__ import annotations

from sealproof.harness.statistics.estimation.vectors import Floats

__all__ = ["pair_parts"]


def pair_parts(change: Floats, trials: Floats) -> Floats:
    """Return the pseudo-values of a change that is taken over pairs.

    A pair counts for the recordings of both its clips, so every recording's count also holds what others changed: the
    counts move together, and their spread is half of what it should be. Twice the count less the recording's share of
    the whole has the same sum, and parts that depend on each other no more than the recordings do (the pseudo-values of
    a two-sample U statistic: Arvesen 1969, Annals of Mathematical Statistics 40; Obuchowski 1997, Biometrics 53).

    Args:
        change: `(..., G)` change of the pairs won, by recording, each pair counted for both of its clips.
        trials: `(..., G)` pairs, counted so.

    Returns:
        `(..., G)` parts with the same sum as `change`.
    """
    whole = change.sum(axis=-1, keepdims=True) / trials.sum(axis=-1, keepdims=True)
    parts: Floats = 2 * change - trials * whole
    return parts
