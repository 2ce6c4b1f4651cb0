"""Sums and counts by group: clips of one recording are alike, so groups are what statistics resample."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sealproof.harness.statistics.estimation.vectors import Codes, Flags, Floats

Counts = NDArray[np.int64]


def group_codes(names: Sequence[str]) -> tuple[Codes, list[str]]:
    """Number the groups: one code per clip, and the sorted names that the codes stand for.

    Args:
        names: The group of every clip, as in the manifest.

    Returns:
        `(n,)` codes and the `G` distinct names; `names[i] == distinct[codes[i]]`.
    """
    distinct, codes = np.unique(np.asarray(names, dtype=np.str_), return_inverse=True)
    return codes.astype(np.intp, copy=False), [str(name) for name in distinct]


def sum_by_group(values: ArrayLike, groups: Codes, n_groups: int) -> Floats:
    """Add up the values of each group.

    Args:
        values: `(n,)` or `(n, k)` numbers or booleans.
        groups: `(n,)` codes below `n_groups`.
        n_groups: Number of groups; one without clips sums to 0.

    Returns:
        `(G,)` or `(G, k)` float64.
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim == 1:
        return np.bincount(groups, weights=table, minlength=n_groups).astype(np.float64, copy=False)
    columns = table.shape[1]
    places = groups[:, None] * columns + np.arange(columns)
    sums = np.bincount(places.ravel(), weights=table.ravel(), minlength=n_groups * columns)
    return sums.astype(np.float64, copy=False).reshape(n_groups, columns)


def count_by_group(groups: Codes, n_groups: int) -> Floats:
    """Count the clips of every group.

    Args:
        groups: `(n,)` codes below `n_groups`.
        n_groups: Number of groups.

    Returns:
        `(G,)` float64.
    """
    return np.bincount(groups, minlength=n_groups).astype(np.float64)


def count_groups(groups: Codes) -> int:
    """Count the distinct groups among the clips.

    Args:
        groups: `(n,)` non-negative codes.
    """
    return int(np.count_nonzero(np.bincount(groups)))


def successes_by_group(flags: Flags, groups: NDArray[np.intp], n_groups: int) -> tuple[Counts, Counts]:
    """Count each group's successes and trials.

    Args:
        flags: (labels, clips) which clips count for the rate.
        groups: (clips,) code of each clip's group.
        n_groups: Number of groups.

    Returns:
        (G,) successes and (G,) trials.
    """
    successes = np.bincount(groups, weights=flags.sum(axis=0), minlength=n_groups)
    trials = np.bincount(groups, minlength=n_groups) * len(flags)
    return successes.astype(np.int64), trials.astype(np.int64)
