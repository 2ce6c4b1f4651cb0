"""The learning curves of the extraction study as a picture."""

import io
from collections.abc import Sequence
from pathlib import Path

from sealproof.harness.foundation.files import write_atomically
from sealproof.harness.studies.extraction.study import Point

_PANELS = (
    ("accuracy", "task: accuracy, clips not attacked"),
    ("agreement", "fidelity: agreement, clips not attacked"),
    ("agreement_attacked", "fidelity: agreement, mean over attacks"),
)
_COLOURS = {"labels": "#1f3b57", "decisions": "#c8553d", "scores": "#3a7d44"}


def write_curves(points: Sequence[Point], title: str, path: Path) -> None:
    """Draw each measure against the budget, a line for each access level with its 95 % band, and write a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(_PANELS), sharey=True)
    figure.suptitle(title, fontsize=12)
    for axes, (measure, label) in zip(panels, _PANELS, strict=True):
        for access, colour in _COLOURS.items():
            line = [point for point in points if point.access == access]
            budgets = [point.budget for point in line]
            lows = [getattr(point, f"{measure}_low") for point in line]
            highs = [getattr(point, f"{measure}_high") for point in line]
            axes.plot(budgets, [getattr(point, measure) for point in line], "o-", color=colour, label=access)
            axes.fill_between(budgets, lows, highs, color=colour, alpha=0.15, linewidth=0)
        axes.set_xscale("log")
        axes.set_xlabel("clips whose label or answer is known")
        axes.set_title(label, fontsize=10)
        axes.grid(color="0.9")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylim(top=1.005)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    png = io.BytesIO()
    figure.savefig(png, format="png", metadata={"Software": None})
    write_atomically(path, lambda file: file.write(png.getvalue()))
