"""Estimates: values inside intervals that know how alike the clips of a recording are."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealproof.harness.statistics.estimation import estimate as es
from sealproof.harness.statistics.estimation.bootstrap import bootstrap_median, group_weights
from sealproof.harness.statistics.estimation.intervals import Interval, wilson
from sealproof.harness.statistics.estimation.resamples import Resamples


def test_one_group_says_nothing_about_others() -> None:
    # All resamples are defined, so that nothing but the number of groups can make the interval unknown.
    estimate = es.estimate_rate([True, False, True], Resamples(np.array([1, 1, 1]), np.array([[1.0, 1.0], [0.0, 2.0]])))
    assert (estimate.value, estimate.n_clips, estimate.n_groups) == (pytest.approx(2 / 3), 3, 1)
    assert math.isnan(estimate.ci_low)
    assert math.isnan(estimate.ci_high)


def test_nothing_to_estimate_from_is_nan() -> None:
    nobody = Resamples(np.zeros(0, int), group_weights(3, 50))
    for estimate in (
        es.estimate_rate(np.zeros(0, bool), nobody),
        es.estimate_mean([], nobody),
        es.estimate_median([], nobody),
    ):
        assert np.isnan([estimate.value, estimate.ci_low, estimate.ci_high]).all()
        assert (estimate.n_clips, estimate.n_groups) == (0, 0)
    assert np.isnan(bootstrap_median([], nobody)).all()


def test_an_estimate_never_lies_outside_its_interval() -> None:
    clips = Resamples.of(["a", "b"])
    assert es.make_estimate(0.9, Interval(0.2, 0.6), clips) == es.Estimate(0.9, 0.2, 0.9, 2, 2)
    assert es.make_estimate(0.1, Interval(0.2, 0.6), clips) == es.Estimate(0.1, 0.1, 0.6, 2, 2)


def test_a_group_of_each_clip_is_the_ordinary_bootstrap() -> None:
    rng = np.random.default_rng(3)
    values = rng.gamma(2, 1, 200)
    estimate = es.estimate_mean(values, Resamples.of(np.arange(200), 1, n_resamples=4000))
    ordinary = values[rng.integers(0, 200, (4000, 200))].mean(axis=1)
    low, high = np.quantile(ordinary, [0.025, 0.975])
    assert (estimate.ci_low, estimate.ci_high) == pytest.approx((low, high), abs=0.1 * (high - low))


def test_medians_may_be_infinite() -> None:
    values = np.full(36, math.inf)
    values[:6] = 20.0
    estimate = es.estimate_median(values, Resamples.of(np.repeat(np.arange(12), 3)))
    assert estimate.value == estimate.ci_high == math.inf
    assert estimate.ci_low <= math.inf


def test_rate_interval_is_wilsons_of_the_recordings_where_all_clips_agree() -> None:
    estimate = es.estimate_rate(np.ones(200, bool), Resamples.of(np.repeat(np.arange(20), 10)))
    assert (estimate.ci_low, estimate.ci_high) == (pytest.approx(wilson(20, 20).low), 1.0)
    assert (estimate.n_clips, estimate.n_groups) == (200, 20)


def test_rate_interval_is_the_bootstraps_where_clips_of_a_group_are_copies() -> None:
    flags = np.repeat(np.arange(20) % 2 == 0, 10)
    estimate = es.estimate_rate(flags, Resamples.of(np.repeat(np.arange(20), 10)))
    # Twenty coins, whatever the number of clips: Student's t for 19 degrees of freedom times their standard error.
    assert estimate.ci_high - estimate.ci_low == pytest.approx(2 * 2.093 * math.sqrt(0.25 / 19), rel=0.1)
    assert estimate.ci_high - estimate.ci_low > 3 * wilson(100, 200).width


def test_design_effect_is_one_for_independent_clips_and_the_group_size_for_copies() -> None:
    rng = np.random.default_rng(0)
    clips = Resamples.of(np.repeat(np.arange(200), 5), 1)
    copies = np.repeat(rng.normal(size=200), 5)
    assert es.design_effect(copies, clips) == pytest.approx(5, rel=0.1)
    assert es.design_effect(rng.normal(size=1000), clips) == pytest.approx(1, rel=0.25)
    assert math.isnan(es.design_effect(np.ones(1000), clips))
    assert math.isnan(es.design_effect(copies, Resamples.of(np.zeros(1000, int))))


@settings(max_examples=50)
@given(st.integers(0, 10**6), st.integers(2, 10))
def test_counts_by_group_are_all_a_rate_takes(seed: int, n_groups: int) -> None:
    rng = np.random.default_rng(seed)
    groups, flags = rng.integers(0, n_groups, 60), rng.random(60) < 0.7
    clips = Resamples(groups, group_weights(n_groups, 200, seed))
    right, asked = np.bincount(groups[flags], minlength=n_groups), np.bincount(groups, minlength=n_groups)
    assert es.estimate_rate_by_group(right, asked, clips) == es.estimate_rate(flags, clips)


@pytest.mark.parametrize(
    ("right", "asked"), [([1, 3], [2, 2]), ([-1, 1], [2, 2]), ([1, 1, 1], [2, 2, 2]), ([1], [2, 2])]
)
def test_counts_must_fit_each_other_and_the_resamples(right: Any, asked: Any) -> None:
    with pytest.raises(ValueError, match="a count for each of the 2 groups"):
        es.estimate_rate_by_group(right, asked, Resamples.of(["a", "b"]))


def test_a_median_leaves_out_what_has_no_value() -> None:
    snrs = np.array([10.0, 20.0, math.inf, math.nan, 30.0, 15.0])
    estimate = es.estimate_median_of_defined(snrs, Resamples.of(np.arange(6)))
    assert (estimate.value, estimate.n_clips, estimate.n_groups) == (20.0, 5, 5)
    assert estimate.ci_low <= 20.0 <= estimate.ci_high
    nothing = es.estimate_median_of_defined(np.full(3, math.nan), Resamples.of(np.arange(3)))
    assert math.isnan(nothing.value)
    assert nothing.n_clips == 0
