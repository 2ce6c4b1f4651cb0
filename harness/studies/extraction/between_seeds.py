"""What changes from seed to seed: means, spreads, and how far imitations of different seeds agree with each other."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from sealproof.harness.studies.extraction.exam.strata import ATTACKED, UNATTACKED, Measure
from sealproof.harness.studies.extraction.request import Case, without_seed
from sealproof.harness.studies.extraction.study import Result

WITH_EACH_OTHER = "agreement_of_seeds"
"""Metric: share of clips on which two imitations that differ in their seeds decide alike, mean over pairs of them."""


@dataclass(frozen=True)
class Spread:
    """One number over the seeds of a case.

    Attributes:
        case: The case, whatever its seed.
        stratum: As in `Measure`.
        label: As in `Measure`.
        metric: As in `Measure`, or `WITH_EACH_OTHER`.
        mean: Over the seeds, or over pairs of them.
        deviation: Standard deviation over them, NaN for one.
        lowest: Of them.
        highest: Of them.
        n_seeds: How many.
    """

    case: Case
    stratum: str
    label: str
    metric: str
    mean: float
    deviation: float
    lowest: float
    highest: float
    n_seeds: int


def spreads(results: Sequence[tuple[Result, Sequence[Measure]]]) -> Iterator[Spread]:
    """Yield what the seeds of each case come to, for cases with several."""
    together: dict[Case, list[tuple[Result, Sequence[Measure]]]] = defaultdict(list)
    for result, measures in results:
        if result.case is not None:
            together[without_seed(result.case)].append((result, measures))
    for case, same in together.items():
        if len(same) < 2:
            continue
        values: dict[tuple[str, str, str], list[float]] = defaultdict(list)
        for _, measures in same:
            for measure in measures:
                values[measure.stratum, measure.label, measure.metric].append(measure.estimate.value)
        for (one, other), (stratum, attacked) in (
            (both, where)
            for both in combinations([result for result, _ in same], 2)
            for where in ((UNATTACKED, False), (ATTACKED, True))
        ):
            # `identity` is the first cell.
            cells = slice(1, None) if attacked else slice(0, 1)
            alike = one.point.decisions[cells] == other.point.decisions[cells]
            if alike.size:
                values[stratum, "all", WITH_EACH_OTHER].append(float(alike.mean()))
        for (stratum, label, metric), numbers in values.items():
            deviation = float(np.std(numbers, ddof=1)) if len(numbers) > 1 else math.nan
            yield Spread(
                case,
                stratum,
                label,
                metric,
                float(np.mean(numbers)),
                deviation,
                min(numbers),
                max(numbers),
                len(same),
            )
