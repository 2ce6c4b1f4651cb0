"""Metrics: equal to reference implementations, obeying their laws, with intervals that cover."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sealproof.harness.statistics import detection, roc, thresholds
from sealproof.harness.statistics.estimation.bootstrap import group_weights
from sealproof.harness.statistics.estimation.intervals import wilson
from sealproof.harness.statistics.estimation.resamples import Resamples
from sealproof.harness.statistics.roc import auc_interval

WEIGHTS = group_weights(12, 400, seed=5)

Labelled = tuple[NDArray[np.float64], NDArray[np.bool_]]


@st.composite
def labelled_scores(draw: st.DrawFn, n_min: int = 2) -> Labelled:
    """Scores with ties, and labels of both classes."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    n = draw(st.integers(n_min, 60))
    truth = rng.random(n) < draw(st.sampled_from([0.1, 0.5, 0.9]))
    scores = np.round(rng.normal(draw(st.sampled_from([0, 1, 4])) * truth, 1) * 4) / 4
    truth[0], truth[-1] = True, False
    return scores, truth


@settings(max_examples=40)
@given(labelled_scores(), st.integers(-9, 9))
def test_metrics_equal_sklearns(data: Labelled, step: float) -> None:
    from sklearn.metrics import accuracy_score, balanced_accuracy_score, recall_score, roc_auc_score

    scores, truth = data
    threshold = step / 4
    decisions = scores > threshold
    assert detection.accuracy(scores, truth, threshold) == pytest.approx(accuracy_score(truth, decisions))
    assert detection.balanced_accuracy(scores, truth, threshold) == pytest.approx(
        balanced_accuracy_score(truth, decisions)
    )
    assert detection.tpr(scores, truth, threshold) == pytest.approx(recall_score(truth, decisions))
    assert detection.fpr(scores, truth, threshold) == pytest.approx(1 - recall_score(~truth, ~decisions))
    assert roc.auc(scores, truth) == pytest.approx(roc_auc_score(truth, scores))


@settings(max_examples=60)
@given(labelled_scores())
def test_eer_is_where_sklearns_roc_curve_crosses(data: Labelled) -> None:
    from scipy.interpolate import interp1d
    from scipy.optimize import brentq
    from sklearn.metrics import roc_curve

    scores, truth = data
    false_alarms, hits, _ = roc_curve(truth, scores)
    crossing = brentq(lambda rate: 1 - rate - interp1d(false_alarms, hits)(rate), 0, 1)
    assert roc.eer(scores, truth) == pytest.approx(crossing, abs=1e-9)


@settings(max_examples=60)
@given(labelled_scores(), st.sampled_from([0.01, 0.1, 0.3, 1.0]))
def test_tpr_at_fpr_is_the_last_point_of_sklearns_roc_curve_within_the_target(data: Labelled, target: float) -> None:
    from sklearn.metrics import roc_curve

    scores, truth = data
    false_alarms, hits, thresholds = roc_curve(truth, scores, drop_intermediate=False)
    # Ours is a clean clip's score: flagging all clips of it and above is sklearn's next threshold.
    # A new clip counts in.
    n_clean = int(np.count_nonzero(~truth))
    with_new = (np.round(false_alarms * n_clean) + 1) / (n_clean + 1)
    allowed = (with_new <= target + 1e-12) & (thresholds > scores[~truth].min())
    expected = hits[allowed].max() if allowed.any() else math.nan
    assert roc.tpr_at_fpr(scores, truth, target) == pytest.approx(expected, nan_ok=True)


@settings(max_examples=60)
@given(labelled_scores())
def test_no_cut_is_more_accurate_than_the_best_threshold(data: Labelled) -> None:
    scores, truth = data
    best = thresholds.best_threshold(scores, truth)
    cuts = np.concatenate([[-math.inf], scores])
    accuracies = np.array([detection.accuracy(scores, truth, cut) for cut in cuts])
    assert detection.accuracy(scores, truth, best) == accuracies.max()
    # Of several it is the highest, and a number.
    assert math.isfinite(best)
    assert best >= cuts[accuracies == accuracies.max()].max()


def test_the_best_threshold_may_flag_every_clip_and_none() -> None:
    assert thresholds.decide([0.2, 0.4], thresholds.best_threshold([0.2, 0.4], [True, True])).all()
    assert not thresholds.decide([0.2, 0.4], thresholds.best_threshold([0.2, 0.4], [False, False])).any()
    assert thresholds.best_threshold([-math.inf, math.inf], [True, True]) == -math.inf
    with pytest.raises(ValueError, match="at least one score"):
        thresholds.best_threshold([], [])
    with pytest.raises(ValueError, match=r"must be equally long\. Got 2 and 1"):
        thresholds.best_threshold([0.1, 0.2], [True])


def test_eer_of_known_scores() -> None:
    truth = np.repeat([False, True], 4)
    assert roc.eer([0, 1, 2, 3, 4, 5, 6, 7], truth) == 0.0
    assert roc.eer([4, 5, 6, 7, 0, 1, 2, 3], truth) == 1.0
    assert roc.eer([0, 1, 2, 4, 3, 5, 6, 7], truth) == 0.25
    assert roc.eer(np.ones(8), truth) == 0.5


@settings(max_examples=60)
@given(labelled_scores())
def test_eer_and_tpr_at_fpr_depend_on_the_order_alone(data: Labelled) -> None:
    scores, truth = data
    turned = np.exp(scores) * 3 - 7
    assert roc.eer(turned, truth) == roc.eer(scores, truth)
    assert roc.tpr_at_fpr(turned, truth, 0.3) == pytest.approx(roc.tpr_at_fpr(scores, truth, 0.3), nan_ok=True)
    assert roc.eer(-scores, ~truth) == pytest.approx(roc.eer(scores, truth))
    assert roc.eer(-scores, truth) == pytest.approx(1 - roc.eer(scores, truth))


def test_a_score_equal_to_the_threshold_is_clean() -> None:
    assert thresholds.decide([0.4, 0.5, 0.6], 0.5).tolist() == [False, False, True]


@given(labelled_scores())
def test_auc_depends_on_the_order_alone(data: Labelled) -> None:
    scores, truth = data
    value = roc.auc(scores, truth)
    assert roc.auc(np.exp(scores) * 3 - 7, truth) == value
    assert roc.auc(scores, ~truth) == pytest.approx(1 - value)
    assert roc.auc(-scores, truth) == pytest.approx(1 - value)


def test_auc_accepts_infinite_scores() -> None:
    assert roc.auc([math.inf, -math.inf, 0.0], [True, False, True]) == 1.0


def test_metrics_of_a_missing_class_are_not_defined() -> None:
    scores, clean = [0.1, 0.9], [False, False]
    assert math.isnan(detection.tpr(scores, clean, 0.5))
    assert detection.fpr(scores, clean, 0.5) == 0.5
    assert math.isnan(detection.balanced_accuracy(scores, clean, 0.5))
    assert math.isnan(roc.auc(scores, clean))
    assert math.isnan(roc.eer(scores, clean))
    assert math.isnan(roc.tpr_at_fpr(scores, clean, 0.01))
    assert math.isnan(detection.accuracy([], [], 0.5))
    for estimate in (
        detection.estimate_tpr(scores, clean, 0.5, Resamples(np.array([0, 1]), WEIGHTS)),
        detection.estimate_balanced_accuracy(scores, clean, 0.5, Resamples(np.array([0, 1]), WEIGHTS)),
        roc.estimate_auc(scores, clean, Resamples(np.array([0, 1]), WEIGHTS)),
        roc.estimate_eer(scores, clean, Resamples(np.array([0, 1]), WEIGHTS)),
        roc.estimate_tpr_at_fpr(scores, clean, 0.01, Resamples(np.array([0, 1]), WEIGHTS)),
    ):
        assert np.isnan([estimate.value, estimate.ci_low, estimate.ci_high]).all()


def test_arguments_must_fit_each_other() -> None:
    with pytest.raises(ValueError, match=r"must be equally long\. Got 2 and 1"):
        detection.accuracy([0.1, 0.2], [True], 0.5)
    with pytest.raises(ValueError, match=r"must be equally long\. Got 2 and 1"):
        roc.auc([0.1, 0.2], [True])
    with pytest.raises(ValueError, match="'is_watermarked' must be a vector of booleans"):
        detection.accuracy([0.1, 0.2], [1, 0], 0.5)
    with pytest.raises(ValueError, match="'threshold' must be a number"):
        detection.accuracy([0.1], [True], math.nan)
    with pytest.raises(ValueError, match="'scores' must not hold NaN"):
        roc.auc([math.nan, 0.2], [True, False])


# --- thresholds -------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(-20, 20), max_size=120), st.sampled_from([0.01, 0.05, 0.07, 0.29, 0.5, 1.0]))
def test_a_threshold_leaves_room_for_the_new_clip_and_no_lower_one_does(scores: Any, target: float) -> None:
    clean = np.array(scores, float) / 8
    threshold = thresholds.threshold_at_fpr(clean, target)
    # The share that a new clip makes one larger: those above, and itself, of all and itself.
    shares = {value: (np.sum(clean > value) + 1) / (clean.size + 1) for value in clean}
    good = [value for value, share in shares.items() if share <= target + 1e-12]
    assert threshold == (min(good) if good else None)


@pytest.mark.parametrize(("n", "target"), [(99, 0.01), (120, 0.01), (540, 0.01), (30, 0.1), (999, 0.001)])
def test_new_clean_clips_exceed_the_threshold_at_the_target_rate_on_average(n: int, target: float) -> None:
    rng = np.random.default_rng(n)
    # Of uniform scores 1 - threshold is the true rate of false positives.
    found = [thresholds.threshold_at_fpr(rng.random(n), target) for _ in range(4000)]
    rates = [1 - each for each in found if each is not None]
    assert len(rates) == len(found)
    assert np.mean(rates) == pytest.approx(np.floor(target * (n + 1) + 1e-9) / (n + 1), rel=0.07)
    assert np.mean(rates) <= target * 1.07


@pytest.mark.parametrize(("n", "target"), [(0, 0.01), (98, 0.01), (998, 0.001), (8, 0.1)])
def test_with_too_few_clips_there_is_no_threshold_rather_than_a_made_up_one(n: int, target: float) -> None:
    assert thresholds.threshold_at_fpr(np.arange(float(n)), target) is None
    assert math.isnan(roc.tpr_at_fpr(np.arange(n + 5.0), np.arange(n + 5) >= n, target))


def test_ties_at_the_threshold_are_all_clean() -> None:
    assert thresholds.threshold_at_fpr([0.0] * 90 + [0.5] * 10, 0.05) == 0.5
    assert thresholds.threshold_at_fpr([0.0] * 100, 0.05) == 0.0
    assert thresholds.threshold_at_fpr(np.arange(100.0), 0.01) == 99.0
    assert thresholds.threshold_at_fpr(np.arange(199.0), 0.01) == 197.0


def test_threshold_needs_a_share() -> None:
    for target in (0, 5):
        with pytest.raises(ValueError, match="must be a share"):
            thresholds.threshold_at_fpr([0.1], target)


@pytest.mark.parametrize(
    ("n", "target", "enough"), [(98, 0.01, False), (99, 0.01, True), (998, 0.001, False), (999, 0.001, True)]
)
def test_fpr_support_is_one_less_than_one_over_the_target(n: int, target: float, enough: bool) -> None:
    assert thresholds.fpr_support(n, target) is enough


@given(st.integers(2, 5000))
def test_fpr_support_does_not_trip_over_rounding(n: int) -> None:
    assert thresholds.fpr_support(n - 1, 1 / n)
    assert not thresholds.fpr_support(n - 2, 1 / n)


def test_fpr_support_refuses_no_target_and_no_count() -> None:
    with pytest.raises(ValueError, match="must be a share above 0"):
        thresholds.fpr_support(100, 0)
    with pytest.raises(ValueError, match="must be at least 0"):
        thresholds.fpr_support(-1, 0.1)


# --- estimates --------------------------------------------------------------------------------------------------------


def every_estimate(scores: Any, truth: Any, threshold: float, resamples: Any) -> Any:
    """Pair each estimate with the plain metric."""
    return {
        "accuracy": (
            detection.estimate_accuracy(scores, truth, threshold, resamples),
            detection.accuracy(scores, truth, threshold),
        ),
        "tpr": (
            detection.estimate_tpr(scores, truth, threshold, resamples),
            detection.tpr(scores, truth, threshold),
        ),
        "fpr": (
            detection.estimate_fpr(scores, truth, threshold, resamples),
            detection.fpr(scores, truth, threshold),
        ),
        "balanced_accuracy": (
            detection.estimate_balanced_accuracy(scores, truth, threshold, resamples),
            detection.balanced_accuracy(scores, truth, threshold),
        ),
        "auc": (roc.estimate_auc(scores, truth, resamples), roc.auc(scores, truth)),
        "eer": (roc.estimate_eer(scores, truth, resamples), roc.eer(scores, truth)),
        "tpr_at_fpr": (
            roc.estimate_tpr_at_fpr(scores, truth, 0.1, resamples),
            roc.tpr_at_fpr(scores, truth, 0.1),
        ),
    }


@settings(max_examples=40)
@given(labelled_scores(n_min=8), st.integers(0, 10**6))
def test_estimates_carry_the_metric_inside_their_interval(data: Labelled, seed: int) -> None:
    scores, truth = data
    groups = np.random.default_rng(seed).permutation(np.arange(scores.size) % 12)
    for name, (estimate, value) in every_estimate(scores, truth, 0.0, Resamples(groups, WEIGHTS)).items():
        assert estimate.value == pytest.approx(value, nan_ok=True), name
        assert math.isnan(estimate.ci_low) or estimate.ci_low <= estimate.value <= estimate.ci_high, name
        assert math.isnan(estimate.ci_low) or 0 <= estimate.ci_low <= estimate.ci_high <= 1, name


def test_rates_count_the_clips_they_are_about() -> None:
    scores, truth = np.array([1.0, 1.0, 0.0, 0.0, 1.0]), np.array([True, True, False, False, False])
    groups = np.array([0, 1, 2, 3, 3])
    tpr = detection.estimate_tpr(scores, truth, 0.5, Resamples(groups, WEIGHTS))
    fpr = detection.estimate_fpr(scores, truth, 0.5, Resamples(groups, WEIGHTS))
    assert (tpr.value, tpr.n_clips, tpr.n_groups) == (1.0, 2, 2)
    assert (fpr.value, fpr.n_clips, fpr.n_groups) == (pytest.approx(1 / 3), 3, 2)


def test_a_perfect_detector_is_not_certain() -> None:
    truth = np.arange(96) % 2 == 0
    groups = np.arange(96) // 8
    for name, (estimate, _) in every_estimate(truth * 1.0, truth, 0.5, Resamples(groups, WEIGHTS)).items():
        assert estimate.ci_high - estimate.ci_low > 0.01, name


def test_balanced_accuracy_joins_the_wilson_intervals_of_both_rates_where_recordings_are_alike() -> None:
    truth = np.arange(96) % 2 == 0
    # Each recording errs once on either side: the bootstrap has no width, and no recordings not seen.
    scores = np.where(np.arange(96) % 8 < 2, ~truth, truth) * 1.0
    estimate = detection.estimate_balanced_accuracy(scores, truth, 0.5, Resamples(np.arange(96) // 8, WEIGHTS))
    rate = wilson(36, 48)
    assert estimate.value == 0.75
    # Twelve recordings that are alike are twelve coins.
    assert estimate.ci_low == pytest.approx(0.75 * (1 - (1 - wilson(12, 12).low)))
    assert estimate.ci_low < 0.75 - (0.75 - rate.low) / math.sqrt(2)


@pytest.mark.parametrize(("value", "m", "n"), [(0.5, 20, 20), (0.8, 30, 12), (0.97, 100, 100), (1.0, 24, 24)])
def test_auc_interval_solves_its_polynomial(value: float, m: int, n: int) -> None:
    # The score equation times (2 - a)(1 + a), as a polynomial in the AUC a, solved by numpy instead of bisection.
    a = np.polynomial.Polynomial([0, 1])
    mean, z2 = (m + n) / 2 - 1, 1.959963985**2
    spread = (2 - a) * (1 + a) + mean * ((1 - a) * (1 + a) + a * (2 - a))
    roots = ((value - a) ** 2 * (2 - a) * (1 + a) * m * n - z2 * a * (1 - a) * spread).roots()
    real = np.sort(roots[abs(roots.imag) < 1e-9].real)
    real = real[(real >= -1e-9) & (real <= 1 + 1e-9)]
    interval = auc_interval(value, m, n)
    assert (interval.low, interval.high) == pytest.approx((real[0], real[-1]), abs=1e-6)
