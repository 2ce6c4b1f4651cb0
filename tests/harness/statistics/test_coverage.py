"""Intervals of 95 % contain the truth in 95 % of samples: a part of what `benchmarks.statistics.coverage` measures."""

import math
import runpy
from pathlib import Path
from typing import Any

import pytest

N_SIMULATIONS = 200


@pytest.fixture(scope="module")
def simulation() -> Any:
    return runpy.run_path(str(Path(__file__).parents[3] / "benchmarks" / "statistics" / "coverage.py"))


def consistent(share: float, lowest: float, highest: float) -> bool:
    """Tell whether a share of the simulations is within three standard errors of a range."""
    low, high = (3 * math.sqrt(end * (1 - end) / N_SIMULATIONS) for end in (lowest, highest))
    return lowest - low <= share <= highest + high


# What is no rate covers in 97 to 100 % where clips are independent, recordings few, or nothing is missed: allowed for.
@pytest.mark.parametrize("name", ["alike", "unequal", "dead", "bimodal"])
def test_intervals_cover_in_93_per_cent_and_more(simulation: Any, name: str) -> None:
    covered = simulation["coverage"](name, N_SIMULATIONS, 500)
    assert {metric: share for metric, share in covered.items() if not consistent(share, 0.93, 1.0)} == {}


def test_a_calibrated_threshold_is_part_of_the_interval(simulation: Any) -> None:
    covered = simulation["calibrated"](120, N_SIMULATIONS, 500)
    for metric in ("tpr", "fpr", "accuracy"):
        assert consistent(covered[metric], 0.93, 1.0), metric
    assert covered["tpr, threshold as given"] < 0.8


def test_the_truths_are_those_of_clips_that_are_normal(simulation: Any) -> None:
    # The metrics of very many recordings agree with what the normal distribution says of their clips.
    population = simulation["POPULATIONS"]["alike"]
    rng = simulation["np"].random.default_rng(0)
    found = dict(simulation["_values"](population, simulation["_sample"](population, 20_000, rng)))
    known = simulation["_known"](population)
    assert {name: found[name] for name in known} == pytest.approx(known, abs=0.01)
