"""The files of the extraction study: extract.csv and extract.png."""

import math
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from sealproof.harness.foundation.files import write_text
from sealproof.harness.foundation.text import csv_text
from sealproof.harness.studies.extraction.picture import write_curves
from sealproof.harness.studies.extraction.study import Point

CSV, PICTURE = "extract.csv", "extract.png"

COLUMNS = tuple(field.name for field in fields(Point))
"""Columns of extract.csv."""


def write_points(points: Sequence[Point], title: str, out: Path) -> list[Path]:
    """Write the points of a study as a table and as a picture, and return the paths of both.

    Raises:
        OSError: The folder cannot be written.
    """
    write_text(out / CSV, csv_text(COLUMNS, ([_text(value) for value in asdict(point).values()] for point in points)))
    write_curves(points, title, out / PICTURE)
    return [out / CSV, out / PICTURE]


def _text(value: object) -> object:
    if not isinstance(value, float):
        return value
    return "" if math.isnan(value) else f"{value:.6f}"
