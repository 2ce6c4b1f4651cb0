"""Where detection breaks along the sweeps of a run."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace

import numpy as np

from sealproof.attacks.contract.base import Attack
from sealproof.attacks.contract.parameters import params_text
from sealproof.harness.datasets.dataset import Dataset, Pair
from sealproof.harness.foundation.text import csv_text, filled
from sealproof.harness.matrix.outcome import Outcome
from sealproof.harness.matrix.subject import Subject
from sealproof.harness.statistics.break_point import BreakPoint, find_break_point
from sealproof.harness.statistics.calibrated import estimate_rates
from sealproof.harness.statistics.thresholds import decide
from sealproof.harness.tables.resamples import resamples_of
from sealproof.harness.tables.rules import CALIBRATED, Thresholds
from sealproof.harness.tables.sweeps import Sweep, SweptCell, find_sweeps

MIN_STRENGTHS = 3
"""Fewer strengths are no sweep: two points tell neither a curve nor whether it is monotone."""

TPR_LEVEL = 0.5
"""Detection counts as broken where fewer of the watermarked clips than this are found."""


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


def ordered_sweeps(outcomes: Sequence[Outcome]) -> list[Sweep]:
    """Return the sweeps along which detection may break, in the order in which they come up.

    They have at least `MIN_STRENGTHS` cells that did not fail, of an attack whose class says which way is stronger.

    Args:
        outcomes: All cells of the run; the sweeps' `cells` are indices into them.
    """
    cells = {
        index: SweptCell(attack.name, _texts(attack), attack.stronger)
        for index, outcome in enumerate(outcomes)
        if outcome.error is None
        for attack in [outcome.cell.attack]
    }
    return [sweep for sweep in find_sweeps(cells) if sweep.is_ordered and len(sweep.cells) >= MIN_STRENGTHS]


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
    for sweep in ordered_sweeps(outcomes):
        members = [outcomes[index] for index in sweep.cells]
        strengths = [float(value) for value in sweep.values]
        trials = np.tile(resamples.counts(), (len(strengths), 1))
        for subject in subjects:
            threshold = thresholds[subject.name].calibrated.get(CALIBRATED)
            if threshold is None:
                point = BreakPoint("no_threshold", math.nan, math.nan, math.nan)
            else:
                scores = [outcome.scores[subject.name].score[1] for outcome in members]
                hits = np.stack([resamples.sums(decide(each, threshold.value)) for each in scores])
                rates = [estimate_rates(each, everywhere, threshold, resamples)["tpr"] for each in scores]
                point = find_break_point(strengths, hits, trials, resamples, level=TPR_LEVEL, rates=rates)
            yield BreakPointRow(
                dataset=dataset.name,
                scheme=members[0].cell.scheme,
                attack=sweep.title,
                params=sweep.fixed,
                parameter=sweep.parameter,
                detector=subject.name,
                role=subject.role,
                status=point.status,
                value=point.value if math.isfinite(point.value) else math.nan,
                ci_low=point.ci_low,
                ci_high=point.ci_high,
                weakest=strengths[0],
                strongest=strengths[-1],
                n_strengths=len(strengths),
                n_clips=len(pairs),
                n_groups=resamples.n_groups,
            )


def break_points_csv(rows: Sequence[BreakPointRow]) -> str:
    """Write break_points.csv: six digits; missing values empty, interval ends beyond the strengths tried infinite."""
    return csv_text(
        BREAK_POINT_COLUMNS,
        ([_text(value) for value in asdict(replace(row, params=filled(row.params))).values()] for row in rows),
    )


def _text(value: object) -> object:
    if not isinstance(value, float):
        return value
    return "" if math.isnan(value) else f"{value:.6g}"


def _texts(attack: Attack) -> dict[str, str]:
    return {name: params_text({name: value}).removeprefix(f"{name}=") for name, value in attack.params.items()}
