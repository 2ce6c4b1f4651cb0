"""Intervals of 95 % contain the truth in 95 % of samples: a small part of what `benchmarks.coverage` measures."""

import math
import runpy
from pathlib import Path
from typing import Any

import pytest

N_SIMULATIONS = 200


@pytest.fixture(scope="module")
def simulation() -> Any:
    return runpy.run_path(str(Path(__file__).parents[3] / "benchmarks" / "coverage.py"))


def consistent(share: float, lowest: float, highest: float) -> bool:
    """Tell whether a share of the simulations is within three standard errors of a range."""
    low, high = (3 * math.sqrt(end * (1 - end) / N_SIMULATIONS) for end in (lowest, highest))
    return lowest - low <= share <= highest + high


@pytest.mark.parametrize("likeness", [0.0, 0.3])
def test_intervals_cover_in_93_to_97_per_cent(simulation: Any, likeness: float) -> None:
    covered = simulation["coverage"](simulation["Setting"](40, likeness), N_SIMULATIONS, 1000)
    assert {name: share for name, share in covered.items() if not consistent(share, 0.93, 0.97)} == {}


def test_the_truths_are_those_of_a_large_sample(simulation: Any) -> None:
    import numpy as np

    from sealproof.harness.statistics import agreement, detection, rank_agreement, roc

    rng = np.random.default_rng(0)
    truth = np.repeat([False, True], 200_000)
    shift, correlation = simulation["SHIFT"], simulation["CORRELATION"]
    ours, theirs = rng.normal(size=(2, truth.size))
    reference = shift * truth + ours
    mimic = shift * truth + correlation * ours + math.sqrt(1 - correlation**2) * theirs
    a, b = mimic > shift / 2, reference > shift / 2
    expected = simulation["truths"]()
    found = {
        "accuracy": detection.accuracy(reference, truth, shift / 2),
        "AUC": roc.auc(reference, truth),
        "EER": roc.eer(reference, truth),
        "TPR at 1 % FPR": roc.tpr_at_fpr(reference, truth, 0.01),
        "kappa": agreement.cohens_kappa(a, b),
        "agreement, reference right": agreement.conditional_agreement(a, b, truth, given="right"),
        "agreement, reference wrong": agreement.conditional_agreement(a, b, truth, given="wrong"),
        "Spearman": rank_agreement.spearman(mimic, reference),
    }
    assert found == pytest.approx({name: expected[name] for name in found}, abs=0.01)
