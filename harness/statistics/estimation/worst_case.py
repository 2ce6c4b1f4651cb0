"""The worst case: which clips stay judged rightly, whatever of all attacks within a budget is done to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.statistics.estimation.estimate import Estimate, estimate_rate
from sealproof.harness.statistics.estimation.resamples import Resamples

BUDGETS_DB = (60, 50, 45, 40, 35, 30, 25, 20, 15, 10)
"""SNR of what is done to a clip, at least."""


@dataclass(frozen=True)
class WorstCase:
    """Robust accuracy by budget.

    Attributes:
        label: `clean`, `watermarked`, or `both`.
        budgets_db: SNR that attacks keep, at least.
        estimates: For each of them, the share of clips that every attack within it leaves judged rightly.
        by: For each of them, how many clips each attack is the least damaging one for that turns them, most first.
    """

    label: str
    budgets_db: tuple[float, ...]
    estimates: tuple[Estimate, ...]
    by: tuple[Mapping[str, int], ...]


def worst_case(
    label: str,
    attacks: Sequence[str],
    turned: NDArray[np.bool_],
    snr_db: NDArray[np.float64],
    is_right: NDArray[np.bool_],
    resamples: Resamples,
    budgets_db: Sequence[float] = BUDGETS_DB,
) -> WorstCase:
    """Take for each clip, under each budget, the least damaging attack that turns it.

    As ensembles of attacks do for images (Croce and Hein 2020, Reliable evaluation of adversarial robustness with an
    ensemble of diverse parameter-free attacks, ICML). A clip that is judged wrongly without any attack is wrong under
    every budget. An attack whose SNR is not defined, as it moves the audio in time, is in no budget.

    Args:
        label: Which clips.
        attacks: (a,) names.
        turned: (a, n) whether a clip is judged wrongly after an attack.
        snr_db: (a, n) of what the attack did to the clip; NaN where it is not defined.
        is_right: (n,) whether it is judged rightly without any.
        resamples: Of the n clips.
        budgets_db: SNR, at least.
    """
    # Of attacks that turn a clip the one with the highest SNR does the least damage.
    damage = np.where(turned & ~np.isnan(snr_db), snr_db, -np.inf)
    damage = damage if len(damage) else np.full((1, len(is_right)), -np.inf)
    best = damage.argmax(axis=0)
    highest = damage.max(axis=0)
    estimates, by = [], []
    for budget in budgets_db:
        falls = is_right & (highest >= budget)
        estimates.append(estimate_rate(is_right & ~falls, resamples))
        counts = np.bincount(best[falls], minlength=len(attacks)) if falls.any() else np.zeros(len(attacks), int)
        order = np.argsort(-counts, kind="stable")
        by.append({attacks[index]: int(counts[index]) for index in order if counts[index]})
    return WorstCase(label, tuple(map(float, budgets_db)), tuple(estimates), tuple(by))
