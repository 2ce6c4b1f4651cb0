"""The summary as a table for people: Markdown for files, aligned plain text for the terminal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sealproof.harness.foundation.text import aligned, estimate_text, markdown_table, number_text
from sealproof.harness.tables.dictionary.metrics import THRESHOLD_RULES
from sealproof.harness.tables.rules import CALIBRATED, FIXED, TARGET_FPRS, Thresholds, why_no_threshold
from sealproof.harness.tables.summary import SummaryRow

LEGEND = {
    FIXED: "at each detector's own threshold (rule `fixed`)",
    CALIBRATED: "at each detector's threshold for 1 % false positives on clean, unattacked calibration clips "
    "(rule `fpr_1pct`)",
}
"""What accuracy, TPR, FPR, agreement and kappa are taken at, for each threshold rule."""

NOTE = "Agreement and kappa are with the reference detector. Brackets: 95 % interval. A dash: not defined."


_SCREEN = 30
"""Cells that a terminal's table shows at most, and failures: the worst ones."""


def thin_calibration_note(thresholds: Mapping[str, Thresholds], rules: Sequence[str] = (CALIBRATED,)) -> str:
    """Say so when there are too few clean calibration clips for some of the calibrated rules; empty when there are not.

    Args:
        thresholds: By detector.
        rules: Calibrated rules that the reader sees numbers of.
    """
    n_negatives = min(each.n_negatives for each in thresholds.values())
    thin = [rule for rule in rules if not all(each.is_supported(rule) for each in thresholds.values())]
    return "".join(
        f"Mind: rule `{rule}` has {why_no_threshold(n_negatives, TARGET_FPRS[rule])}. Its numbers are empty.\n"
        for rule in thin
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
    views: dict[str, CellView] = {}
    for row in rows:
        title = f"{row.attack} {row.params}".strip()
        view = views.setdefault(title, CellView(title, {}))
        if row.threshold_rule in ("", rule):
            view.rows[row.detector, row.metric] = row
    return list(views.values())


def detector_names(rows: Sequence[SummaryRow]) -> tuple[str, list[str]]:
    """Return the reference's name and the mimics', in the order of the rows; empty text where every cell failed."""
    reference = next((row.detector for row in rows if row.role == "reference"), "")
    mimics = list(dict.fromkeys(row.detector for row in rows if row.role == "mimic"))
    return reference, mimics


def summary_markdown(rows: Sequence[SummaryRow]) -> str:
    """Write a table per threshold rule, one line per cell, with intervals; and one of the reference by all rules."""
    tables = [f"Accuracy and agreement {LEGEND[rule]}:\n\n{_markdown(rows, rule)}\n" for rule in (FIXED, CALIBRATED)]
    return "\n".join([*tables, NOTE, "", _by_rule(rows), _failures(rows, len(rows))])


def _by_rule(rows: Sequence[SummaryRow]) -> str:
    """Write how often the reference flags watermarked and clean clips, by every threshold rule."""
    reference, _ = detector_names(rows)
    present = {row.threshold_rule for row in rows if row.detector == reference}
    rules = [rule for rule in THRESHOLD_RULES if rule in present]
    if not rules:
        return ""
    titles = [f"{rule} (optimistic)" if THRESHOLD_RULES[rule].is_optimistic else rule for rule in rules]
    lines = []
    for views in zip(*(cell_views(rows, rule) for rule in rules), strict=True):
        rates = [[_number(view.row(reference, metric), 3) for metric in ("tpr", "fpr")] for view in views]
        lines.append([views[0].title, *(" / ".join(pair) for pair in rates)])
    table = markdown_table(["attack", *titles], lines, numbers=True)
    return f"TPR / FPR of {reference} by threshold rule:\n\n{table}\n"


def _markdown(rows: Sequence[SummaryRow], rule: str) -> str:
    reference, mimics = detector_names(rows)
    header = ["attack", "SNR dB", f"{reference} accuracy", "TPR", "FPR", "AUC", "bit accuracy"]
    for mimic in mimics:
        header += [f"{mimic} accuracy", "AUC", "agreement", "kappa"]
    lines = []
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
    return markdown_table(header, lines, numbers=True)


def terminal_table(rows: Sequence[SummaryRow]) -> str:
    """Write one short line per cell for a terminal: fixed thresholds, no intervals.

    Of more cells than fit a screen, those where the reference is worst, and the first, which is not attacked.
    """
    reference, mimics = detector_names(rows)
    lines = [
        [
            "attack",
            f"{reference} acc",
            "TPR",
            "FPR",
            *(f"{name} {what}" for name in mimics for what in ("acc", "agree", "kappa")),
        ]
    ]
    views = cell_views(rows, FIXED)
    shown = _worst(views, reference)
    for view in shown:
        line = [view.title, *(_number(view.row(reference, metric), 3) for metric in ("accuracy", "tpr", "fpr"))]
        line += [
            _number(view.row(mimic, metric), 3)
            for mimic in mimics
            for metric in ("accuracy", "agreement", "cohens_kappa")
        ]
        lines.append(line)
    text = "\n".join(aligned(lines, numbers=True))
    left = len(views) - len(shown)
    note = (
        f"The {len(shown) - 1} worst of {len(views)} cells, after the first; all are in summary.md.\n" if left else ""
    )
    return f"{text}\n{note}{_failures(rows, _SCREEN)}"


def _worst(views: Sequence[CellView], reference: str) -> Sequence[CellView]:
    """Choose what fits a screen: the first cell, then the others by the reference's accuracy, the lowest first."""
    if len(views) <= _SCREEN:
        return views

    def accuracy(view: CellView) -> float:
        row = view.row(reference, "accuracy")
        return 1.0 if row is None or row.value is None else row.value

    return [views[0], *sorted(views[1:], key=accuracy)[: _SCREEN - 1]]


def _failures(rows: Sequence[SummaryRow], n_shown: int) -> str:
    failed = [f"- {row.attack} {row.params}: {row.error}" for row in rows if row.status == "failed"]
    if len(failed) > n_shown:
        failed[n_shown:] = [f"- and {len(failed) - n_shown} more, see summary.md"]
    return "\nFailed cells:\n\n" + "\n".join(failed) + "\n" if failed else ""


def _number(row: SummaryRow | None, decimals: int) -> str:
    return number_text(None if row is None else row.value, decimals)


def _with_interval(row: SummaryRow | None) -> str:
    return estimate_text(row.value, row.ci_low, row.ci_high) if row is not None else "-"
