"""gate.csv: every judged rate of a session, and the means, with what could have been found."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from sealproof.harness.foundation.files import write_text
from sealproof.harness.foundation.text import csv_text, filled
from sealproof.harness.pytest_plugin.gate import Judged
from sealproof.harness.pytest_plugin.means import OVERALL_NAME, Mean
from sealproof.harness.pytest_plugin.power import detectable
from sealproof.harness.statistics.change.budget import OVERALL
from sealproof.harness.tables.dictionary.columns import COLUMNS, GATE
from sealproof.harness.tables.rates import UNITS


def write_gate(path: Path, judged: Mapping[str, Sequence[Judged]], means: Iterable[Mean], level: float) -> Path:
    """Write the table.

    Args:
        path: The file.
        judged: By cell, its rates.
        means: Over the cells.
        level: What a cell by itself is judged at.

    Raises:
        OSError: It cannot be written.
    """
    rows = [*_cells(judged, level), *_means(means)]
    write_text(path, csv_text(tuple(COLUMNS[GATE]), rows))
    return path


def _cells(judged: Mapping[str, Sequence[Judged]], level: float) -> Iterator[dict[str, object]]:
    rates = [one for of_cell in judged.values() for one in of_cell]
    for one in sorted(rates, key=lambda one: one.tally.key):
        tally, difference = one.tally, one.difference
        yield {
            "scope": "cell",
            "attack": tally.attack,
            "params": filled(tally.params),
            "detector": tally.detector,
            "role": tally.role,
            "threshold_rule": filled(tally.threshold_rule),
            "metric": tally.metric,
            "before": _number(None if difference is None else difference.before),
            "after": _number(tally.value),
            "difference": _number(None if difference is None else difference.value),
            "ci_low": _number(None if difference is None else difference.ci_low),
            "ci_high": _number(None if difference is None else difference.ci_high),
            "allowed": _number(one.allowed),
            "p": _chance(one.p),
            "p_together": _chance(one.p_together),
            "detectable": _number(_detectable(tally.metric, tally.trials.tolist(), level, one.allowed)),
            "verdict": one.verdict,
            "collapsed": " ".join(one.collapsed),
        }


def _means(means: Iterable[Mean]) -> Iterator[dict[str, object]]:
    for one in means:
        yield {
            "scope": OVERALL_NAME,
            "attack": filled(""),
            "params": filled(""),
            "detector": one.detector,
            "role": one.role,
            "threshold_rule": filled(one.rule),
            "metric": one.metric,
            "before": _number(one.before),
            "after": _number(one.after),
            "difference": _number(one.after - one.before),
            "ci_low": "",
            "ci_high": "",
            "allowed": _number(one.allowed),
            "p": _chance(one.p),
            "p_together": "",
            "detectable": _number(_detectable(one.metric, one.trials, OVERALL, one.allowed, is_mean=True)),
            "verdict": "regression" if one.is_red else "",
            "collapsed": "",
        }


def _detectable(metric: str, trials: Iterable[int], level: float, allowed: float, *, is_mean: bool = False) -> float:
    """Return the smallest drop that is found in 80 % of cases; it is known for rates over clips only."""
    if metric in UNITS or math.isnan(allowed):
        return math.nan
    # A false alarm allowance that follows the rate before would make every cell another question.
    rounded = round(allowed, 3)
    finds_collapse = metric in ("tpr", "fpr") and not is_mean
    return detectable(tuple(trials), level, rounded, by_group=False, finds_collapse=finds_collapse)


def _number(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.6f}"


def _chance(p: float) -> str:
    return "" if math.isnan(p) else f"{p:.6g}"
