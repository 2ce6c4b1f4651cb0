"""The learning curves of the extraction study as a picture."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from sealproof.harness.foundation.picture import write_png
from sealproof.harness.studies.extraction.exam.strata import ATTACKED, HALF, UNATTACKED, Measure
from sealproof.harness.studies.extraction.request import ALTERED, Case
from sealproof.harness.studies.extraction.study import Result

_PANELS = (
    (UNATTACKED, "accuracy", "task: accuracy, not attacked"),
    (UNATTACKED, "agreement", "fidelity: agreement, not attacked"),
    (ATTACKED, "agreement", "fidelity: agreement, attacked"),
    (HALF, "kappa_within", "fidelity where the detector half fails,\nbeyond attack and label: kappa"),
)
_COLOURS = {"labels": "#1f3b57", "decisions": "#c8553d", "clip_scores": "#b08900", "scores": "#3a7d44"}

_Line = list[tuple[Case, Sequence[Measure]]]


def write_curves(numbers: Sequence[tuple[Result, Sequence[Measure]]], title: str, path: Path) -> None:
    """Draw measures against the budget, a line for each combination of the rest, and write a PNG.

    A line is the mean over seeds; its band the 95 % interval by recording of the first of them.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lines: dict[tuple[str, ...], _Line] = defaultdict(list)
    for result, measures in numbers:
        if result.case is not None:
            case = result.case
            lines[case.imitator, case.access, case.augment, case.select, case.data].append((case, measures))
    # What all lines have in common need not be said of each.
    differing = [place for place in range(5) if len({key[place] for key in lines}) > 1] or [1]
    figure = Figure(figsize=(15, 4.2), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(_PANELS))
    figure.suptitle(title, fontsize=12)
    for axes, (stratum, metric, label) in zip(panels, _PANELS, strict=True):
        for key, line in lines.items():
            points = _curve(line, stratum, metric)
            if not points:
                continue
            budgets = sorted(points)
            name = ", ".join(key[place] for place in differing)
            style = "o-" if key[2].startswith(ALTERED) else "o--"
            colour = _COLOURS[key[1]] if len({each[0] for each in lines}) == 1 else None
            drawn = axes.plot(budgets, [points[each][0] for each in budgets], style, label=name, color=colour)[0]
            lows, highs = ([points[each][end] for each in budgets] for end in (1, 2))
            axes.fill_between(budgets, lows, highs, color=drawn.get_color(), alpha=0.1, linewidth=0)
        axes.set_xscale("log")
        axes.set_xlabel("clips whose label or answer is known")
        axes.set_title(label, fontsize=10)
        axes.grid(color="0.9")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    handles = max((axes.get_legend_handles_labels() for axes in panels), key=lambda both: len(both[0]))
    figure.legend(*handles, loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    write_png(figure, path)


def _curve(line: _Line, stratum: str, metric: str) -> dict[int, tuple[float, float, float]]:
    by_budget: dict[int, list[Measure]] = defaultdict(list)
    for case, measures in line:
        for measure in measures:
            if (measure.stratum, measure.label, measure.metric) == (stratum, "all", metric):
                by_budget[case.budget].append(measure)
    return {
        budget: (
            sum(each.estimate.value for each in same) / len(same),
            same[0].estimate.ci_low,
            same[0].estimate.ci_high,
        )
        for budget, same in by_budget.items()
    }
