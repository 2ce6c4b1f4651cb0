"""The files of the extraction study: extract.csv, extract_seeds.csv, threat_model.md and extract.png."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path

from sealproof.harness.foundation.files import write_text
from sealproof.harness.foundation.text import csv_text
from sealproof.harness.studies.extraction.between_seeds import Spread, spreads
from sealproof.harness.studies.extraction.exam.strata import Measure, measure_strata
from sealproof.harness.studies.extraction.picture import write_curves
from sealproof.harness.studies.extraction.request import Case
from sealproof.harness.studies.extraction.study import Result
from sealproof.harness.studies.extraction.threat_model import threat_model

CSV, SEEDS, THREAT, PICTURE = "extract.csv", "extract_seeds.csv", "threat_model.md", "extract.png"

_CASE = tuple(field.name for field in fields(Case))
_NUMBER = ("stratum", "label", "metric")

COLUMNS = (*_CASE, "n_pairs", "n_altered", *_NUMBER, "value", "ci_low", "ci_high", "n_clips", "n_groups", "n_cells")
"""Columns of extract.csv."""

SEED_COLUMNS = (
    *(name for name in _CASE if name != "seed"), *_NUMBER, "mean", "deviation", "lowest", "highest", "n_seeds",
)  # fmt: skip
"""Columns of extract_seeds.csv."""

Measured = Sequence[tuple[Result, Sequence[Measure]]]


def measured(results: Sequence[Result]) -> Measured:
    """Take the numbers of every result."""
    return [
        (result, list(measure_strata(result.exam, result.point.decisions, _families(result)))) for result in results
    ]


def _families(result: Result) -> tuple[str, ...] | None:
    return None if result.case is None else result.case.families


def write_results(numbers: Measured, title: str, out: Path) -> list[Path]:
    """Write a study as tables, threat model and picture, and return the paths.

    Raises:
        OSError: The folder cannot be written.
    """
    write_text(out / CSV, csv_text(COLUMNS, (row for each in numbers for row in _rows(*each))))
    write_text(out / THREAT, threat_model([result for result, _ in numbers]))
    write_curves(numbers, title, out / PICTURE)
    written = [out / CSV, out / THREAT, out / PICTURE]
    between = list(spreads(numbers))
    if between:
        write_text(out / SEEDS, csv_text(SEED_COLUMNS, map(_seed_row, between)))
        written.insert(1, out / SEEDS)
    return written


def _rows(result: Result, measures: Sequence[Measure]) -> Iterator[dict[str, object]]:
    case: dict[str, object] = dict.fromkeys(_CASE, "")
    case |= {"imitator": result.who} if result.case is None else asdict(result.case)
    facts = {name: result.point.facts.get(name, "") for name in ("n_pairs", "n_altered")}
    for measure in measures:
        estimate = measure.estimate
        yield {
            **case,
            **facts,
            "stratum": measure.stratum,
            "label": measure.label,
            "metric": measure.metric,
            "value": _text(estimate.value),
            "ci_low": _text(estimate.ci_low),
            "ci_high": _text(estimate.ci_high),
            "n_clips": estimate.n_clips,
            "n_groups": estimate.n_groups,
            "n_cells": measure.n_cells,
        }


def _seed_row(spread: Spread) -> dict[str, object]:
    row: dict[str, object] = {**asdict(spread), **asdict(spread.case)}
    return {name: _text(row[name]) for name in SEED_COLUMNS}


def _text(value: object) -> object:
    if not isinstance(value, float):
        return value
    return "" if math.isnan(value) else f"{value:.6f}"
