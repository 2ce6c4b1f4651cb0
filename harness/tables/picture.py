"""A picture of a run: accuracy of every detector and agreement of every mimic, cell by cell, with intervals."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sealproof.harness.foundation.picture import write_png
from sealproof.harness.tables.rules import FIXED
from sealproof.harness.tables.summary import SummaryRow
from sealproof.harness.tables.text import CellView, cell_views, detector_names

_COLOURS = ("#1f3b57", "#c8553d", "#3a7d44", "#8a5a9e", "#b58900", "#4c8c8c")
"""The reference is the first; far apart in lightness too, for grey prints and colour-blind readers."""


def write_picture(rows: Sequence[SummaryRow], title: str, path: Path) -> None:
    """Draw accuracy and agreement as points with 95 % intervals, one line per cell, and write a PNG.

    Args:
        rows: The rows of summary.csv.
        title: Stands on top.
        path: The PNG.
    """
    # The object interface, not pyplot: no window system, no global state.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    views = cell_views(rows, FIXED)
    reference, mimics = detector_names(rows)
    figure = Figure(figsize=(11, 1.8 + 0.3 * len(views)), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, sharey=True)
    figure.suptitle(title, fontsize=12)
    detectors = [reference, *mimics]
    for index, detector in enumerate(detectors):
        _points(left, views, detector, "accuracy", index, len(detectors))
        if index > 0:
            _points(right, views, detector, "agreement", index, len(detectors))
    left.set_xlabel("accuracy at the detector's own threshold\n(clean and watermarked clips, both attacked)")
    right.set_xlabel(f"agreement with {reference}")
    left.axvline(0.5, color="0.6", linestyle=":", linewidth=1)
    left.set_yticks(range(len(views)), [view.title for view in views], fontsize=9)
    left.set_ylim(max(len(views), 1) - 0.5, -0.5)
    for axes in (left, right):
        axes.set_xlim(-0.02, 1.02)
        axes.grid(axis="x", color="0.9")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=len(detectors), frameon=False)
    # Once, by hand: with a layout engine in place everything would be drawn twice.
    engine = figure.get_layout_engine()
    assert engine is not None  # noqa: S101 - it has just been asked for
    engine.execute(figure)
    figure.set_layout_engine("none")
    write_png(figure, path)


def _points(axes: Any, views: Sequence[CellView], detector: str, metric: str, index: int, n_detectors: int) -> None:
    values, lows, highs, heights = [], [], [], []
    for position, view in enumerate(views):
        row = view.row(detector, metric)
        if row is None or row.value is None:
            continue
        values.append(row.value)
        lows.append(row.value - (row.value if row.ci_low is None else row.ci_low))
        highs.append((row.value if row.ci_high is None else row.ci_high) - row.value)
        # Side by side, so that detectors with equal values do not hide each other.
        heights.append(position + 0.5 * ((index + 0.5) / n_detectors - 0.5))
    colour = _COLOURS[index % len(_COLOURS)]
    axes.errorbar(
        values, heights, xerr=[lows, highs], fmt="o", markersize=4, color=colour, elinewidth=1.2, label=detector
    )
