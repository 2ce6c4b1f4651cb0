"""The data of each figure as CSV."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from sealproof.harness.foundation.text import filled
from sealproof.harness.report.contents import Contents
from sealproof.harness.report.disagreements import N_BINS
from sealproof.harness.report.terms import AUDIO, METRICS
from sealproof.harness.report.worst_case import worst_case_table
from sealproof.harness.tables.reading.clips import LABELS

if TYPE_CHECKING:
    import pandas as pd

_NUMBER = ["detector", "threshold_rule", "metric", "value", "ci_low", "ci_high", "n_clips", "n_groups"]


def figure_tables(contents: Contents) -> Mapping[str, str]:
    """Return CSV by figure; a figure that the run has nothing for is left out.

    The page offers what it shows of a figure, with the same columns.
    """
    import pandas as pd

    numbers = _numbers(contents)
    tables = {
        "heat_map": numbers,
        "curves": _curves(contents, numbers),
        "break_points": contents.folder.break_points,
        "score_histograms": _histograms(contents),
        "quality": _quality(contents, numbers),
        "worst_case": worst_case_table(contents),
        "examples": pd.DataFrame(example_rows(contents)),
    }
    return {
        name: _without_gaps(table).to_csv(index=False, lineterminator="\n", float_format="%.6g")
        for name, table in tables.items()
        if table is not None and len(table)
    }


def _without_gaps(table: "pd.DataFrame") -> "pd.DataFrame":
    return table.assign(params=table["params"].map(filled)) if "params" in table else table


def _numbers(contents: Contents) -> "pd.DataFrame":
    rows = contents.folder.summary
    return rows.loc[rows["status"] == "ok", ["attack", "params", *_NUMBER]]


def _curves(contents: Contents, numbers: "pd.DataFrame") -> "pd.DataFrame":
    import pandas as pd

    cells = contents.folder.cells
    points = pd.DataFrame(
        [
            (sweep.title, sweep.parameter, sweep.fixed, float(value), cells[index].attack, cells[index].params)
            for sweep in contents.folder.sweeps
            if sweep.is_numeric
            for index, value in zip(sweep.cells, sweep.values, strict=True)
        ],
        columns=["sweep", "parameter", "fixed", "strength", "attack", "params"],
    )
    return points.merge(numbers, on=["attack", "params"]).drop(columns="params")


def _histograms(contents: Contents) -> "pd.DataFrame":
    import pandas as pd

    cells, detectors, counted = contents.folder.cells, contents.folder.detectors, contents.histograms
    n_cells, n_detectors, n_labels, _ = counted.counts.shape
    cell, detector, label, place = (
        axis.ravel() for axis in np.indices((n_cells, n_detectors, n_labels, N_BINS), dtype=np.int32)
    )
    table = pd.DataFrame(
        {
            "attack": np.array([one.attack for one in cells])[cell],
            "params": np.array([one.params for one in cells])[cell],
            "detector": np.array([one.name for one in detectors])[detector],
            "label": np.array(LABELS)[label],
            "bin_low": counted.edges[detector, place],
            "bin_high": counted.edges[detector, place + 1],
            "n_clips": counted.counts.ravel(),
        }
    )
    return table[table["n_clips"] > 0]


def _quality(contents: Contents, numbers: "pd.DataFrame") -> "pd.DataFrame | None":
    about_audio = numbers[numbers["detector"] == ""]
    if not len(about_audio):
        return None
    wide = about_audio.pivot_table(index=["attack", "params"], columns="metric", values="value", sort=False)
    judged = numbers[(numbers["detector"] != "") & numbers["metric"].map(_is_of_detector)]
    return judged.merge(wide.reset_index(), on=["attack", "params"])


def _is_of_detector(metric: str) -> bool:
    return metric not in METRICS or METRICS[metric].group != AUDIO


def example_rows(contents: Contents) -> list[dict[str, str | float]]:
    """Return the disagreements to listen to, one row each."""
    detectors, cells = contents.folder.detectors, contents.folder.cells
    rows: list[dict[str, str | float]] = []
    for example in contents.examples:
        disagreement = example.disagreement
        scores = contents.folder.scores.scores[disagreement.cell, :, disagreement.label, disagreement.clip]
        cell = cells[disagreement.cell]
        rows.append(
            {
                "attack": cell.attack,
                "params": cell.params,
                "clip_id": contents.folder.scores.clip_ids[disagreement.clip],
                "label": LABELS[disagreement.label],
                "reference": detectors[0].name,
                "reference_score": float(f"{scores[0]:.6g}"),
                "mimic": detectors[disagreement.mimic].name,
                "mimic_score": float(f"{scores[disagreement.mimic]:.6g}"),
                "sureness": float(f"{disagreement.sureness:.6g}"),
            }
        )
    return rows
