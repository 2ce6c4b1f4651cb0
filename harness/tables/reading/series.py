"""The numbers of summary.csv as arrays over cells, one for each detector, threshold rule and metric."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Key = tuple[str, str, str]
"""Detector (empty for a number about the audio), threshold rule (empty for none), metric."""


@dataclass(frozen=True)
class Series:
    """One metric of one detector, cell by cell; NaN where there is none.

    Attributes:
        value: (cells,) estimates.
        low: (cells,) lower ends of the 95 % intervals.
        high: (cells,) upper ends.
        n_clips: (cells,) clips they are taken over.
        n_groups: (cells,) recordings these are from.
    """

    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    n_clips: NDArray[np.float64]
    n_groups: NDArray[np.float64]


def series_of(summary: "pd.DataFrame", place: Mapping[tuple[str, str], int]) -> dict[Key, Series]:
    """Return all numbers of a run, in the order of summary.csv; a rule without a threshold has none.

    Args:
        summary: summary.csv.
        place: Where each cell, by its attack and params, stands in the run.
    """
    rows = summary[summary["status"] == "ok"]
    cell = np.array([place[pair] for pair in zip(rows["attack"], rows["params"], strict=True)], dtype=np.int64)
    series: dict[Key, Series] = {}
    groups: Any = rows.groupby(["detector", "threshold_rule", "metric"], sort=False).indices
    for (detector, rule, metric), at in groups.items():
        own = rows.iloc[at]
        columns = ("value", "ci_low", "ci_high", "n_clips", "n_groups")
        value, low, high, n_clips, n_groups = (_spread(own[name].to_numpy(), cell[at], len(place)) for name in columns)
        series[detector, rule, metric] = Series(value, low, high, n_clips, n_groups)
    return series


def _spread(values: NDArray[np.float64], cells: NDArray[np.int64], n_cells: int) -> NDArray[np.float64]:
    spread = np.full(n_cells, np.nan)
    spread[cells] = values
    return spread
