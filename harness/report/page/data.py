"""The data from which the page draws its figures, as compact JSON."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.foundation.text import NOTHING
from sealproof.harness.report.contents import Contents
from sealproof.harness.report.figures import example_rows
from sealproof.harness.report.sweeps import heat_map_rows, labels_of, subtitle_of
from sealproof.harness.report.terms import METRICS, metric_term, parameter_words, rule_label, value_text
from sealproof.harness.tables.dictionary import metrics as schema
from sealproof.harness.tables.reading.series import Key, Series
from sealproof.harness.tables.sweeps import Sweep


def page_data(contents: Contents) -> dict[str, Any]:
    """Return everything that the page's script needs; numbers have four digits, and None is what is missing.

    Series are found by `detector|rule|metric`, the detector by its index, or `-` for the attacked audio.
    """
    folder = contents.folder
    places = {detector.name: str(index) for index, detector in enumerate(folder.detectors)} | {"": "-"}
    rows = heat_map_rows(folder.cells, contents.folder.sweeps)
    return {
        "name": str(folder.facts["dataset"]),
        "detectors": [
            {"name": detector.name, "role": detector.role, "thresholds": dict(detector.thresholds)}
            for detector in folder.detectors
        ],
        "metrics": _metrics(contents),
        "rules": {rule: rule_label(rule) for _, rule, _ in contents.folder.series if rule},
        "cells": {
            "title": [cell.title for cell in folder.cells],
            "strength": [_strength(cell.parameters) for cell in folder.cells],
            "attack": [cell.attack for cell in folder.cells],
            "params": [cell.params or NOTHING for cell in folder.cells],
            "family": [cell.family for cell in folder.cells],
            "error": [cell.error for cell in folder.cells],
        },
        "series": {
            f"{places[detector]}|{rule}|{metric}": _numbers(series)
            for (detector, rule, metric), series in contents.folder.series.items()
            if detector in places
        },
        "rows": [_sweep(row) for row in rows],
        "sweeps": [_sweep(sweep) for sweep in contents.folder.sweeps if sweep.is_numeric],
        "breaks": _breaks(contents),
        "histograms": {
            "low": [float(f"{edges[0]:.7g}") for edges in contents.histograms.edges],
            "high": [float(f"{edges[-1]:.7g}") for edges in contents.histograms.edges],
            "counts": contents.histograms.counts.tolist(),
        },
        "examples": _table(example_rows(contents)),
    }


def _table(rows: list[dict[str, str | float]]) -> list[list[str | float]]:
    """Return rows as lists below their header."""
    return [list(rows[0]), *(list(row.values()) for row in rows)] if rows else []


def _metrics(contents: Contents) -> list[dict[str, Any]]:
    """Describe the metrics there are, in the order of the terms, others behind."""
    by_metric: dict[str, list[Key]] = {}
    for key in contents.folder.series:
        by_metric.setdefault(key[2], []).append(key)
    order = {name: place for place, name in enumerate(METRICS)}
    described = []
    for name in sorted(by_metric, key=lambda name: (order.get(name, len(order)), name)):
        values = np.concatenate([contents.folder.series[key].value for key in by_metric[name]])
        values = values[np.isfinite(values)]
        low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 1.0)
        term = metric_term(name, low, high if high > low else low + 1)
        rules = list(dict.fromkeys(rule for _, rule, _ in by_metric[name]))
        meant = schema.METRICS.get(name)
        about = "" if meant is None else meant.meaning
        described.append({"id": name, **term._asdict(), "about": about, "rules": rules})
    return described


def _sweep(sweep: Sweep) -> dict[str, Any]:
    return {
        "title": sweep.title,
        "subtitle": subtitle_of(sweep),
        "parameter": sweep.parameter,
        "fixed": sweep.fixed,
        "cells": list(sweep.cells),
        "values": [float(value) for value in sweep.values] if sweep.is_numeric else [],
        "labels": labels_of(sweep),
        "ordered": sweep.is_ordered,
    }


def _strength(parameters: Mapping[str, str]) -> str:
    texts = []
    for name, value in parameters.items():
        text = value_text(name, value)
        texts.append(text if text != value else f"{parameter_words(name)} {text}")
    return ", ".join(texts)


def _breaks(contents: Contents) -> list[dict[str, Any]]:
    """Return the break points by sweep, with one entry for each detector."""
    table = contents.folder.break_points
    if table is None:
        return []
    index = {detector.name: place for place, detector in enumerate(contents.folder.detectors)}
    by_sweep: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in table.to_dict("records"):
        name = row["parameter"]
        held = Sweep(row["attack"], name, row["params"], (), (), True, True)
        sweep = by_sweep.setdefault(
            (row["attack"], row["params"], name),
            {
                "title": row["attack"],
                "subtitle": subtitle_of(held),
                "attack": row["attack"],
                "params": row["params"] or NOTHING,
                "parameter": name,
                "weakest": short(row["weakest"]),
                "strongest": short(row["strongest"]),
                "range": f"{_with_unit(name, row['weakest'])} to {_with_unit(name, row['strongest'])}",
                "points": [None] * len(index),
            },
        )
        if row["detector"] in index:
            sweep["points"][index[row["detector"]]] = {
                "status": row["status"],
                "value": short(row["value"]),
                "low": _end(row["ci_low"]),
                "high": _end(row["ci_high"]),
                "text": "" if np.isnan(row["value"]) else _with_unit(name, float(f"{row['value']:.3g}")),
            }
    return list(by_sweep.values())


def _end(value: float) -> float | str | None:
    """Write an end of an interval; one beyond the strengths tried is infinite, which JSON has only as text."""
    return short(value) if not np.isinf(value) else "Infinity" if value > 0 else "-Infinity"


def _with_unit(parameter: str, value: float) -> str:
    return value_text(parameter, f"{value:g}")


def _numbers(series: Series) -> list[list[float | None]]:
    columns: tuple[NDArray[np.float64], ...] = (series.value, series.low, series.high, series.n_clips, series.n_groups)
    return [[short(value) for value in column.tolist()] for column in columns]


def short(value: float) -> float | int | None:
    """Round to four digits for the page; None for NaN and the infinite."""
    if not np.isfinite(value):
        return None
    rounded = float(f"{value:.4g}") if abs(value) < 10_000 else round(value)
    return int(rounded) if rounded == int(rounded) else rounded
