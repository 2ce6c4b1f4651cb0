"""The files of the extraction study: extract.csv and extract.png."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from sealproof.harness.foundation.files import write_text
from sealproof.harness.studies.extraction.picture import write_picture
from sealproof.harness.studies.extraction.study import Point

CSV, PICTURE = "extract.csv", "extract.png"

COLUMNS = tuple(field.name for field in fields(Point))
"""Columns of extract.csv."""


def write_points(points: Sequence[Point], title: str, out: Path) -> list[Path]:
    """Write the points of a study as a table and as a picture, and return the paths of both.

    Raises:
        OSError: The folder cannot be written.
    """
    write_text(out / CSV, _csv(points))
    write_picture(points, title, out / PICTURE)
    return [out / CSV, out / PICTURE]


def _csv(points: Sequence[Point]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for point in points:
        values = asdict(point).values()
        writer.writerow(
            "" if value != value else f"{value:.6f}" if isinstance(value, float) else value for value in values
        )
    return text.getvalue()
