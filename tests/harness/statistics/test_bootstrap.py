"""The bootstrap is exact: every resample has the statistic of its clips written out."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from sealproof.harness.statistics import roc
from sealproof.harness.statistics.estimation import bootstrap as bs
from sealproof.harness.statistics.estimation.intervals import wilson
from sealproof.harness.statistics.estimation.resamples import Resamples


def test_weights_are_resamples_and_follow_the_seed() -> None:
    weights = bs.group_weights(30, 500, seed=7)
    assert weights.shape == (500, 30)
    assert (weights.sum(axis=1) == 30).all()
    assert (weights == np.round(weights)).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(30), abs=0.2)
    assert weights.var() == pytest.approx(1 - 1 / 30, abs=0.05)
    assert (weights == bs.group_weights(30, 500, seed=7)).all()
    assert (weights == bs.group_weights(30, 500, seed=np.random.default_rng(7))).all()
    assert (weights != bs.group_weights(30, 500, seed=8)).any()


def test_weights_need_a_group_and_a_resample() -> None:
    with pytest.raises(ValueError, match="'n_groups' of group_weights must be at least 1"):
        bs.group_weights(0)
    with pytest.raises(ValueError, match="'n_resamples' of group_weights must be at least 1"):
        bs.group_weights(3, 0)


def allowance(weights: NDArray[Any], clean_groups: NDArray[Any], target: float) -> NDArray[Any]:
    """Return how many clean clips each resample's threshold may flag, as `threshold_at_fpr` counts."""
    n_clean = weights @ np.bincount(clean_groups, minlength=weights.shape[1])
    return np.floor(target * (n_clean + 1) + 1e-9).clip(max=n_clean) - 1


def repeat(weights_row: NDArray[Any], groups: NDArray[Any]) -> NDArray[Any]:
    """Return the positions of the clips in one resample, written out."""
    return np.repeat(np.arange(groups.size), weights_row.astype(int)[groups])


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(2, 8), st.integers(2, 40), st.booleans())
def test_replicates_equal_the_statistic_of_the_written_out_resample(
    seed: int, n_groups: int, n_clips: int, with_ties: bool
) -> None:
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, n_groups, n_clips)
    values = rng.integers(0, 4, n_clips).astype(float) if with_ties else rng.normal(size=n_clips)
    values[rng.random(n_clips) < 0.1] = 3.0
    weights = bs.group_weights(n_groups, 25, rng)
    rows = [repeat(row, groups) for row in weights]
    means = [values[row].mean() if row.size else math.nan for row in rows]
    medians = [np.median(values[row]) if row.size else math.nan for row in rows]
    assert bs.bootstrap_mean(values, Resamples(groups, weights)) == pytest.approx(means, nan_ok=True)
    assert bs.bootstrap_median(values, Resamples(groups, weights)) == pytest.approx(medians, nan_ok=True)


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.integers(2, 6), st.booleans())
def test_auc_replicates_equal_the_pairs_of_the_written_out_resample(seed: int, n_groups: int, with_ties: bool) -> None:
    rng = np.random.default_rng(seed)
    marked_groups, clean_groups = rng.integers(0, n_groups, 17), rng.integers(0, n_groups, 11)
    marked, clean = rng.normal(1, 1, 17), rng.normal(0, 1, 11)
    if with_ties:
        marked, clean = np.round(marked), np.round(clean)
    weights = bs.group_weights(n_groups, 20, rng)
    wins = bs.pairwise_wins(marked, marked_groups, clean, clean_groups, n_groups)
    n_marked, n_clean = (
        np.bincount(groups, minlength=n_groups).astype(float) for groups in (marked_groups, clean_groups)
    )
    expected = []
    for row in weights:
        ours, theirs = marked[repeat(row, marked_groups)][:, None], clean[repeat(row, clean_groups)]
        pairs = (ours > theirs) + 0.5 * (ours == theirs)
        expected.append(pairs.mean() if pairs.size else math.nan)
    assert bs.bootstrap_auc(wins, n_marked, n_clean, weights) == pytest.approx(expected, nan_ok=True)


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(2, 6), st.booleans(), st.sampled_from([0.09, 0.2, 0.5, 1.0]))
def test_error_rates_equal_those_of_the_written_out_resample(
    seed: int, n_groups: int, with_ties: bool, target: float
) -> None:
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
    found = bs.bootstrap_tpr_at_allowance(marked, *groups, allowance(weights, clean_groups, target), weights)
    supported = weights @ np.bincount(clean_groups, minlength=n_groups) >= 1 / target - 1 - 1e-9
    assert found[supported] == pytest.approx(np.array(tprs)[supported], nan_ok=True)


@settings(max_examples=10)
@given(st.integers(0, 10**6), st.sampled_from([300, 997]))
def test_many_clips_are_searched_as_exactly_as_few(seed: int, n_clips: int) -> None:
    rng = np.random.default_rng(seed)
    values, groups = rng.normal(size=n_clips), rng.integers(0, 30, n_clips)
    truth = rng.random(n_clips) < 0.5
    weights = bs.group_weights(30, 12, rng)
    rows = [repeat(row, groups) for row in weights]
    scores = values + truth
    marked_and_clean = (scores[truth], groups[truth], scores[~truth], groups[~truth])
    assert bs.bootstrap_median(values, Resamples(groups, weights)) == pytest.approx(
        [np.median(values[row]) for row in rows]
    )
    assert bs.bootstrap_eer(*marked_and_clean, weights) == pytest.approx(
        [roc.eer(scores[row], truth[row]) for row in rows]
    )
    allowed = allowance(weights, groups[~truth], 0.02)
    assert bs.bootstrap_tpr_at_allowance(*marked_and_clean, allowed, weights) == pytest.approx(
        [roc.tpr_at_fpr(scores[row], truth[row], 0.02) for row in rows]
    )


def test_the_target_is_met_where_rounding_would_miss_it_by_a_clip() -> None:
    # 0.29 x 100 is 28.999999999999996, and with 99 clips 29 of 100 are 29 %.
    clean, marked = np.arange(99.0), np.full(3, 70.5)
    one = np.zeros(99, dtype=np.intp)
    tprs = bs.bootstrap_tpr_at_allowance(marked, one[:3], clean, one, np.array([28.0]), np.ones((1, 1)))
    assert tprs.tolist() == [1.0]
    assert roc.tpr_at_fpr(np.concatenate([marked, clean]), np.arange(102) < 3, 0.29) == 1.0


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.booleans())
def test_weights_that_are_no_whole_numbers_weigh_clips(seed: int, with_ties: bool) -> None:
    rng = np.random.default_rng(seed)
    groups, truth = rng.integers(0, 9, 120), np.arange(120) % 3 == 0
    scores = rng.normal(size=120) + truth
    if with_ties:
        scores = np.round(2 * scores)
    resamples = Resamples.of(groups, rng, n_resamples=10)
    of_marked, of_clean = resamples.codes[truth], resamples.codes[~truth]
    n_groups = resamples.weights.shape[1]
    wins = bs.pairwise_wins(scores[truth], of_marked, scores[~truth], of_clean, n_groups)
    aucs = bs.bootstrap_auc(wins, resamples.sums(truth), resamples.sums(~truth), resamples.weights)
    clip_weights = resamples.weights[:, resamples.codes]
    assert aucs == pytest.approx([roc_auc_score(truth, scores, sample_weight=row) for row in clip_weights], abs=1e-5)
    means = [np.average(scores, weights=row) for row in clip_weights]
    assert bs.bootstrap_mean(scores, resamples) == pytest.approx(means)


def test_resamples_follow_the_seed_and_know_the_recordings() -> None:
    names = ["b", "a", "b", "c", "a", "b"]
    resamples = Resamples.of(names, 7)
    assert (resamples.names, resamples.codes.tolist()) == (("a", "b", "c"), [1, 0, 1, 2, 0, 1])
    assert resamples.weights.shape == (2000, 3)
    assert (resamples.n_clips, resamples.n_groups) == (6, 3)
    assert resamples.weights.mean(axis=0) == pytest.approx(np.ones(3), abs=0.1)
    # The more of the clips are of a group, the more its weight varies: 1 / (1 - share)^2.
    assert resamples.weights.var(axis=0) == pytest.approx([(6 / 4) ** 2, 4.0, (6 / 5) ** 2], rel=0.25)
    assert (resamples.weights == Resamples.of(names, 7).weights).all()
    assert (resamples.weights != Resamples.of(names, 8).weights).all()
    twins = resamples.twice()
    assert twins.codes.tolist() == 2 * resamples.codes.tolist()
    part = resamples.of_clips(np.array([0, 2, 3])).compact()
    assert (part.names, part.codes.tolist(), part.weights.shape) == (("b", "c"), [0, 0, 1], (2000, 2))
    assert (part.weights == resamples.weights[:, 1:]).all()


def test_resamples_need_a_group_and_fit_their_clips() -> None:
    with pytest.raises(ValueError, match=r"'groups' and 'n_resamples' of Resamples\.of must be at least one"):
        Resamples.of([])
    with pytest.raises(ValueError, match=r"each of the 3 clips\. Got 2"):
        Resamples.of(["a", "b"]).require(3)


def test_an_interval_reckons_with_recordings_of_a_kind_not_seen() -> None:
    groups = np.repeat(np.arange(12), 10)
    resamples = Resamples.of(groups, 0)
    right = np.ones(120)
    right[0] = 0
    without = resamples.interval(bs.bootstrap_mean(right, resamples))
    reckoned = resamples.interval(bs.bootstrap_mean(right, resamples), extremes=(0, 1))
    assert without.low > 0.96
    assert 0.80 < reckoned.low < 0.90
    # Twelve recordings in which all is right are twelve coins that fell alike.
    alike = resamples.interval(bs.bootstrap_mean(np.ones(120), resamples), extremes=(0, 1))
    assert (alike.low, alike.high) == pytest.approx((wilson(12, 12).low, 1.0))
