"""The files of a study of adversaries."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from sealproof.harness.foundation.files import write_text
from sealproof.harness.foundation.text import aligned, csv_text, markdown_table
from sealproof.harness.studies.adversaries.judging.checks import CHECK_COLUMNS, Check, run_checks, unreliable_cells
from sealproof.harness.studies.adversaries.output.fidelity import (
    FIDELITY_COLUMNS,
    FidelityRow,
    fidelity_rows,
    write_fidelity_picture,
)
from sealproof.harness.studies.adversaries.output.picture import write_picture
from sealproof.harness.studies.adversaries.output.rows import COLUMNS, UNRELIABLE, AdversaryRow, adversary_rows
from sealproof.harness.studies.adversaries.output.worst import ROBUST_COLUMNS, RobustRow, robust_rows
from sealproof.harness.studies.adversaries.study import Study
from sealproof.harness.tables.dictionary.columns import ADVERSARY

CHECKS, ROBUST = "adversary_checks.csv", "robust_accuracy.csv"
FIDELITY, FIDELITY_PICTURE = "adversary_fidelity.csv", "adversary_fidelity.png"
MARKDOWN, PICTURE = "adversary.md", "adversary.png"


class Written:
    """What a study came to, and its files."""

    def __init__(
        self, rows: Sequence[AdversaryRow], checks: Sequence[Check], robust: Sequence[RobustRow], files: Sequence[Path]
    ) -> None:
        """Hold the rows of the tables and the paths."""
        self.rows, self.checks, self.robust, self.files = list(rows), list(checks), list(robust), list(files)

    @property
    def failed(self) -> list[Check]:
        """The checks that failed."""
        return [check for check in self.checks if not check.passed]


def write_study(study: Study, out: Path) -> Written:
    """Check the adversaries, and write tables and pictures.

    Raises:
        OSError: The folder cannot be written.
    """
    checks = run_checks(study.arena, study.results)
    unreliable = unreliable_cells(checks)
    dataset = study.bench.dataset
    rows = adversary_rows(dataset.name, int(dataset.facts["seed"]), study.results, unreliable)
    robust = list(robust_rows(study, unreliable))
    files = [out / name for name in (ADVERSARY, CHECKS, ROBUST, MARKDOWN, PICTURE)]
    write_text(files[0], csv_text(COLUMNS, (_record(row) for row in rows)))
    write_text(files[1], csv_text(CHECK_COLUMNS, (_record(check) for check in checks)))
    write_text(files[2], csv_text(ROBUST_COLUMNS, (_record(row) for row in robust)))
    write_text(files[3], markdown(rows, checks, f"Adversaries of {dataset.scheme}: {dataset.name}"))
    write_picture(study, rows, files[4])
    fidelity = fidelity_rows(study, rows)
    if fidelity:
        files += [out / FIDELITY, out / FIDELITY_PICTURE]
        write_text(out / FIDELITY, csv_text(FIDELITY_COLUMNS, (_record(row) for row in fidelity)))
        write_fidelity_picture(fidelity, out / FIDELITY_PICTURE)
    return Written(rows, checks, robust, files)


def _record(row: "AdversaryRow | Check | RobustRow | FidelityRow") -> list[object]:
    return [_text(value) for value in asdict(row).values()]


def _text(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, bool):
        return int(value)
    return f"{value:.6g}" if isinstance(value, float) else value


def table(rows: Sequence[AdversaryRow]) -> tuple[list[str], list[list[str]]]:
    """Return the table adversary x direction x budget: success, its best control, and the least distortion."""
    budgets = list(dict.fromkeys(row.budget for row in rows if row.metric == "success"))
    header = ["adversary", "has", "direction", "rule", *budgets, "least dB", "questions"]
    lines: dict[tuple[str, ...], dict[str, str]] = {}
    controls: dict[tuple[str, ...], dict[str, list[float]]] = {}
    least: dict[tuple[str, ...], float] = {}
    for row in rows:
        key: tuple[str, ...] = (row.adversary, row.surrogate or row.access, row.direction, row.rule)
        line = lines.setdefault(key, {})
        if row.metric == "success":
            line[row.budget] = row.status if row.value is None else f"{row.value:.2f}"
        elif row.metric.startswith("control_") and row.value is not None:
            controls.setdefault(key, {}).setdefault(row.budget, []).append(row.value)
        elif row.metric == "least_distortion_db":
            # Budgets of another norm are another cell: of both, the change that is less in SNR.
            if row.value is not None:
                least[key] = max(row.value, least.get(key, -math.inf))
            line["least dB"] = f"{least[key]:.1f}" if key in least else row.status
        elif row.metric == "questions" and row.value is not None:
            line["questions"] = f"{row.value:.0f}"
    for key, by_budget in controls.items():
        for budget, values in by_budget.items():
            lines[key][budget] = f"{lines[key].get(budget, '-')} ({max(values):.2f})"
    return header, [[*key, *(line.get(name, "-") for name in header[4:])] for key, line in lines.items()]


def terminal_lines(rows: Sequence[AdversaryRow]) -> list[str]:
    """Return the table for a terminal."""
    header, lines = table(rows)
    return aligned([header, *lines])


def markdown(rows: Sequence[AdversaryRow], checks: Sequence[Check], title: str) -> str:
    """Return adversary.md."""
    header, lines = table(rows)
    failed = [check for check in checks if not check.passed]
    n_unreliable = len(
        {(row.adversary, row.surrogate, row.direction, row.rule) for row in rows if row.status == UNRELIABLE}
    )
    told = [
        f"- check {check.number}, {check.name}, {check.about} {check.direction} {check.rule}: "
        f"{check.value:.4g} (required: {check.required})"
        for check in failed
    ]
    return "\n".join(
        [
            f"### {title}",
            "",
            "Share of clips turned, as 16-bit files, within each budget; in brackets the best control of the same SNR. "
            "`least dB` is the median SNR of the least change that turned a clip.",
            "",
            markdown_table(header, lines),
            "",
            f"{len(checks) - len(failed)} of {len(checks)} checks passed; {n_unreliable} adversaries have no numbers "
            "for it.",
            *told,
            "",
        ]
    )
