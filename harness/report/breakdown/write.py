"""The files of a breakdown: breakdown.csv and breakdown.md."""

from dataclasses import fields
from pathlib import Path

from sealproof.harness.foundation.files import write_text
from sealproof.harness.foundation.text import csv_text
from sealproof.harness.report.breakdown.by_tag import Breakdown, BreakdownRow
from sealproof.harness.report.breakdown.text import breakdown_markdown

CSV, MARKDOWN = "breakdown.csv", "breakdown.md"


def write_breakdown(breakdown: Breakdown, out: Path) -> list[Path]:
    """Write breakdown.csv and breakdown.md, and return their paths.

    Raises:
        OSError: The folder cannot be written, or the disk is full.
    """
    write_text(out / CSV, csv_text([field.name for field in fields(BreakdownRow)], map(_record, breakdown.rows)))
    write_text(out / MARKDOWN, breakdown_markdown(breakdown))
    return [out / CSV, out / MARKDOWN]


def _record(row: BreakdownRow) -> dict[str, object]:
    numbers = {name: getattr(row, name) for name in ("value", "ci_low", "ci_high")}
    return {**row.__dict__, **{name: "" if number is None else f"{number:.6f}" for name, number in numbers.items()}}
