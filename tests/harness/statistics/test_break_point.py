"""Break points: known curves, both directions, honest ends, and sweeps that have none."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sealproof.harness.statistics.break_point import BreakPoint, find_break_point
from sealproof.harness.statistics.estimation.bootstrap import group_weights
from sealproof.harness.statistics.estimation.resamples import Resamples

N_GROUPS = 20
RESAMPLES = Resamples(np.arange(N_GROUPS), group_weights(N_GROUPS, 400, seed=5))


def point(strengths: Any, rates: Any, clips: Any = 10, **options: Any) -> BreakPoint:
    """Find the break point where every group has the same rates."""
    hits = np.round(np.repeat(np.asarray(rates)[:, None], N_GROUPS, axis=1) * clips)
    return find_break_point(strengths, hits, np.full(hits.shape, clips), RESAMPLES, **options)


def test_the_value_is_interpolated_between_the_bracketing_strengths() -> None:
    assert point([1, 2, 3], [1.0, 0.7, 0.3]).value == pytest.approx(2.5)
    assert point([1, 2, 3], [1.0, 0.6, 0.2]).value == pytest.approx(2.25)
    assert point([1, 2, 3], [1.0, 0.6, 0.2], level=0.8).value == pytest.approx(1.5)
    # Positive strengths that span more than a factor of ten: in the logarithm.
    assert point([1, 10, 100], [1.0, 0.7, 0.3]).value == pytest.approx(10**1.5)
    assert point([1, 5.5, 10], [1.0, 0.7, 0.3]).value == pytest.approx(7.75)
    assert point([0, 10, 100], [1.0, 0.7, 0.3]).value == pytest.approx(55)


def test_a_falling_strength_is_a_stronger_attack() -> None:
    found = point([40, 20, 0], [1.0, 0.7, 0.3])
    assert found.status == "crosses"
    assert found.value == pytest.approx(10)
    assert 0 < found.ci_low < 10 < found.ci_high < 20
    assert point([320, 64, 8], [1.0, 0.7, 0.3]).value == pytest.approx(math.sqrt(64 * 8))


def test_a_sweep_that_never_breaks_says_how_far_it_was_tried() -> None:
    rising, falling = point([1, 2, 3], [1.0, 1.0, 0.9]), point([40, 20, 0], [1.0, 1.0, 0.9])
    assert (rising.status, rising.value, rising.ci_low, rising.ci_high) == ("never", math.inf, math.inf, math.inf)
    assert (falling.status, falling.value, falling.ci_low) == ("never", -math.inf, -math.inf)
    # Just above the level at the strongest: it may have been crossed already.
    barely = point([1, 2, 3], [1.0, 0.9, 0.51], clips=100)
    assert barely.status == "never"
    assert 2 < barely.ci_low < 3
    assert barely.ci_high == math.inf


def test_a_sweep_that_is_always_broken_says_where_it_began() -> None:
    rising, falling = point([1, 2, 3], [0.2, 0.1, 0.0]), point([40, 20, 0], [0.2, 0.1, 0.0])
    assert (rising.status, rising.value, rising.ci_high) == ("always", -math.inf, -math.inf)
    assert (falling.status, falling.value, falling.ci_low) == ("always", math.inf, math.inf)


def test_a_rate_at_the_level_is_not_below_it() -> None:
    assert point([1, 2], [1.0, 0.5]).status == "never"
    assert point([1, 2, 3], [1.0, 0.5, 0.0]).value == 2.0


def test_where_nothing_was_seen_in_between_the_interval_is_all_of_it() -> None:
    found = point([1, 2, 3, 4], [1.0, 1.0, 0.0, 0.0])
    assert found == BreakPoint("crosses", 2.5, 2.0, 3.0)


def test_one_strength_can_be_before_or_after_the_break_point() -> None:
    assert point([3], [0.9]).status == "never"
    assert point([3], [0.1]).status == "always"


def test_a_rise_towards_stronger_damage_has_no_break_point() -> None:
    found = point([1, 2, 3], [0.9, 0.1, 0.6])
    assert found.status == "not_monotone"
    assert np.isnan([found.value, found.ci_low, found.ci_high]).all()


def test_a_small_rise_is_tolerated_however_certain() -> None:
    found = point([1, 2, 3], [0.94, 0.98, 0.1], clips=100)
    assert found.status == "crosses"
    assert 2 < found.value < 3


def test_a_rise_within_chance_is_pooled() -> None:
    # 8 and 13 of 20 recordings: neighbours in the wrong order, as sampling brings about.
    hits = np.array([np.ones(20), np.arange(20) < 8, np.arange(20) >= 7, np.zeros(20)])
    found = find_break_point([1, 2, 3, 4], hits, np.ones((4, 20)), RESAMPLES)
    assert found.status == "crosses"
    # Both count as 21 of 40.
    assert found.value == pytest.approx(3 + (21 / 40 - 0.5) / (21 / 40))
    assert found.ci_low < 2
    assert found.ci_high > 3


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 7))
def test_the_value_of_any_sweep_is_that_of_an_isotonic_fit(seed: Any, n_strengths: Any) -> None:
    from sklearn.isotonic import isotonic_regression

    rng = np.random.default_rng(seed)
    strengths = 5 + np.cumsum(rng.uniform(0.5, 2, n_strengths))
    trials = rng.integers(1, 4, (n_strengths, N_GROUPS))
    hits = rng.binomial(trials, np.clip(np.linspace(0.8, 0.3, n_strengths) + rng.normal(0, 0.05), 0, 1)[:, None])
    found = find_break_point(strengths, hits, trials, RESAMPLES)
    assume(found.status != "not_monotone")
    fit = isotonic_regression(hits.sum(1) / trials.sum(1), sample_weight=trials.sum(1), increasing=False)
    if found.status == "crosses":
        assert np.interp(found.value, strengths, fit) == pytest.approx(0.5)
        assert strengths[0] <= found.value <= strengths[-1]
    elif found.status == "never":
        assert fit[-1] >= 0.5 - 1e-12
    else:
        assert fit[0] < 0.5
    assert found.ci_low <= found.value <= found.ci_high


@settings(max_examples=30)
@given(st.integers(0, 10**6))
def test_the_sign_and_the_scale_of_the_strengths_do_not_matter(seed: Any) -> None:
    rng = np.random.default_rng(seed)
    strengths, trials = np.arange(1.0, 6.0), np.full((5, N_GROUPS), 4)
    hits = rng.binomial(trials, np.array([0.95, 0.8, 0.55, 0.3, 0.1])[:, None])
    plain, turned = (find_break_point(values, hits, trials, RESAMPLES) for values in (strengths, -2 * strengths))
    assert turned.status == plain.status
    assert (turned.value, turned.ci_low, turned.ci_high) == pytest.approx(
        (-2 * plain.value, -2 * plain.ci_high, -2 * plain.ci_low), nan_ok=True
    )


def test_recordings_that_break_together_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    limits = np.repeat(rng.logistic(4, 1, N_GROUPS)[:, None], 10, axis=1)
    strengths = np.arange(1.0, 8.0)
    alike = (limits[None] > strengths[:, None, None]).sum(axis=2)
    mixed = (rng.permutation(limits.ravel()).reshape(limits.shape)[None] > strengths[:, None, None]).sum(axis=2)
    trials = np.full(alike.shape, 10)
    wide, narrow = (find_break_point(strengths, hits, trials, RESAMPLES) for hits in (alike, mixed))
    assert wide.value == narrow.value
    assert wide.ci_high - wide.ci_low > 1.5 * (narrow.ci_high - narrow.ci_low)


def test_one_recording_says_nothing_about_others() -> None:
    hits = np.zeros((3, N_GROUPS))
    hits[:, 4] = [9, 7, 1]
    found = find_break_point([1, 2, 3], hits, np.where(np.arange(N_GROUPS) == 4, 10, 0) * np.ones((3, 1)), RESAMPLES)
    assert found.status == "crosses"
    assert np.isnan([found.ci_low, found.ci_high]).all()


def test_noise_around_a_flat_curve_is_rarely_called_a_rise() -> None:
    rng = np.random.default_rng(1)
    trials = np.full((8, N_GROUPS), 10)
    found = [find_break_point(np.arange(8), rng.binomial(trials, 0.7), trials, RESAMPLES).status for _ in range(200)]
    assert found.count("not_monotone") <= 16
    assert set(found) <= {"never", "not_monotone"}


@pytest.mark.parametrize("strengths", [[], [1, 3, 2], [1, 1, 2], [1, math.nan, 3], [[1, 2, 3]]])
def test_strengths_are_in_order(strengths: Any) -> None:
    with pytest.raises(ValueError, match="must rise or fall throughout"):
        find_break_point(strengths, np.ones((3, 2)), np.ones((3, 2)), Resamples.of(["a", "b"]))


def test_counts_fit_the_strengths_the_groups_and_each_other() -> None:
    clips = Resamples.of(["a", "b"])
    with pytest.raises(ValueError, match=r"must be \(2 strengths, 2 groups"):
        find_break_point([1, 2], np.ones((3, 2)), np.ones((3, 2)), clips)
    with pytest.raises(ValueError, match="must hold clips for each strength"):
        find_break_point([1, 2], np.zeros((2, 2)), np.array([[1, 1], [0, 0]]), clips)
    with pytest.raises(ValueError, match="a count for each of the 2 groups"):
        find_break_point([1, 2], np.full((2, 2), 3), np.ones((2, 2)), clips)
    with pytest.raises(ValueError, match="'level' of find_break_point must lie between"):
        find_break_point([1, 2], np.ones((2, 2)), np.ones((2, 2)), clips, level=50)
