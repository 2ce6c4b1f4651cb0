"""Fidelity in strata: where clips are clean or marked, where the detector half fails, where it is wrong."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.statistics.estimation.estimate import Estimate, estimate_rate_by_group
from sealproof.harness.studies.extraction.exam.clips import IDENTITY, Decisions, Exam
from sealproof.harness.studies.extraction.exam.kappa import kappa_over_strata

HALF_FAILING = (0.1, 0.9)
"""True positive rates between which a detector half fails: what an attack does is not settled by its name."""

UNATTACKED, ATTACKED, HALF, WRONG, SEEN, UNSEEN = (
    "unattacked", "attacked", "half_failing", "detector_wrong", "seen_families", "unseen_families",
)  # fmt: skip

LABELS = ("all", "clean", "marked")
METRICS = ("agreement", "accuracy", "kappa", "kappa_within")
"""`kappa` takes chance within each attack; `kappa_within` within each attack and class: beyond attack and label."""


@dataclass(frozen=True)
class Measure:
    """One number of one imitation.

    Attributes:
        stratum: Which clips.
        label: `all`, `clean` or `marked`.
        metric: One of `METRICS`, or `share_flagged_by_detector`.
        estimate: The number and its interval by recording.
        n_cells: Attacks that it is taken over.
    """

    stratum: str
    label: str
    metric: str
    estimate: Estimate
    n_cells: int


def measure_strata(exam: Exam, decisions: Decisions, families: tuple[str, ...] | None = None) -> Iterator[Measure]:
    """Measure how somebody decides beside the detector, stratum by stratum.

    Args:
        exam: Clips and the detector's decisions.
        decisions: Somebody's.
        families: Families of attacks that somebody learnt from; None where families were not parted.
    """
    for name, where in _strata(exam, families).items():
        for label in LABELS:
            chosen = where if label == "all" else where & (exam.truth == (label == "marked"))
            if chosen.any():
                yield from _measured(exam, decisions, name, label, chosen)


def _strata(exam: Exam, families: tuple[str, ...] | None) -> dict[str, NDArray[np.bool_]]:
    whole = np.ones(exam.reference.shape, dtype=np.bool_)
    is_attacked = np.array([cell.attack.id != IDENTITY for cell in exam.cells])
    rates = exam.reference[:, exam.truth].mean(axis=1)
    low, high = HALF_FAILING
    half = is_attacked & (rates >= low) & (rates <= high)
    strata = {
        UNATTACKED: whole & ~is_attacked[:, None],
        ATTACKED: whole & is_attacked[:, None],
        HALF: whole & half[:, None],
        WRONG: exam.reference != exam.truth,
    }
    if families is not None:
        is_seen = np.array([cell.attack.family in families for cell in exam.cells])
        strata[SEEN] = whole & (is_attacked & is_seen)[:, None]
        strata[UNSEEN] = whole & (is_attacked & ~is_seen)[:, None]
    return strata


def _measured(
    exam: Exam, decisions: Decisions, stratum: str, label: str, chosen: NDArray[np.bool_]
) -> Iterator[Measure]:
    cells, clips = np.nonzero(chosen)
    says, reference = decisions[chosen], exam.reference[chosen]
    truth, codes = exam.truth[clips], exam.resamples.codes[clips]
    n_cells = len(np.unique(cells))
    yield Measure(stratum, label, "agreement", _rate(says == reference, codes, exam), n_cells)
    yield Measure(stratum, label, "accuracy", _rate(says == truth, codes, exam), n_cells)
    if stratum == WRONG:
        # There the detector's answer is the opposite of the truth, so that chance is no measure within a class.
        return
    for metric, strata in (("kappa", cells), ("kappa_within", 2 * cells + truth)):
        estimate = kappa_over_strata(says, reference, strata, codes, exam.resamples)
        yield Measure(stratum, label, metric, estimate, n_cells)


def _rate(flags: NDArray[np.bool_], codes: NDArray[np.intp], exam: Exam) -> Estimate:
    n_groups = exam.resamples.weights.shape[1]
    successes = np.bincount(codes, weights=flags, minlength=n_groups)
    return estimate_rate_by_group(successes, np.bincount(codes, minlength=n_groups), exam.resamples)
