"""The summary as a table for people: Markdown for files, aligned plain text for the terminal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sealproof.harness.summary import CALIBRATED, FIXED, SummaryRow, Thresholds

LEGEND = {
    FIXED: "at each detector's own threshold (rule `fixed`)",
    CALIBRATED: "at each detector's threshold for 1 % false positives on clean, unattacked calibration clips "
    "(rule `fpr_1pct`)",
}
"""What accuracy, TPR, FPR, agreement and kappa are taken at, for each threshold rule."""

NOTE = "Agreement and kappa are with the reference detector. Brackets: 95 % interval. A dash: not defined."


def thin_calibration_note(thresholds: Mapping[str, Thresholds]) -> str:
    """Say so when there are too few clean calibration clips for a 1 % threshold; empty when there are enough."""
    n_negatives = min(found.n_negatives for found in thresholds.values())
    if all(found.fpr_support for found in thresholds.values()):
        return ""
    return (
        f"Mind: the calibration split has {n_negatives} clean clips, and 1 % false positives take 100: the thresholds "
        f"of rule `{CALIBRATED}` are merely the highest scores seen.\n"
    )


@dataclass(frozen=True)
class CellView:
    """The rows of one cell, found by detector and metric."""

    title: str
    rows: dict[tuple[str, str], SummaryRow]

    def row(self, detector: str, metric: str) -> SummaryRow | None:
        """Return a row, or None where the cell has none."""
        return self.rows.get((detector, metric))


def cell_views(rows: Sequence[SummaryRow], rule: str) -> list[CellView]:
    """Group the summary rows of one threshold rule, and those without a threshold, by cell, in their order."""
    found: dict[str, CellView] = {}
    for row in rows:
        title = f"{row.attack} {row.params}".strip()
        view = found.setdefault(title, CellView(title, {}))
        if row.threshold_rule in ("", rule):
            view.rows[row.detector, row.metric] = row
    return list(found.values())


def detector_names(rows: Sequence[SummaryRow]) -> tuple[str, list[str]]:
    """Return the reference's name and the mimics', in the order of the rows; empty text where every cell failed."""
    reference = next((row.detector for row in rows if row.role == "reference"), "")
    mimics = list(dict.fromkeys(row.detector for row in rows if row.role == "mimic"))
    return reference, mimics


def markdown_table(rows: Sequence[SummaryRow]) -> str:
    """Write a table per threshold rule, one line per cell; accuracy and agreement with intervals."""
    tables = [f"Accuracy and agreement {LEGEND[rule]}:\n\n{_markdown(rows, rule)}\n" for rule in (FIXED, CALIBRATED)]
    return "\n".join([*tables, f"{NOTE}\n{_failures(rows)}"])


def _markdown(rows: Sequence[SummaryRow], rule: str) -> str:
    reference, mimics = detector_names(rows)
    header = ["attack", "SNR dB", f"{reference} accuracy", "TPR", "FPR", "AUC", "bit accuracy"]
    for mimic in mimics:
        header += [f"{mimic} accuracy", "AUC", "agreement", "kappa"]
    lines = [header, ["---", *["---:"] * (len(header) - 1)]]
    for view in cell_views(rows, rule):
        cells = [
            view.title,
            _number(view.row("", "snr_db"), 1),
            _with_interval(view.row(reference, "accuracy")),
            *(_number(view.row(reference, metric), 3) for metric in ("tpr", "fpr", "auc", "bit_accuracy")),
        ]
        for mimic in mimics:
            cells += [
                _with_interval(view.row(mimic, "accuracy")),
                _number(view.row(mimic, "auc"), 3),
                _with_interval(view.row(mimic, "agreement")),
                _number(view.row(mimic, "cohens_kappa"), 3),
            ]
        lines.append(cells)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def terminal_table(rows: Sequence[SummaryRow]) -> str:
    """Write one short line per cell for a terminal: fixed thresholds, no intervals."""
    reference, mimics = detector_names(rows)
    lines = [
        [
            "attack",
            f"{reference} acc",
            "TPR",
            "FPR",
            *(f"{name} {what}" for name in mimics for what in ("acc", "agree")),
        ]
    ]
    for view in cell_views(rows, FIXED):
        line = [view.title, *(_number(view.row(reference, metric), 3) for metric in ("accuracy", "tpr", "fpr"))]
        line += [_number(view.row(mimic, metric), 3) for mimic in mimics for metric in ("accuracy", "agreement")]
        lines.append(line)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = "\n".join(
        line[0].ljust(widths[0])
        + "".join(f"  {cell.rjust(width)}" for cell, width in zip(line[1:], widths[1:], strict=True))
        for line in lines
    )
    return f"{text}\n{_failures(rows)}"


def _failures(rows: Sequence[SummaryRow]) -> str:
    failed = [f"- {row.attack} {row.params}: {row.error}" for row in rows if row.status == "failed"]
    return "\nFailed cells:\n\n" + "\n".join(failed) + "\n" if failed else ""


def _number(row: SummaryRow | None, decimals: int) -> str:
    return "-" if row is None or row.value is None else f"{row.value:.{decimals}f}"


def _with_interval(row: SummaryRow | None) -> str:
    if row is None or row.value is None:
        return "-"
    interval = "" if row.ci_low is None or row.ci_high is None else f" [{row.ci_low:.3f}, {row.ci_high:.3f}]"
    return f"{row.value:.3f}{interval}"
