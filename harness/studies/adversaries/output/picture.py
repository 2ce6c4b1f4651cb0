"""Success against SNR, and against questions, as a picture."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sealproof.attacks.adversarial.contract.oracle import DIRECTIONS
from sealproof.harness.foundation.picture import write_png
from sealproof.harness.studies.adversaries.output.rows import AdversaryRow
from sealproof.harness.studies.adversaries.study import CellResult, Study

_SNR_DB = np.arange(15.0, 56.0)


def write_picture(study: Study, rows: Sequence[AdversaryRow], path: Path) -> None:
    """Draw both for each direction, at the detector's own threshold, and write a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    panels = figure.subplots(2, len(DIRECTIONS), sharey=True)
    rule = next(iter(study.thresholds))
    figure.suptitle(f"Adversaries of {study.bench.dataset.scheme}, rule {rule}", fontsize=12)
    trusted = {(row.adversary, row.surrogate) for row in rows if row.metric == "success" and row.value is not None}
    for column, direction in enumerate(DIRECTIONS):
        by_snr, by_questions = panels[0][column], panels[1][column]
        for result in study.results:
            cell = result.cell
            if result.fought is None or (cell.direction, cell.rule) != (direction, rule):
                continue
            name = f"{cell.adversary.id} {cell.surrogate_name}".strip()
            if (cell.adversary.id, cell.surrogate_name) not in trusted or not cell.adversary.seeks_least:
                continue
            if not cell.budgets[0].name.startswith("snr"):
                continue
            shares = [(result.fought.least_snr_db >= level).mean() for level in _SNR_DB]
            by_snr.plot(_SNR_DB, shares, label=name)
            _draw_questions(by_questions, result, name)
        by_snr.set_title(f"{direction}: share turned", fontsize=10)
        by_snr.set_xlabel("SNR of the change, dB, at least")
        by_questions.set_xlabel("questions")
        by_questions.set_xscale("log")
        for axes in (by_snr, by_questions):
            axes.set_ylim(-0.02, 1.02)
            axes.grid(color="0.9")
            axes.spines[["top", "right"]].set_visible(False)
    handles, labels = panels[0][0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    write_png(figure, path)


def _draw_questions(axes: "object", result: CellResult, name: str) -> None:
    fought = result.fought
    assert fought is not None  # noqa: S101 - the caller has looked
    if not fought.n_questions.any() or np.isnan(fought.first_question[0]).any():
        return
    questions = np.unique(np.geomspace(1, max(2, result.cell.limit), 60).round())
    shares = [(fought.first_question[0] <= count).mean() for count in questions]
    axes.plot(questions, shares, label=f"{name} {result.cell.budgets[0].name}")  # type: ignore[attr-defined]
