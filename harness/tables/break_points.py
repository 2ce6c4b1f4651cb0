"""Sweeps of a run: cells of one attack that differ in one strength alone, and where detection breaks along them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace

import numpy as np

from sealproof.attacks.contract.base import Attack
from sealproof.attacks.contract.parameters import Value, params_text
from sealproof.harness.datasets.dataset import Dataset, Pair
from sealproof.harness.foundation.text import csv_text, filled
from sealproof.harness.matrix.outcome import Outcome
from sealproof.harness.matrix.subject import Subject
from sealproof.harness.statistics.break_point import BreakPoint, find_break_point
from sealproof.harness.statistics.calibrated import estimate_rates
from sealproof.harness.statistics.thresholds import decide
from sealproof.harness.tables.resamples import resamples_of
from sealproof.harness.tables.rules import CALIBRATED, Thresholds

MIN_STRENGTHS = 3
"""Fewer strengths are no sweep: two points tell neither a curve nor whether it is monotone."""

TPR_LEVEL = 0.5
"""Detection counts as broken where fewer of the watermarked clips than this are found."""


@dataclass(frozen=True)
class Sweep:
    """Cells of one attack, weakest first.

    Attributes:
        parameter: The parameter that varies.
        held: The others, by name.
        strengths: The values of the parameter, one a cell.
        outcomes: The cells, none of which failed.
    """

    parameter: str
    held: Mapping[str, Value]
    strengths: tuple[float, ...]
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, kw_only=True)
class BreakPointRow:
    """One row of break_points.csv.

    Attributes:
        dataset: Name of the dataset's folder.
        scheme: Name of the watermark scheme.
        attack: Name of the attack.
        params: Its parameters that are held fixed, `name=value` joined by `;`.
        parameter: Its parameter that varies.
        detector: Whose break point it is.
        role: `reference` or `mimic`.
        status: `crosses`, `never`, `always`, `not_monotone`, or `no_threshold`: too few calibration clips.
        value: The strength at which the TPR crosses 0.5; empty where it does not.
        ci_low: Lower end of its 95 % interval, in the unit of the parameter; infinite beyond the strengths tried.
        ci_high: Upper end.
        weakest: The weakest strength that was tried.
        strongest: The strongest.
        n_strengths: Number of strengths.
        n_clips: Watermarked clips at each.
        n_groups: Groups they are from.
    """

    dataset: str
    scheme: str
    attack: str
    params: str
    parameter: str
    detector: str
    role: str
    status: str
    value: float
    ci_low: float
    ci_high: float
    weakest: float
    strongest: float
    n_strengths: int
    n_clips: int
    n_groups: int


BREAK_POINT_COLUMNS = tuple(field.name for field in fields(BreakPointRow))


def find_sweeps(outcomes: Sequence[Outcome]) -> list[Sweep]:
    """Return the sweeps among the cells of a run, in the order in which they come up.

    A sweep is at least `MIN_STRENGTHS` cells that did not fail, of an attack whose strengths are ordered, with a number
    for the parameter that varies and the same values for all others. The attack's class says by its own `sweep` which
    way is stronger.
    """
    found: dict[tuple[type[Attack], str, str], list[Outcome]] = {}
    for outcome in outcomes:
        attack = outcome.cell.attack
        for parameter in filter(attack.stronger, attack.sweep) if outcome.error is None else ():
            found.setdefault((type(attack), parameter, params_text(_held(attack, parameter))), []).append(outcome)
    sweeps = []
    for (cls, parameter, _), members in found.items():
        by_strength = {float(str(outcome.cell.attack.params[parameter])): outcome for outcome in members}
        strengths = sorted(by_strength, reverse=cls.stronger(parameter) < 0)
        if len(strengths) >= MIN_STRENGTHS:
            held = _held(members[0].cell.attack, parameter)
            sweeps.append(Sweep(parameter, held, tuple(strengths), tuple(by_strength[one] for one in strengths)))
    return sweeps


def break_point_rows(
    dataset: Dataset,
    pairs: Sequence[Pair],
    subjects: Sequence[Subject],
    thresholds: Mapping[str, Thresholds],
    outcomes: Sequence[Outcome],
) -> Iterator[BreakPointRow]:
    """Yield where each detector breaks along each sweep: where its TPR at 1 % false positives crosses 0.5."""
    resamples = resamples_of([pair.group for pair in pairs], dataset.facts["seed"])
    everywhere = np.ones(len(pairs), dtype=np.bool_)
    for sweep in find_sweeps(outcomes):
        cell = sweep.outcomes[0].cell
        trials = np.tile(resamples.counts(), (len(sweep.strengths), 1))
        for subject in subjects:
            threshold = thresholds[subject.name].calibrated.get(CALIBRATED)
            if threshold is None:
                point = BreakPoint("no_threshold", math.nan, math.nan, math.nan)
            else:
                scores = [outcome.scores[subject.name].score[1] for outcome in sweep.outcomes]
                hits = np.stack([resamples.sums(decide(each, threshold.value)) for each in scores])
                rates = [estimate_rates(each, everywhere, threshold, resamples)["tpr"] for each in scores]
                point = find_break_point(sweep.strengths, hits, trials, resamples, level=TPR_LEVEL, rates=rates)
            yield BreakPointRow(
                dataset=dataset.name,
                scheme=cell.scheme,
                attack=cell.attack.name,
                params=params_text(sweep.held),
                parameter=sweep.parameter,
                detector=subject.name,
                role=subject.role,
                status=point.status,
                value=point.value if math.isfinite(point.value) else math.nan,
                ci_low=point.ci_low,
                ci_high=point.ci_high,
                weakest=sweep.strengths[0],
                strongest=sweep.strengths[-1],
                n_strengths=len(sweep.strengths),
                n_clips=len(pairs),
                n_groups=resamples.n_groups,
            )


def as_csv(rows: Sequence[BreakPointRow]) -> str:
    """Write break_points.csv: six digits; missing values empty, interval ends beyond the strengths tried infinite."""
    return csv_text(
        BREAK_POINT_COLUMNS,
        ([_text(value) for value in asdict(replace(row, params=filled(row.params))).values()] for row in rows),
    )


def _text(value: object) -> object:
    if not isinstance(value, float):
        return value
    return "" if math.isnan(value) else f"{value:.6g}"


def _held(attack: Attack, parameter: str) -> dict[str, Value]:
    return {name: value for name, value in attack.params.items() if name != parameter}
