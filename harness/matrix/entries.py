"""What an entry of the cell store must look like: one that was damaged or forged is never taken for a number."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]
Shape = tuple[int, int]
"""(labels, clips)."""


def wrong_scores(arrays: Arrays, expected: Shape | None = None) -> str | None:
    """Say what is wrong with a detector's scores in a cell, or return None.

    Args:
        arrays: By the names of `Scores`.
        expected: The shape (labels, clips) that they must have; None where any will do.
    """
    shape = arrays["score"].shape
    n_labels = shape[0] if len(shape) == 2 else 0
    means = arrays["mean_probability"]
    return (
        _wrong_shape("score", arrays["score"], np.float32, expected or shape)
        or _not_finite("score", arrays["score"])
        or _wrong_bits(arrays["bits"], shape)
        or _wrong_shape("mean_probability", means, np.float32, (n_labels, 0) if means.size == 0 else shape)
        or _not_finite("mean_probability", means)
        or _outside_0_1("mean_probability", means)
        or _wrong_shape("frame_iou", arrays["frame_iou"], np.float64, shape)
        or _outside_0_1("frame_iou", arrays["frame_iou"][~np.isnan(arrays["frame_iou"])])
        or _wrong_number("threshold", arrays["threshold"])
        or _wrong_seconds("detect_s", arrays["detect_s"])
    )


def wrong_measured(arrays: Arrays, metrics: tuple[str, ...], expected: Shape | None = None) -> str | None:
    """Say what is wrong with what was measured in a cell, or return None; a metric may be NaN or infinite.

    Args:
        arrays: By the names of `Measured`, its quality by metric.
        metrics: The metrics that must be there.
        expected: The shape (labels, clips) that they must have; None where any will do.
    """
    shape = expected or arrays["is_noop"].shape
    wrong = _wrong_shape("is_noop", arrays["is_noop"], np.bool_, shape)
    for metric in metrics:
        wrong = wrong or wrong_quality(metric, arrays[metric], shape)
    return wrong or _wrong_seconds("attack_s", arrays["attack_s"]) or _wrong_json(arrays["verification"])


def wrong_quality(metric: str, values: NDArray[Any], expected: tuple[int, ...] | None = None) -> str | None:
    """Say what is wrong with the values of a metric, or return None."""
    return _wrong_shape(metric, values, np.float64, expected or values.shape)


def _wrong_shape(name: str, array: NDArray[Any], dtype: type[np.generic], shape: tuple[int, ...]) -> str | None:
    if array.dtype == np.dtype(dtype) and array.ndim == 2 and array.shape == shape:
        return None
    return f"'{name}' must be {np.dtype(dtype)} of shape {shape}, (labels, clips), and is {array.dtype} {array.shape}"


def _wrong_bits(bits: NDArray[Any], shape: tuple[int, ...]) -> str | None:
    if bits.dtype != np.uint8 or bits.ndim != 3 or bits.shape[:2] != shape:
        return f"'bits' must be uint8 of shape {shape} and the number of bits, and is {bits.dtype} {bits.shape}"
    return "'bits' must be 0 or 1" if bits.size and bits.max() > 1 else None


def _not_finite(name: str, array: NDArray[Any]) -> str | None:
    n_wrong = int(array.size - np.isfinite(array).sum())
    return f"'{name}' must be finite, and has {n_wrong} NaN or infinite values" if n_wrong else None


def _outside_0_1(name: str, array: NDArray[Any]) -> str | None:
    return None if ((array >= 0) & (array <= 1)).all() else f"'{name}' must lie in 0 .. 1"


def _wrong_number(name: str, array: NDArray[Any]) -> str | None:
    is_number = array.ndim == 0 and array.dtype.kind in "fiu" and bool(np.isfinite(array))
    return None if is_number else f"'{name}' must be one finite number"


def _wrong_seconds(name: str, array: NDArray[Any]) -> str | None:
    return _wrong_number(name, array) or (f"'{name}' must not be negative" if array < 0 else None)


def _wrong_json(array: NDArray[Any]) -> str | None:
    try:
        json.loads(str(array))
    except ValueError:
        return "'verification' must be JSON"
    return None
