"""The bootstrap is exact: every resample has the statistic of its clips written out."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealproof.harness.statistics import roc
from sealproof.harness.statistics.estimation import bootstrap as bs


def test_weights_are_resamples_and_follow_the_seed():
    weights = bs.group_weights(30, 500, seed=7)
    assert weights.shape == (500, 30)
    assert (weights.sum(axis=1) == 30).all()
    assert (weights == np.round(weights)).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(30), abs=0.2)
    assert weights.var() == pytest.approx(1 - 1 / 30, abs=0.05)
    assert (weights == bs.group_weights(30, 500, seed=7)).all()
    assert (weights == bs.group_weights(30, 500, seed=np.random.default_rng(7))).all()
    assert (weights != bs.group_weights(30, 500, seed=8)).any()


def test_weights_need_a_group_and_a_resample():
    with pytest.raises(ValueError, match="'n_groups' of group_weights must be at least 1"):
        bs.group_weights(0)
    with pytest.raises(ValueError, match="'n_resamples' of group_weights must be at least 1"):
        bs.group_weights(3, 0)


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
    weights = bs.group_weights(n_groups, 25, rng)
    rows = [repeat(row, groups) for row in weights]
    means = [values[row].mean() if row.size else math.nan for row in rows]
    medians = [np.median(values[row]) if row.size else math.nan for row in rows]
    assert bs.bootstrap_mean(values, groups, weights) == pytest.approx(means, nan_ok=True)
    assert bs.bootstrap_median(values, groups, weights) == pytest.approx(medians, nan_ok=True)


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(2, 6), st.booleans())
def test_auc_replicates_equal_the_pairs_of_the_written_out_resample(seed, n_groups, with_ties):
    rng = np.random.default_rng(seed)
    marked_groups, clean_groups = rng.integers(0, n_groups, 17), rng.integers(0, n_groups, 11)
    marked, clean = rng.normal(1, 1, 17), rng.normal(0, 1, 11)
    if with_ties:
        marked, clean = np.round(marked), np.round(clean)
    weights = bs.group_weights(n_groups, 20, rng)
    wins = bs.pairwise_wins(marked, marked_groups, clean, clean_groups, n_groups)
    n_marked, n_clean = np.bincount(marked_groups, minlength=n_groups), np.bincount(clean_groups, minlength=n_groups)
    expected = []
    for row in weights:
        ours, theirs = marked[repeat(row, marked_groups)][:, None], clean[repeat(row, clean_groups)]
        pairs = (ours > theirs) + 0.5 * (ours == theirs)
        expected.append(pairs.mean() if pairs.size else math.nan)
    assert bs.bootstrap_auc(wins, n_marked, n_clean, weights) == pytest.approx(expected, nan_ok=True)


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(2, 6), st.booleans(), st.sampled_from([0.0, 0.01, 0.2, 0.5, 1.0]))
def test_error_rates_equal_those_of_the_written_out_resample(seed, n_groups, with_ties, target):
    rng = np.random.default_rng(seed)
    marked_groups, clean_groups = rng.integers(0, n_groups, 17), rng.integers(0, n_groups, 11)
    marked, clean = rng.normal(1, 1, 17), rng.normal(0, 1, 11)
    if with_ties:
        marked, clean = np.round(marked), np.round(clean)
    weights = bs.group_weights(n_groups, 20, rng)
    eers, tprs = [], []
    for row in weights:
        ours, theirs = marked[repeat(row, marked_groups)], clean[repeat(row, clean_groups)]
        scores, truth = np.concatenate([ours, theirs]), np.repeat([True, False], [ours.size, theirs.size])
        eers.append(roc.eer(scores, truth))
        tprs.append(roc.tpr_at_fpr(scores, truth, target))
    groups = (marked_groups, clean, clean_groups)
    assert bs.bootstrap_eer(marked, *groups, weights) == pytest.approx(eers, nan_ok=True)
    assert bs.bootstrap_tpr_at_fpr(marked, *groups, target, weights) == pytest.approx(tprs, nan_ok=True)


@settings(max_examples=10)
@given(st.integers(0, 10**6), st.sampled_from([300, 997]))
def test_many_clips_are_searched_as_exactly_as_few(seed, n_clips):
    rng = np.random.default_rng(seed)
    values, groups = rng.normal(size=n_clips), rng.integers(0, 30, n_clips)
    truth = rng.random(n_clips) < 0.5
    weights = bs.group_weights(30, 12, rng)
    rows = [repeat(row, groups) for row in weights]
    scores = values + truth
    marked_and_clean = (scores[truth], groups[truth], scores[~truth], groups[~truth])
    assert bs.bootstrap_median(values, groups, weights) == pytest.approx([np.median(values[row]) for row in rows])
    assert bs.bootstrap_eer(*marked_and_clean, weights) == pytest.approx(
        [roc.eer(scores[row], truth[row]) for row in rows]
    )
    assert bs.bootstrap_tpr_at_fpr(*marked_and_clean, 0.01, weights) == pytest.approx(
        [roc.tpr_at_fpr(scores[row], truth[row], 0.01) for row in rows]
    )


def test_the_target_is_met_where_rounding_would_miss_it_by_a_clip():
    # 0.29 x 100 is 28.999999999999996, and 29 of 100 clips are 29 %.
    clean, marked = np.arange(100.0), np.full(3, 70.5)
    one = np.zeros(100, dtype=np.intp)
    tprs = bs.bootstrap_tpr_at_fpr(marked, one[:3], clean, one, 0.29, np.ones((1, 1)))
    assert tprs.tolist() == [1.0]
    assert roc.tpr_at_fpr(np.concatenate([marked, clean]), np.arange(103) < 3, 0.29) == 1.0
