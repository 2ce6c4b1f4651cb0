"""What the statistics are made from: vectors with a value for each clip, checked, and their sums by group."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Codes = NDArray[np.intp]
Singles = NDArray[np.float32]

__all__ = [
    "Codes",
    "Flags",
    "Floats",
    "Singles",
    "as_flags",
    "as_groups",
    "as_scores",
    "ratio",
    "require_equal_length",
    "require_same_clips",
]


def as_flags(name: str, values: ArrayLike) -> Flags:
    """Return `values` as a vector of booleans.

    Args:
        name: What the caller calls the argument; errors quote it.
        values: `(n,)` booleans. Numbers are refused: a score passed for a decision would count as "yes".

    Raises:
        ValueError: If `values` is not a vector of booleans.
    """
    flags = np.asarray(values)
    if flags.size == 0 and flags.ndim == 1:
        return flags.astype(np.bool_)
    if flags.dtype != np.bool_ or flags.ndim != 1:
        raise ValueError(
            f"{name!r} must be a vector of booleans, one per clip. Got {flags.dtype} of shape {flags.shape}; "
            f"compare scores with a threshold, or convert zeros and ones with .astype(bool)."
        )
    return flags


def as_scores(name: str, values: ArrayLike) -> Floats:
    """Return `values` as a vector of float64 without NaN; infinite scores are allowed, they compare like any other.

    Args:
        name: What the caller calls the argument; errors quote it.
        values: `(n,)` numbers.

    Raises:
        ValueError: If `values` is not a vector, or holds a NaN: a clip that could not be scored has no place in a
            metric.
    """
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim != 1:
        raise ValueError(f"{name!r} must be a vector, one number per clip. Got shape {scores.shape}.")
    n_missing = int(np.isnan(scores).sum())
    if n_missing:
        raise ValueError(
            f"{name!r} must not hold NaN. Got {n_missing} of {scores.size}; leave out clips that failed, and say so."
        )
    return scores


def as_groups(groups: ArrayLike, n_clips: int, weights: Floats) -> Codes:
    """Return `groups` as group codes that fit both the clips and the columns of `weights`.

    Args:
        groups: `(n,)` integers; `groups[i]` is the column of `weights` that clip `i` belongs to.
        n_clips: How many clips the metric has.
        weights: `(B, G)` resamples from `group_weights`.

    Raises:
        ValueError: If there is not one code per clip, a code is no integer or has no column, or `weights` is no
            matrix.
    """
    codes = np.asarray(groups)
    if weights.ndim != 2:
        raise ValueError(
            f"'weights' must be a (resamples, groups) matrix from group_weights. Got shape {weights.shape}."
        )
    if codes.shape != (n_clips,):
        raise ValueError(f"'groups' must hold one code for each of the {n_clips} clips. Got shape {codes.shape}.")
    if n_clips == 0:
        return codes.astype(np.intp)
    if not np.issubdtype(codes.dtype, np.integer):
        raise ValueError(f"'groups' must be integers. Got {codes.dtype}; turn names into codes with group_codes.")
    if codes.min() < 0 or codes.max() >= weights.shape[1]:
        raise ValueError(
            f"'groups' must lie in 0 .. {weights.shape[1] - 1}, the columns of 'weights'. "
            f"Got {codes.min()} .. {codes.max()}; draw the weights for all groups of the run."
        )
    return codes.astype(np.intp, copy=False)


def ratio(numerator: ArrayLike, denominator: ArrayLike) -> Floats:
    """Divide, with NaN ("not defined") where the denominator is 0.

    Args:
        numerator: Numbers.
        denominator: Numbers that broadcast with them.
    """
    top, bottom = np.broadcast_arrays(np.asarray(numerator, np.float64), np.asarray(denominator, np.float64))
    quotient: Floats = np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom != 0)
    return quotient


def require_equal_length(n_scores: int, n_labels: int) -> None:
    """Refuse scores and truth that are not about the same clips.

    Raises:
        ValueError: If there are not equally many.
    """
    if n_scores != n_labels:
        raise ValueError(f"'scores' and 'is_watermarked' must be equally long. Got {n_scores} and {n_labels}.")


def require_same_clips(n_first: int, n_second: int) -> None:
    """Refuse two detectors that did not judge the same clips.

    Raises:
        ValueError: If there are not equally many.
    """
    if n_first != n_second:
        raise ValueError(f"Two detectors must be compared on the same clips. Got {n_first} and {n_second} of them.")
