"""The extraction study in the terminal: one line for each imitation."""

import math
from collections.abc import Iterator, Sequence

from sealproof.harness.foundation.text import aligned, number_text
from sealproof.harness.studies.extraction.exam.strata import ATTACKED, HALF, UNATTACKED, WRONG, Measure
from sealproof.harness.studies.extraction.study import Result

SHOWN = (
    ("agreement", UNATTACKED, "all", "agreement"),
    ("kappa", UNATTACKED, "all", "kappa"),
    ("attacked", ATTACKED, "all", "agreement"),
    ("within", ATTACKED, "all", "kappa_within"),
    ("half-failing", HALF, "all", "agreement"),
    ("marked", HALF, "marked", "agreement"),
    ("detector wrong", WRONG, "all", "agreement"),
)
"""Title, stratum, label and metric of each column."""


def summary_lines(numbers: Sequence[tuple[Result, Sequence[Measure]]]) -> list[str]:
    """Return lines of what was found, and of attacks that could not be done."""
    header = ("imitator", "access", "augment", "select", "data", "budget", "seed", *(title for title, *_ in SHOWN))
    rows = [(*_who(result), *_shown(measures)) for result, measures in numbers]
    failed = {name: why for result, _ in numbers for name, why in result.exam.failed.items()}
    return [*aligned([header, *rows]), *(f"left out: {name}: {why}" for name, why in sorted(failed.items()))]


def _who(result: Result) -> tuple[str, ...]:
    case = result.case
    if case is None:
        return (result.who, "-", "-", "-", "-", "-", "-")
    return (case.imitator, case.access, case.augment, case.select, case.data, str(case.budget), str(case.seed))


def _shown(measures: Sequence[Measure]) -> Iterator[str]:
    values = {(each.stratum, each.label, each.metric): each.estimate.value for each in measures}
    for _, stratum, label, metric in SHOWN:
        value = values.get((stratum, label, metric), math.nan)
        yield number_text(None if math.isnan(value) else value)
