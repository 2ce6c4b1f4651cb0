"""The worst case over the catalogue and the adversaries together: robust_accuracy.csv."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np

from sealproof.attacks.adversarial.contract.oracle import DIRECTIONS, Floats
from sealproof.attacks.selection import load_attacks
from sealproof.harness.datasets.dataset import Pair
from sealproof.harness.matrix.cell import matrix
from sealproof.harness.statistics.estimation.worst_case import worst_case
from sealproof.harness.studies.adversaries.study import CellResult, Study
from sealproof.harness.tables.reading.marking import marks_clean_clips
from sealproof.harness.tables.resamples import resamples_of

PRESET = "full"
"""Attacks of the catalogue that count where the store has them; nothing is run for it."""

CATALOGUE, TOGETHER = "catalogue", "catalogue and adversaries"


@dataclass(frozen=True, kw_only=True)
class RobustRow:
    """One row of robust_accuracy.csv."""

    dataset: str
    scheme: str
    attacks: str
    rule: str
    label: str
    budget_db: float
    value: float
    ci_low: float
    ci_high: float
    n_clips: int
    n_groups: int
    n_attacks: int
    worst: str


ROBUST_COLUMNS = tuple(item.name for item in fields(RobustRow))


def robust_rows(study: Study, unreliable: dict[str, str]) -> Iterator[RobustRow]:
    """Yield robust accuracy by budget, of the catalogue alone and with the adversaries, for each rule and label."""
    clips = {pair.clip_id: index for index, pair in enumerate(study.bench.pairs)}
    for rule, threshold in study.thresholds.items():
        catalogue = list(_catalogue(study, threshold))
        for place, direction in enumerate(reversed(DIRECTIONS)):
            label = ("clean", "watermarked")[place]
            # Adversaries attack some of the clips; all that is compared is about those.
            results = [
                each
                for each in study.results
                if each.fought is not None
                and (each.cell.rule, each.cell.direction) == (rule, direction)
                and each.cell.id not in unreliable
            ]
            most = max((each.cell.n_clips for each in results), default=len(study.bench.pairs))
            pairs = study.arena.pairs[:most]
            columns = [clips[pair.clip_id] for pair in pairs]
            known = [(name, turned[place][columns], snr[place][columns]) for name, turned, snr in catalogue]
            plain = next((turned for name, turned, _ in known if name == "identity"), None)
            right = ~plain if plain is not None else _right(pairs, results)
            added = [_fallen(each, pairs) for each in results]
            for what, parts in ((CATALOGUE, known), (TOGETHER, [*known, *added])):
                if not parts:
                    continue
                worst = worst_case(
                    label,
                    [part[0] for part in parts],
                    np.stack([part[1] for part in parts]),
                    np.stack([part[2] for part in parts]),
                    right,
                    resamples_of([pair.group for pair in pairs], study.bench.dataset.facts["seed"]),
                )
                for budget, estimate, by in zip(worst.budgets_db, worst.estimates, worst.by, strict=True):
                    yield RobustRow(
                        dataset=study.bench.dataset.name,
                        scheme=study.bench.dataset.scheme,
                        attacks=what,
                        rule=rule,
                        label=label,
                        budget_db=budget,
                        value=estimate.value,
                        ci_low=estimate.ci_low,
                        ci_high=estimate.ci_high,
                        n_clips=estimate.n_clips,
                        n_groups=estimate.n_groups,
                        n_attacks=len(parts),
                        worst="; ".join(f"{name} ({count})" for name, count in list(by.items())[:3]),
                    )


def _catalogue(study: Study, threshold: float) -> "Iterator[tuple[str, np.ndarray, Floats]]":
    """Yield what the store has of the catalogue: names, whether clips are judged wrongly, and SNR, (labels, clips)."""
    bench, subject = study.bench, study.arena.subject
    truth = np.array([[False], [True]])
    for cell in matrix(bench.dataset, load_attacks(PRESET), bench.pairs, seed=study.seed):
        measured = bench.store.measured(cell, (), len(bench.pairs))
        scores = bench.store.scores(cell, subject, len(bench.pairs))
        if measured is not None and scores is not None:
            wrong = (scores.score > threshold) != truth
            if marks_clean_clips(cell.attack.name, cell.attack.params_text, bench.dataset.scheme):
                wrong[0] = False
            yield cell.attack.id, wrong, measured.quality["snr_db"]


def _right(pairs: Sequence[Pair], results: Sequence[CellResult]) -> "np.ndarray":
    """Return which clips are judged rightly without any attack: those that an adversary was allowed to attack."""
    allowed = {pair.clip_id for each in results for pair in each.pairs}
    return np.array([pair.clip_id in allowed for pair in pairs])


def _fallen(result: CellResult, pairs: Sequence[Pair]) -> "tuple[str, np.ndarray, Floats]":
    """Return an adversary's name, which clips it turned, and the SNR of the least change that it handed over."""
    assert result.fought is not None  # noqa: S101 - the caller has looked
    fought, at = result.fought, {pair.clip_id: index for index, pair in enumerate(result.pairs)}
    least = np.where(fought.success == 1, fought.snr_db, -np.inf).max(axis=0)
    if result.cell.adversary.seeks_least:
        least = np.maximum(least, fought.least_snr_db)
    snr = np.array([least[at[pair.clip_id]] if pair.clip_id in at else -np.inf for pair in pairs])
    name = f"{result.cell.adversary.id} {result.cell.surrogate_name}".strip()
    return name, snr > -np.inf, np.where(snr > -np.inf, snr, np.nan)
