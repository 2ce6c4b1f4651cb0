"""Intervals: golden values, laws of the bootstrap, and the coverage they are there for."""

import math
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealproof.harness import intervals as iv


def clustered_flags(rng, rate, likeness, n_groups, clips_per_group):
    """Draw booleans whose group shares spread like a beta distribution; ``likeness`` is the correlation in a group."""
    strength = 1 / likeness - 1
    shares = rng.beta(rate * strength, (1 - rate) * strength, n_groups)
    return (rng.random((n_groups, clips_per_group)) < shares[:, None]).ravel()


def test_importing_needs_numpy_only():
    heavy = "import sys, sealproof.harness.metrics, sealproof.harness.agreement; print('scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


# --- Wilson -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        # Newcombe 1998, Statistics in Medicine 17, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        # Closed forms at the ends: z^2 / (n + z^2) and its complement.
        (0, 24, 0.0, 3.841459 / 27.841459),
        (200, 200, 200 / 203.841459, 1.0),
    ],
)
def test_wilson_equals_published_values(successes, n, low, high):
    interval = iv.wilson(successes, n)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=6e-5)


@given(st.integers(1, 3000), st.data(), st.sampled_from([0.8, 0.95, 0.999]))
def test_wilson_equals_scipy_and_contains_the_rate(n, data, confidence):
    from scipy.stats import binomtest

    successes = data.draw(st.integers(0, n))
    theirs = binomtest(successes, n).proportion_ci(confidence, method="wilson")
    ours = iv.wilson(successes, n, confidence)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert 0 <= ours.low <= successes / n <= ours.high <= 1


def test_wilson_of_nothing_is_unknown():
    assert not iv.wilson(0, 0).known


@pytest.mark.parametrize(("successes", "n"), [(-1, 3), (4, 3), (0, -1)])
def test_wilson_refuses_impossible_counts(successes, n):
    with pytest.raises(ValueError, match="'successes' of wilson must lie in"):
        iv.wilson(successes, n)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95])
def test_confidence_is_a_share(confidence):
    with pytest.raises(ValueError, match="'confidence' must lie between 0 and 1"):
        iv.wilson(1, 2, confidence)
    with pytest.raises(ValueError, match="'confidence' must lie between 0 and 1"):
        iv.percentile_interval(np.arange(9.0), 3, confidence)


# --- what goes in -----------------------------------------------------------------------------------------------------


def test_weights_are_resamples_and_follow_the_seed():
    weights = iv.group_weights(30, 500, seed=7)
    assert weights.shape == (500, 30)
    assert (weights.sum(axis=1) == 30).all()
    assert (weights == np.round(weights)).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(30), abs=0.2)
    assert weights.var() == pytest.approx(1 - 1 / 30, abs=0.05)
    assert (weights == iv.group_weights(30, 500, seed=7)).all()
    assert (weights == iv.group_weights(30, 500, seed=np.random.default_rng(7))).all()
    assert (weights != iv.group_weights(30, 500, seed=8)).any()


def test_weights_need_a_group_and_a_resample():
    with pytest.raises(ValueError, match="'n_groups' of group_weights must be at least 1"):
        iv.group_weights(0)
    with pytest.raises(ValueError, match="'n_resamples' of group_weights must be at least 1"):
        iv.group_weights(3, 0)


def test_group_codes_number_the_sorted_names():
    codes, names = iv.group_codes(["b", "a", "b", "c"])
    assert names == ["a", "b", "c"]
    assert codes.tolist() == [1, 0, 1, 2]


def test_sum_by_group_adds_columns_and_keeps_empty_groups():
    values = np.array([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]])
    groups = np.array([2, 0, 2])
    assert iv.sum_by_group(values, groups, 4).tolist() == [[2, 20], [0, 0], [5, 50], [0, 0]]
    assert iv.sum_by_group(values[:, 0], groups, 4).tolist() == [2, 0, 5, 0]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([0, 1], "one code for each of the 3 clips"),
        ([0.0, 1.0, 1.0], "must be integers"),
        ([0, 1, 2], r"must lie in 0 \.\. 1"),
        ([0, 1, -1], r"must lie in 0 \.\. 1"),
    ],
)
def test_groups_must_fit_the_clips_and_the_weights(groups, message):
    with pytest.raises(ValueError, match=message):
        iv.estimate_rate([True, False, True], np.array(groups), iv.group_weights(2, 10))


def test_weights_must_be_a_matrix():
    with pytest.raises(ValueError, match="'weights' must be a"):
        iv.estimate_mean([1.0], [0], np.ones(1))


def test_scores_are_no_decisions_and_nan_is_no_number():
    weights = iv.group_weights(2, 10)
    with pytest.raises(ValueError, match="'successes' must be a vector of booleans"):
        iv.estimate_rate([0.1, 0.9], [0, 1], weights)
    with pytest.raises(ValueError, match=r"must not hold NaN\. Got 1 of 2"):
        iv.estimate_median([0.1, math.nan], [0, 1], weights)
    with pytest.raises(ValueError, match="'values' must be finite"):
        iv.estimate_mean([0.1, math.inf], [0, 1], weights)
    with pytest.raises(ValueError, match="must be a vector, one number per clip"):
        iv.estimate_mean([[0.1, 0.2]], [0, 1], weights)


# --- percentile intervals ---------------------------------------------------------------------------------------------


def test_percentile_interval_cuts_two_and_a_half_per_cent_of_many_groups():
    interval = iv.percentile_interval(np.random.default_rng(0).permutation(np.arange(1001.0)), n_groups=10**6)
    assert (interval.low, interval.high) == pytest.approx((25, 975), abs=1)


def test_percentile_interval_is_wider_for_few_groups():
    replicates = np.random.default_rng(0).normal(size=4000)
    widths = [iv.percentile_interval(replicates, n_groups).width for n_groups in (3, 5, 10, 40, 1000)]
    assert widths == sorted(widths, reverse=True)
    # Student's t and the spread's bias for 10 groups: 2.262 * sqrt(10 / 9) standard errors to each side.
    assert widths[2] == pytest.approx(2 * 2.262 * math.sqrt(10 / 9), rel=0.05)


def test_few_degenerate_resamples_are_left_out_and_many_leave_nothing():
    replicates = np.linspace(0, 1, 1000)
    replicates[::21] = math.nan
    assert iv.percentile_interval(replicates, 30).known
    replicates[::19] = math.nan
    assert not iv.percentile_interval(replicates, 30).known


def test_one_group_says_nothing_about_others():
    # All resamples are defined, so that nothing but the number of groups can make the interval unknown.
    estimate = iv.estimate_rate([True, False, True], [1, 1, 1], np.array([[1.0, 1.0], [0.0, 2.0]]))
    assert (estimate.value, estimate.n_clips, estimate.n_groups) == (pytest.approx(2 / 3), 3, 1)
    assert math.isnan(estimate.ci_low)
    assert math.isnan(estimate.ci_high)


def test_nothing_to_estimate_from_is_nan():
    weights = iv.group_weights(3, 50)
    for estimate in (
        iv.estimate_rate(np.zeros(0, bool), np.zeros(0, int), weights),
        iv.estimate_mean([], [], weights),
        iv.estimate_median([], [], weights),
    ):
        assert np.isnan([estimate.value, estimate.ci_low, estimate.ci_high]).all()
        assert (estimate.n_clips, estimate.n_groups) == (0, 0)
    assert np.isnan(iv.bootstrap_median([], [], weights)).all()


def test_wider_takes_the_wider_and_knows_nothing_of_the_unknown():
    narrow, broad, unknown = iv.Interval(0.4, 0.5), iv.Interval(0.1, 0.3), iv.Interval(math.nan, math.nan)
    assert iv.wider(narrow, broad) == iv.wider(broad, narrow) == broad
    assert not iv.wider(narrow, unknown).known
    assert not iv.wider(unknown, narrow).known


def test_an_estimate_never_lies_outside_its_interval():
    codes = np.array([0, 1])
    assert iv.make_estimate(0.9, iv.Interval(0.2, 0.6), codes) == iv.Estimate(0.9, 0.2, 0.9, 2, 2)
    assert iv.make_estimate(0.1, iv.Interval(0.2, 0.6), codes) == iv.Estimate(0.1, 0.1, 0.6, 2, 2)


# --- the bootstrap is exact -------------------------------------------------------------------------------------------


def repeat(weights_row, groups):
    """Return the positions of the clips in one resample, written out."""
    return np.repeat(np.arange(groups.size), weights_row.astype(int)[groups])


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(2, 8), st.integers(2, 40), st.booleans())
def test_replicates_equal_the_statistic_of_the_written_out_resample(seed, n_groups, n_clips, with_ties):
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, n_groups, n_clips)
    values = rng.integers(0, 4, n_clips).astype(float) if with_ties else rng.normal(size=n_clips)
    values[rng.random(n_clips) < 0.1] = 3.0
    weights = iv.group_weights(n_groups, 25, rng)
    rows = [repeat(row, groups) for row in weights]
    means = [values[row].mean() if row.size else math.nan for row in rows]
    medians = [np.median(values[row]) if row.size else math.nan for row in rows]
    assert iv.bootstrap_mean(values, groups, weights) == pytest.approx(means, nan_ok=True)
    assert iv.bootstrap_median(values, groups, weights) == pytest.approx(medians, nan_ok=True)


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(2, 6), st.booleans())
def test_auc_replicates_equal_the_pairs_of_the_written_out_resample(seed, n_groups, with_ties):
    rng = np.random.default_rng(seed)
    marked_groups, clean_groups = rng.integers(0, n_groups, 17), rng.integers(0, n_groups, 11)
    marked, clean = rng.normal(1, 1, 17), rng.normal(0, 1, 11)
    if with_ties:
        marked, clean = np.round(marked), np.round(clean)
    weights = iv.group_weights(n_groups, 20, rng)
    wins = iv.pairwise_wins(marked, marked_groups, clean, clean_groups, n_groups)
    n_marked, n_clean = np.bincount(marked_groups, minlength=n_groups), np.bincount(clean_groups, minlength=n_groups)
    expected = []
    for row in weights:
        ours, theirs = marked[repeat(row, marked_groups)][:, None], clean[repeat(row, clean_groups)]
        pairs = (ours > theirs) + 0.5 * (ours == theirs)
        expected.append(pairs.mean() if pairs.size else math.nan)
    assert iv.bootstrap_auc(wins, n_marked, n_clean, weights) == pytest.approx(expected, nan_ok=True)


def test_a_group_of_each_clip_is_the_ordinary_bootstrap():
    rng = np.random.default_rng(3)
    values = rng.gamma(2, 1, 200)
    estimate = iv.estimate_mean(values, np.arange(200), iv.group_weights(200, 4000, seed=1))
    ordinary = values[rng.integers(0, 200, (4000, 200))].mean(axis=1)
    low, high = np.quantile(ordinary, [0.025, 0.975])
    assert (estimate.ci_low, estimate.ci_high) == pytest.approx((low, high), abs=0.1 * (high - low))


def test_medians_may_be_infinite():
    weights = iv.group_weights(12, 200)
    values = np.full(36, math.inf)
    values[:6] = 20.0
    estimate = iv.estimate_median(values, np.repeat(np.arange(12), 3), weights)
    assert estimate.value == estimate.ci_high == math.inf
    assert estimate.ci_low <= math.inf


def test_pairwise_wins_are_fast_for_many_clips():
    rng = np.random.default_rng(0)
    marked, clean = rng.normal(1, 1, 5000), rng.normal(0, 1, 5000)
    groups = np.repeat(np.arange(125), 40)
    started = time.process_time()
    wins = iv.pairwise_wins(marked, groups, clean, groups, 125)
    iv.bootstrap_auc(wins, np.full(125, 40.0), np.full(125, 40.0), iv.group_weights(125))
    # Forming the 25 million pairs alone takes longer; the limit leaves room for a busy machine.
    assert time.process_time() - started < 0.5


# --- why the wider one is reported ------------------------------------------------------------------------------------


def test_rate_interval_is_wilsons_where_all_clips_agree():
    estimate = iv.estimate_rate(np.ones(200, bool), np.repeat(np.arange(20), 10), iv.group_weights(20))
    assert (estimate.ci_low, estimate.ci_high) == (iv.wilson(200, 200).low, 1.0)
    assert (estimate.n_clips, estimate.n_groups) == (200, 20)


def test_rate_interval_is_the_bootstraps_where_clips_of_a_group_are_copies():
    flags = np.repeat(np.arange(20) % 2 == 0, 10)
    estimate = iv.estimate_rate(flags, np.repeat(np.arange(20), 10), iv.group_weights(20))
    # Twenty coins, whatever the number of clips: Student's t for 19 degrees of freedom times their standard error.
    assert estimate.ci_high - estimate.ci_low == pytest.approx(2 * 2.093 * math.sqrt(0.25 / 19), rel=0.1)
    assert estimate.ci_high - estimate.ci_low > 3 * iv.wilson(100, 200).width


def test_design_effect_is_one_for_independent_clips_and_the_group_size_for_copies():
    rng = np.random.default_rng(0)
    weights = iv.group_weights(200, 2000, seed=1)
    groups = np.repeat(np.arange(200), 5)
    copies = np.repeat(rng.normal(size=200), 5)
    assert iv.design_effect(copies, groups, weights) == pytest.approx(5, rel=0.1)
    assert iv.design_effect(rng.normal(size=1000), groups, weights) == pytest.approx(1, rel=0.25)
    assert math.isnan(iv.design_effect(np.ones(1000), groups, weights))
    assert math.isnan(iv.design_effect(copies, np.zeros(1000, int), weights))


def coverage_of_rates(rate, likeness, n_groups, n_simulations=400):
    """Return how often the reported interval and Wilson's alone contain the rate."""
    rng = np.random.default_rng([n_groups, round(1000 * likeness)])
    groups = np.repeat(np.arange(n_groups), 10)
    weights = iv.group_weights(n_groups, 1000, seed=rng)
    reported = plain = 0
    for _ in range(n_simulations):
        flags = clustered_flags(rng, rate, likeness, n_groups, 10)
        estimate, wilson = iv.estimate_rate(flags, groups, weights), iv.wilson(int(flags.sum()), flags.size)
        reported += estimate.ci_low <= rate <= estimate.ci_high
        plain += wilson.low <= rate <= wilson.high
    return reported / n_simulations, plain / n_simulations


@pytest.mark.parametrize(("rate", "n_groups"), [(0.7, 40), (0.7, 12), (0.9, 40)])
def test_reported_rate_intervals_cover_and_wilsons_alone_do_not_where_clips_are_alike(rate, n_groups):
    reported, plain = coverage_of_rates(rate, 0.3, n_groups)
    assert 0.90 <= reported <= 0.99
    assert plain < 0.80


def test_reported_rate_intervals_cover_where_clips_are_independent():
    reported, plain = coverage_of_rates(0.7, 1e-6, 40)
    assert 0.93 <= reported <= 0.99
    assert 0.93 <= plain <= 0.98


@pytest.mark.parametrize("n_groups", [8, 40])
def test_intervals_of_means_cover(n_groups):
    rng = np.random.default_rng(n_groups)
    groups = np.repeat(np.arange(n_groups), 10)
    weights = iv.group_weights(n_groups, 1000, seed=rng)
    means, medians = [], []
    for _ in range(400):
        values = np.repeat(rng.normal(size=n_groups), 10) + rng.normal(size=groups.size)
        mean, median = iv.estimate_mean(values, groups, weights), iv.estimate_median(values, groups, weights)
        means.append(mean.ci_low <= 0 <= mean.ci_high)
        medians.append(median.ci_low <= 0 <= median.ci_high)
    assert 0.90 <= np.mean(means) <= 0.99
    assert 0.90 <= np.mean(medians) <= 0.99
