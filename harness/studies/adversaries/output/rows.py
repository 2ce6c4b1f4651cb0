"""adversary.csv: one row for each number of each cell and budget."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.adversarial.contract.oracle import Floats
from sealproof.harness.datasets.dataset import Pair
from sealproof.harness.statistics.estimation.estimate import (
    Estimate,
    estimate_mean,
    estimate_median,
    estimate_median_of_defined,
    estimate_rate,
)
from sealproof.harness.statistics.estimation.resamples import Resamples
from sealproof.harness.statistics.significance import holm, mcnemar_exact
from sealproof.harness.studies.adversaries.cell import AdversaryCell, Fought
from sealproof.harness.studies.adversaries.study import CellResult
from sealproof.harness.studies.adversaries.target.controls import CONTROLS
from sealproof.harness.studies.adversaries.target.passages import SURVIVED
from sealproof.harness.tables.resamples import resamples_of

OK, UNRELIABLE, FAILED, NEVER_FELL = "ok", "unreliable", "failed", "never fell"
"""What a row's number is worth: one; none, as a check of the adversary failed; none, as it could not be run; none, as
more than half of the clips never fell, so that there is no median."""

QUESTIONS = (1, 10, 100, 300, 1000, 2000, 5000, 10_000)
"""After how many questions success is told."""


@dataclass(frozen=True, kw_only=True)
class AdversaryRow:
    """One row of adversary.csv; None is written as an empty field."""

    dataset: str
    scheme: str
    adversary: str
    knowledge: str
    access: str
    surrogate: str
    direction: str
    basis: str
    budget: str
    queries: int
    rule: str
    metric: str
    value: float | None
    ci_low: float | None = None
    ci_high: float | None = None
    n_clips: int = 0
    n_groups: int = 0
    status: str = OK
    note: str = ""


COLUMNS = tuple(item.name for item in fields(AdversaryRow))


def adversary_rows(
    dataset_name: str, dataset_seed: int, results: Sequence[CellResult], unreliable: dict[str, str]
) -> list[AdversaryRow]:
    """Return all rows, p values adjusted over the adversaries of a direction, rule and budget.

    Args:
        dataset_name: As in tables.
        dataset_seed: For the intervals.
        results: The cells.
        unreliable: By id of a cell, which check it failed.
    """
    rows = [
        row
        for result in results
        for row in _Writer(dataset_name, dataset_seed, result, unreliable.get(result.cell.id, "")).rows()
    ]
    return [*_with_holm(rows), *_gaps(dataset_name, dataset_seed, results, unreliable)]


class _Writer:
    def __init__(self, dataset: str, seed: int, result: CellResult, reason: str) -> None:
        self._dataset, self._seed, self._result, self._reason = dataset, seed, result, reason

    def rows(self) -> Iterator[AdversaryRow]:
        result = self._result
        if result.fought is None:
            for budget in result.cell.budgets:
                yield self._row(budget.name, "success", None, status=FAILED, note=result.error)
            return
        fought, groups = result.fought, resamples_of([pair.group for pair in result.pairs], self._seed)
        for place, budget in enumerate(result.cell.budgets):
            yield from self._of_budget(fought, place, budget.name, groups)
        yield from self._of_cell(fought, groups)

    def _of_budget(self, fought: Fought, place: int, budget: str, groups: Resamples) -> Iterator[AdversaryRow]:
        won = fought.success[place] == 1
        yield self._estimated(budget, "success", estimate_rate(won, groups))
        for index, name in enumerate(CONTROLS):
            made = fought.controls[place, index]
            there = ~np.isnan(made)
            if not there.any():
                continue
            part = groups.of_clips(there)
            yield self._estimated(budget, f"control_{name}", estimate_rate(made[there] == 1, part))
            gain = won[there].astype(float) - made[there]
            yield self._estimated(budget, f"net_success_{name}", estimate_mean(gain, part, (-1.0, 1.0)))
            yield self._row(budget, f"p_{name}", mcnemar_exact(won[there], made[there] == 1), n=int(there.sum()))
        for index, name in enumerate(SURVIVED):
            outlived = fought.survives[place, index]
            if won.any():
                yield self._estimated(
                    budget, f"survives_{name}", estimate_rate(outlived[won] == 1, groups.of_clips(won))
                )
        for questions in QUESTIONS:
            first = fought.first_question[place]
            if questions <= self._result.cell.limit and fought.n_questions.any() and not np.isnan(first).any():
                yield self._estimated(
                    budget, f"success_after_{questions}_questions", estimate_rate(first <= questions, groups)
                )
        for metric, values in (("snr_db", fought.snr_db), ("nmr_db", fought.nmr_db), ("si_sdr_db", fought.si_sdr_db)):
            handed = np.where(won, values[place], np.nan)
            if won.any():
                yield self._estimated(budget, f"{metric}_of_successes", estimate_median_of_defined(handed, groups))

    def _of_cell(self, fought: Fought, groups: Resamples) -> Iterator[AdversaryRow]:
        cell, whole, n = self._result.cell, _budgets(self._result.cell), len(self._result.pairs)
        if cell.adversary.seeks_least:
            never = np.isneginf(fought.least_snr_db)
            yield self._estimated(whole, "never_fell", estimate_rate(never, groups))
            median = estimate_median(fought.least_snr_db, groups)
            if np.isfinite(median.value):
                yield self._estimated(whole, "least_distortion_db", median)
            else:
                note = f"{int(never.sum())} of {n} clips never fell"
                yield self._row(whole, "least_distortion_db", None, n=n, status=self._status(NEVER_FELL), note=note)
        yield self._row(whole, "left_out", float(self._result.n_left_out), n=n + self._result.n_left_out)
        yield self._estimated(whole, "questions", estimate_mean(fought.n_questions, groups))
        yield self._estimated(whole, "gradients", estimate_mean(fought.n_gradients, groups))
        yield self._row(whole, "processor_s_per_clip", float(fought.seconds[0] / n), n=n)
        yield self._row(whole, "wall_s_per_clip", float(fought.seconds[1] / n), n=n)

    def _status(self, otherwise: str = OK) -> str:
        return UNRELIABLE if self._reason else otherwise

    def _estimated(self, budget: str, metric: str, estimate: Estimate) -> AdversaryRow:
        row = self._row(budget, metric, estimate.value, n=estimate.n_clips)
        ends = {} if row.value is None else {"ci_low": _known(estimate.ci_low), "ci_high": _known(estimate.ci_high)}
        return AdversaryRow(**{**asdict(row), **ends, "n_groups": estimate.n_groups})

    def _row(
        self, budget: str, metric: str, value: float | None, *, n: int = 0, status: str = "", note: str = ""
    ) -> AdversaryRow:
        is_unreliable = bool(self._reason) and value is not None
        return AdversaryRow(
            **_identity(self._dataset, self._result.cell),
            budget=budget,
            metric=metric,
            value=None if is_unreliable or value is None else _known(value),
            n_clips=n,
            status=status or self._status(),
            note=note or self._reason,
        )


def _identity(dataset: str, cell: AdversaryCell) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "scheme": cell.scheme,
        "adversary": cell.adversary.id,
        "knowledge": cell.adversary.knows,
        "access": cell.access,
        "surrogate": cell.surrogate_name,
        "direction": cell.direction,
        "basis": cell.adversary.basis_name,
        "queries": 0 if cell.adversary.asks == "nothing" else cell.adversary.most_questions or cell.limit,
        "rule": cell.rule,
    }


def _budgets(cell: AdversaryCell) -> str:
    """Return what tells the numbers about a whole cell from those of the same adversary under another norm."""
    return "+".join(budget.name for budget in cell.budgets)


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _with_holm(rows: Sequence[AdversaryRow]) -> list[AdversaryRow]:
    """Adjust the p values of a direction, rule, budget and control for having been many adversaries."""
    families: dict[tuple[str, ...], list[int]] = {}
    for index, row in enumerate(rows):
        if row.metric.startswith("p_") and row.value is not None:
            families.setdefault((row.direction, row.rule, row.budget, row.metric), []).append(index)
    adjusted: dict[int, float] = {}
    for members in families.values():
        values = [row.value for row in (rows[index] for index in members) if row.value is not None]
        adjusted |= dict(zip(members, holm(values).tolist(), strict=True))
    return [
        row
        if index not in adjusted
        else AdversaryRow(**{**asdict(row), "value": adjusted[index], "metric": f"{row.metric}_holm"})
        for index, row in enumerate(rows)
    ]


def _gaps(dataset: str, seed: int, results: Sequence[CellResult], unreliable: dict[str, str]) -> Iterator[AdversaryRow]:
    """Yield by how much better weights are than a surrogate's direction: medians over the clips that both attacked."""
    boxes = {
        (each.cell.direction, each.cell.rule): each
        for each in results
        if each.fought is not None and each.cell.adversary.name == "white_box" and _by_snr(each.cell)
    }
    for ray in results:
        box = boxes.get((ray.cell.direction, ray.cell.rule))
        if box is None or ray.fought is None or ray.cell.adversary.name != "transfer_ray":
            continue
        shared, gap = _paired(box, ray)
        reason = unreliable.get(ray.cell.id) or unreliable.get(box.cell.id) or ""
        writer = _Writer(dataset, seed, ray, reason)
        if shared:
            median = estimate_median_of_defined(gap, resamples_of([pair.group for pair in shared], seed))
            yield writer._estimated(_budgets(ray.cell), "weapon_gap_db", median)


def _by_snr(cell: AdversaryCell) -> bool:
    return cell.budgets[0].name.startswith("snr")


def _paired(box: CellResult, ray: CellResult) -> tuple[list[Pair], Floats]:
    """Return the clips that both attacked and the difference of the least SNR; infinite where the ray never fell."""
    assert box.fought is not None  # noqa: S101 - the caller has looked
    assert ray.fought is not None  # noqa: S101
    at = {pair.clip_id: index for index, pair in enumerate(box.pairs)}
    shared = [(pair, at[pair.clip_id], index) for index, pair in enumerate(ray.pairs) if pair.clip_id in at]
    ours = box.fought.least_snr_db[[mine for _, mine, _ in shared]]
    theirs = ray.fought.least_snr_db[[their for _, _, their in shared]]
    gap: NDArray[np.float64] = np.where(np.isneginf(ours), np.nan, ours - np.where(np.isneginf(ours), 0.0, theirs))
    return [pair for pair, _, _ in shared], gap
