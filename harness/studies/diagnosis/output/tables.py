"""A diagnosis as text for the terminal, JSON and CSV."""

import math
from collections.abc import Iterator
from pathlib import Path

from sealproof.harness.foundation.files import write_json, write_text
from sealproof.harness.foundation.text import csv_text
from sealproof.harness.studies.diagnosis.finding import Finding
from sealproof.harness.studies.diagnosis.study import Diagnosis

JSON, CSV, CURVES, PICTURE = "diagnosis.json", "diagnosis.csv", "curves.csv", "diagnosis.png"

_COLUMNS = (
    "family", "name", "unit", "value", "ci_low", "ci_high", "n_clips", "n_groups", "limit", "kind", "passes", "detail",
    "meaning",
)  # fmt: skip


def diagnosis_lines(diagnosis: Diagnosis) -> Iterator[str]:
    """Tell a diagnosis in an aligned table, a block a family, and the verdict."""
    rows = [("probe", "value", "95 % interval", "limit", "", "where")]
    rows += [_row(finding) for finding in diagnosis.findings.values()]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    families = ["", *(finding.family for finding in diagnosis.findings.values())]
    for position, (row, family) in enumerate(zip(rows, families, strict=True)):
        if position > 1 and family != families[position - 1]:
            yield ""
        left = row[0].ljust(widths[0])
        numbers = "  ".join(cell.rjust(width) for cell, width in zip(row[1:3], widths[1:3], strict=True))
        judged = "  ".join(cell.ljust(width) for cell, width in zip(row[3:5], widths[3:5], strict=True))
        yield f"{left}  {numbers}  {judged}  {row[5]}".rstrip()
    yield ""
    yield f"{diagnosis.about['scheme']}:"
    for sentence in diagnosis.verdict.sentences:
        yield f"- {sentence}"


def _row(finding: Finding) -> tuple[str, str, str, str, str, str]:
    interval = (
        ""
        if math.isnan(finding.ci_low)
        else f"{number(finding.ci_low, finding.unit)} - {number(finding.ci_high, finding.unit)}"
    )
    mark = {None: "", True: "ok", False: "MISSED"}[finding.passes]
    return (
        finding.name,
        number(finding.value, finding.unit),
        interval,
        finding.limit.text if finding.limit else "",
        mark,
        finding.detail,
    )


def number(value: float, unit: str) -> str:
    """Write a number with as many digits as its unit deserves; a dash where there is none."""
    if math.isnan(value):
        return "-"
    return f"{value:.1f}" if unit in ("db", "hz", "bins") else f"{value:.4f}" if abs(value) < 0.01 else f"{value:.3f}"


def write_diagnosis_tables(diagnosis: Diagnosis, out: Path) -> list[Path]:
    """Write diagnosis.json, diagnosis.csv and curves.csv.

    Raises:
        OSError: The folder cannot be written.
    """
    findings = [_record(finding) for finding in diagnosis.findings.values()]
    write_json(
        out / JSON,
        {
            **diagnosis.about,
            "verdict": {"tricks": list(diagnosis.verdict.tricks), "sentences": list(diagnosis.verdict.sentences)},
            "findings": {str(record["name"]): record for record in findings},
        },
    )
    write_text(out / CSV, csv_text(_COLUMNS, findings))
    points = (
        (curve.name, curve.x_name, f"{x:.6g}", f"{y:.6g}", curve.n_clips)
        for curve in diagnosis.curves.values()
        for x, y in zip(curve.x, curve.y, strict=True)
    )
    write_text(out / CURVES, csv_text(("curve", "x_name", "x", "y", "n_clips"), points))
    return [out / JSON, out / CSV, out / CURVES]


def _record(finding: Finding) -> dict[str, object]:
    return {
        "family": finding.family,
        "name": finding.name,
        "unit": finding.unit,
        "value": _known(finding.value),
        "ci_low": _known(finding.ci_low),
        "ci_high": _known(finding.ci_high),
        "n_clips": finding.n_clips or None,
        "n_groups": finding.n_groups or None,
        "limit": finding.limit.text.removesuffix(" (goal)") if finding.limit else None,
        "kind": ("goal" if finding.limit.is_goal else "floor") if finding.limit else None,
        "passes": finding.passes,
        "detail": finding.detail,
        "meaning": finding.meaning,
    }


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(f"{value:.6g}")
