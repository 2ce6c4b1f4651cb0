"""Rank correlation: equal to scipy's, its resamples ranked anew."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sealproof.harness.statistics import rank_agreement
from sealproof.harness.statistics.estimation.bootstrap import group_weights
from sealproof.harness.statistics.estimation.intervals import wilson
from sealproof.harness.statistics.estimation.resamples import Resamples

WEIGHTS = group_weights(12, 400, seed=5)


@given(st.integers(3, 60), st.integers(0, 10**6), st.booleans())
def test_spearman_equals_scipys(n: Any, seed: Any, with_ties: Any) -> None:
    from scipy.stats import spearmanr

    rng = np.random.default_rng(seed)
    a = rng.normal(size=n)
    b = a + rng.normal(size=n)
    if with_ties:
        a, b = np.round(a), np.round(b)
    assume(np.ptp(a) > 0 and np.ptp(b) > 0)
    value = rank_agreement.spearman(a, b)
    assert value == pytest.approx(spearmanr(a, b).statistic, abs=1e-12)
    assert rank_agreement.spearman(np.exp(a), b**3) == pytest.approx(value)
    assert rank_agreement.spearman(-a, b) == pytest.approx(-value)


def test_spearman_of_a_constant_is_not_defined_and_of_a_copy_is_not_certain() -> None:
    scores = np.arange(24.0)
    assert math.isnan(rank_agreement.spearman(scores, np.ones(24)))
    estimate = rank_agreement.estimate_spearman(scores, scores**2, Resamples(np.arange(24) % 12, WEIGHTS))
    assert estimate.value == pytest.approx(1.0)
    assert (estimate.ci_low, estimate.ci_high) == pytest.approx((wilson(12, 12).low, 1.0))


def two_scores(rng: np.random.Generator, groups: Any, kind: Any) -> Any:
    """Scores of two detectors under an attack of some kind; recordings shift both."""
    shared = rng.normal(size=(2, groups.max() + 1))[:, groups]
    a = rng.normal(size=groups.size) + shared[0]
    correlation = {"unlike": 0.0, "alike": 0.98, "opposite": -0.9}.get(kind, 0.7)
    b = correlation * a + math.sqrt(1 - correlation**2) * (rng.normal(size=groups.size) + shared[1])
    if kind == "two classes":
        a, b = a + 6 * (np.arange(groups.size) % 2), b + 6 * (np.arange(groups.size) % 2)
    if kind == "ties":
        a, b = np.round(a), np.round(b * 2)
    return a, b


def ranked_anew(a: Any, b: Any, groups: Any, weights: Any) -> Any:
    from scipy.stats import spearmanr

    replicates = []
    for row in weights:
        clips = np.repeat(np.arange(groups.size), row.astype(int)[groups])
        replicates.append(spearmanr(a[clips], b[clips]).statistic)
    return np.array(replicates)


KINDS = ["unlike", "alike", "opposite", "two classes", "ties"]


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.sampled_from(KINDS))
def test_resamples_of_few_groups_are_ranked_anew(seed: Any, kind: Any) -> None:
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 12, 50)
    a, b = two_scores(rng, groups, kind)
    resamples = Resamples(groups, WEIGHTS[:30])
    interval = resamples.interval(ranked_anew(a, b, groups, WEIGHTS[:30]))
    estimate = rank_agreement.estimate_spearman(a, b, resamples)
    assert (estimate.n_clips, estimate.n_groups) == (50, np.unique(groups).size)
    assert estimate.ci_low == pytest.approx(min(interval.low, estimate.value), abs=1e-5)
    assert estimate.ci_high == pytest.approx(max(interval.high, estimate.value), abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("n_groups", "tolerance"), [(16, 0.03), (40, 0.02)])
def test_intervals_of_many_groups_are_those_of_resamples_ranked_anew(
    kind: Any, n_groups: int, tolerance: float
) -> None:
    rng = np.random.default_rng([n_groups, KINDS.index(kind)])
    groups = np.concatenate([np.arange(n_groups), rng.integers(0, n_groups, 9 * n_groups)])
    a, b = two_scores(rng, groups, kind)
    weights = group_weights(n_groups, 400, rng)
    resamples = Resamples(groups, weights)
    exact = resamples.interval(ranked_anew(a, b, groups, weights))
    estimate = rank_agreement.estimate_spearman(a, b, resamples)
    assert estimate.ci_low == pytest.approx(exact.low, abs=tolerance * exact.width)
    assert estimate.ci_high == pytest.approx(exact.high, abs=tolerance * exact.width)


def test_groups_without_clips_change_nothing() -> None:
    rng = np.random.default_rng(3)
    groups = rng.integers(0, 12, 80)
    a, b = two_scores(rng, groups, "ties")
    elsewhere = np.zeros((400, 2))
    apart = rank_agreement.estimate_spearman(a, b, Resamples(groups + 2, np.hstack([elsewhere, WEIGHTS])))
    alone = rank_agreement.estimate_spearman(a, b, Resamples(groups, WEIGHTS))
    assert dataclasses.astuple(apart) == pytest.approx(dataclasses.astuple(alone), abs=1e-6)


def test_detectors_must_judge_the_same_clips() -> None:
    with pytest.raises(ValueError, match=r"on the same clips\. Got 2 and 1"):
        rank_agreement.spearman([0.1, 0.2], [0.3])
