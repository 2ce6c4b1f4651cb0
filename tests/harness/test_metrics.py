"""Metrics: equal to reference implementations, obeying their laws, with intervals that cover."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealproof.harness import intervals as iv
from sealproof.harness import metrics

WEIGHTS = iv.group_weights(12, 400, seed=5)


@st.composite
def labelled_scores(draw, n_min=2):
    """Scores with ties, and labels of both classes."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    n = draw(st.integers(n_min, 60))
    truth = rng.random(n) < draw(st.sampled_from([0.1, 0.5, 0.9]))
    scores = np.round(rng.normal(draw(st.sampled_from([0, 1, 4])) * truth, 1) * 4) / 4
    truth[0], truth[-1] = True, False
    return scores, truth


@settings(max_examples=40)
@given(labelled_scores(), st.integers(-9, 9))
def test_metrics_equal_sklearns(data, step):
    from sklearn.metrics import accuracy_score, balanced_accuracy_score, recall_score, roc_auc_score

    scores, truth = data
    threshold = step / 4
    decisions = scores > threshold
    assert metrics.accuracy(scores, truth, threshold) == pytest.approx(accuracy_score(truth, decisions))
    assert metrics.balanced_accuracy(scores, truth, threshold) == pytest.approx(
        balanced_accuracy_score(truth, decisions)
    )
    assert metrics.tpr(scores, truth, threshold) == pytest.approx(recall_score(truth, decisions))
    assert metrics.fpr(scores, truth, threshold) == pytest.approx(1 - recall_score(~truth, ~decisions))
    assert metrics.auc(scores, truth) == pytest.approx(roc_auc_score(truth, scores))


def test_a_score_equal_to_the_threshold_is_clean():
    assert metrics.decide([0.4, 0.5, 0.6], 0.5).tolist() == [False, False, True]


@given(labelled_scores())
def test_auc_depends_on_the_order_alone(data):
    scores, truth = data
    value = metrics.auc(scores, truth)
    assert metrics.auc(np.exp(scores) * 3 - 7, truth) == value
    assert metrics.auc(scores, ~truth) == pytest.approx(1 - value)
    assert metrics.auc(-scores, truth) == pytest.approx(1 - value)


def test_auc_accepts_infinite_scores():
    assert metrics.auc([math.inf, -math.inf, 0.0], [True, False, True]) == 1.0


def test_metrics_of_a_missing_class_are_not_defined():
    scores, clean = [0.1, 0.9], [False, False]
    assert math.isnan(metrics.tpr(scores, clean, 0.5))
    assert metrics.fpr(scores, clean, 0.5) == 0.5
    assert math.isnan(metrics.balanced_accuracy(scores, clean, 0.5))
    assert math.isnan(metrics.auc(scores, clean))
    assert math.isnan(metrics.accuracy([], [], 0.5))
    for estimate in (
        metrics.estimate_tpr(scores, clean, 0.5, [0, 1], WEIGHTS),
        metrics.estimate_balanced_accuracy(scores, clean, 0.5, [0, 1], WEIGHTS),
        metrics.estimate_auc(scores, clean, [0, 1], WEIGHTS),
    ):
        assert np.isnan([estimate.value, estimate.ci_low, estimate.ci_high]).all()


def test_arguments_must_fit_each_other():
    with pytest.raises(ValueError, match=r"must be equally long\. Got 2 and 1"):
        metrics.accuracy([0.1, 0.2], [True], 0.5)
    with pytest.raises(ValueError, match=r"must be equally long\. Got 2 and 1"):
        metrics.auc([0.1, 0.2], [True])
    with pytest.raises(ValueError, match="'is_watermarked' must be a vector of booleans"):
        metrics.accuracy([0.1, 0.2], [1, 0], 0.5)
    with pytest.raises(ValueError, match="'threshold' must be a number"):
        metrics.accuracy([0.1], [True], math.nan)
    with pytest.raises(ValueError, match="'scores' must not hold NaN"):
        metrics.auc([math.nan, 0.2], [True, False])


# --- thresholds -------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.integers(-20, 20), min_size=1, max_size=120), st.sampled_from([0.0, 0.01, 0.05, 0.07, 0.29, 0.5, 1.0])
)
def test_threshold_keeps_the_rate_and_no_lower_one_does(scores, target):
    clean = np.array(scores, float) / 8
    negatives = np.zeros(clean.size, bool)
    threshold = metrics.threshold_at_fpr(clean, target)
    assert threshold in clean
    assert metrics.fpr(clean, negatives, threshold) <= target
    lower = clean[clean < threshold]
    if lower.size:
        assert metrics.fpr(clean, negatives, lower.max()) > target


def test_ties_at_the_threshold_are_all_clean():
    assert metrics.threshold_at_fpr([0.0] * 90 + [0.5] * 10, 0.05) == 0.5
    assert metrics.threshold_at_fpr([0.0] * 100, 0.05) == 0.0
    assert metrics.threshold_at_fpr(np.arange(100.0), 0.01) == 98.0


def test_threshold_needs_scores_and_a_share():
    with pytest.raises(ValueError, match="at least one score"):
        metrics.threshold_at_fpr([], 0.01)
    with pytest.raises(ValueError, match="must be a share"):
        metrics.threshold_at_fpr([0.1], 5)


@pytest.mark.parametrize(
    ("n", "target", "enough"), [(99, 0.01, False), (100, 0.01, True), (999, 0.001, False), (1000, 0.001, True)]
)
def test_fpr_support_is_one_over_the_target(n, target, enough):
    assert metrics.fpr_support(n, target) is enough


@given(st.integers(1, 5000))
def test_fpr_support_does_not_trip_over_rounding(n):
    assert metrics.fpr_support(n, 1 / n)
    assert not metrics.fpr_support(n - 1, 1 / n)


def test_fpr_support_refuses_no_target_and_no_count():
    with pytest.raises(ValueError, match="must lie above 0"):
        metrics.fpr_support(100, 0)
    with pytest.raises(ValueError, match="must be at least 0"):
        metrics.fpr_support(-1, 0.1)


# --- bits -------------------------------------------------------------------------------------------------------------


@given(st.integers(1, 20), st.integers(1, 16), st.integers(0, 10**6))
def test_bit_accuracy_of_the_complement_is_the_rest(n, k, seed):
    rng = np.random.default_rng(seed)
    decoded, sent = rng.integers(0, 2, (n, k)), rng.integers(0, 2, (n, k))
    value = metrics.bit_accuracy(decoded, sent)
    assert value == pytest.approx((decoded == sent).mean())
    assert metrics.bit_accuracy(1 - decoded, sent) == pytest.approx(1 - value)
    assert metrics.bit_accuracy(decoded.astype(bool), sent) == value
    assert metrics.bit_accuracy(sent, sent) == 1.0


def test_bit_accuracy_per_clip():
    sent = np.zeros((2, 4), int)
    assert metrics.bit_accuracy_per_clip([[0, 0, 0, 1], [1, 1, 1, 1]], sent).tolist() == [0.75, 0.0]
    assert math.isnan(metrics.bit_accuracy(np.zeros((0, 4), bool), np.zeros((0, 4), bool)))


def test_bits_are_zeros_and_ones_of_one_shape():
    with pytest.raises(ValueError, match="'decoded' must hold zeros and ones"):
        metrics.bit_accuracy([[0.3, 0.8]], [[0, 1]])
    with pytest.raises(ValueError, match="must have one shape"):
        metrics.bit_accuracy([[0, 1]], [[0, 1, 1]])
    with pytest.raises(ValueError, match="at least one bit"):
        metrics.bit_accuracy([0, 1], [0, 1])


def test_bits_of_a_clip_are_no_independent_trials():
    rng = np.random.default_rng(0)
    sent = rng.random((240, 16)) < 0.5
    failed = rng.random(240) < 0.3
    decoded = np.where(failed[:, None], rng.random((240, 16)) < 0.5, sent)
    estimate = metrics.estimate_bit_accuracy(decoded, sent, np.arange(240) % 12, WEIGHTS)
    n_right = int((decoded == sent).sum())
    assert estimate.ci_high - estimate.ci_low > 1.5 * iv.wilson(n_right, sent.size).width
    assert (estimate.n_clips, estimate.n_groups) == (240, 12)
    perfect = metrics.estimate_bit_accuracy(sent, sent, np.arange(240) % 12, WEIGHTS)
    assert (perfect.value, perfect.ci_low) == (1.0, iv.wilson(sent.size, sent.size).low)


# --- SNR --------------------------------------------------------------------------------------------------------------


def test_snr_of_scaled_noise_is_what_it_was_scaled_to():
    rng = np.random.default_rng(0)
    clean, noise = rng.normal(0, 0.1, (3, 4000)), rng.normal(0, 0.1, (3, 4000))
    noise *= np.sqrt((clean**2).sum(axis=1) / (noise**2).sum(axis=1))[:, None]
    wanted = np.array([-10.0, 0.0, 30.0])
    assert metrics.snr_db(clean, clean + noise * 10 ** (-wanted[:, None] / 20)) == pytest.approx(wanted, abs=1e-6)


def test_snr_keeps_the_mean():
    # An offset of .1 on a signal of rms .1 is noise as strong as the signal; zero-mean variants would call it perfect.
    clean = np.tile(np.array([0.1, -0.1], np.float32), 500)[None]
    assert metrics.snr_db(clean, clean + np.float32(0.1)) == pytest.approx([0.0], abs=1e-5)


def test_snr_at_its_limits():
    clean = np.array([[0.5, -0.5], [0.0, 0.0], [0.0, 0.0]])
    snrs = metrics.snr_db(clean, np.array([[0.5, -0.5], [0.1, 0.0], [0.0, 0.0]]))
    assert snrs[0] == math.inf
    assert np.isnan(snrs[1:]).all()


def test_snr_needs_equal_shapes_and_finite_samples():
    with pytest.raises(ValueError, match="equally long"):
        metrics.snr_db(np.ones((1, 4)), np.ones((1, 5)))
    with pytest.raises(ValueError, match="must be finite"):
        metrics.snr_db(np.ones((1, 2)), np.array([[1.0, math.nan]]))


def test_snr_over_clips_is_the_median_of_those_defined():
    snrs = np.array([10.0, 20.0, math.inf, math.nan, 30.0, 15.0])
    estimate = metrics.estimate_snr_db(snrs, np.arange(6), WEIGHTS)
    assert (estimate.value, estimate.n_clips, estimate.n_groups) == (20.0, 5, 5)
    assert estimate.ci_low <= 20.0 <= estimate.ci_high


# --- estimates --------------------------------------------------------------------------------------------------------


def every_estimate(scores, truth, threshold, groups, weights):
    """Pair each estimate with the plain metric."""
    return {
        "accuracy": (
            metrics.estimate_accuracy(scores, truth, threshold, groups, weights),
            metrics.accuracy(scores, truth, threshold),
        ),
        "tpr": (metrics.estimate_tpr(scores, truth, threshold, groups, weights), metrics.tpr(scores, truth, threshold)),
        "fpr": (metrics.estimate_fpr(scores, truth, threshold, groups, weights), metrics.fpr(scores, truth, threshold)),
        "balanced_accuracy": (
            metrics.estimate_balanced_accuracy(scores, truth, threshold, groups, weights),
            metrics.balanced_accuracy(scores, truth, threshold),
        ),
        "auc": (metrics.estimate_auc(scores, truth, groups, weights), metrics.auc(scores, truth)),
    }


@settings(max_examples=40)
@given(labelled_scores(n_min=8), st.integers(0, 10**6))
def test_estimates_carry_the_metric_inside_their_interval(data, seed):
    scores, truth = data
    groups = np.random.default_rng(seed).permutation(np.arange(scores.size) % 12)
    for name, (estimate, value) in every_estimate(scores, truth, 0.0, groups, WEIGHTS).items():
        assert estimate.value == pytest.approx(value), name
        assert math.isnan(estimate.ci_low) or estimate.ci_low <= estimate.value <= estimate.ci_high, name
        assert math.isnan(estimate.ci_low) or 0 <= estimate.ci_low <= estimate.ci_high <= 1, name


def test_rates_count_the_clips_they_are_about():
    scores, truth = np.array([1.0, 1.0, 0.0, 0.0, 1.0]), np.array([True, True, False, False, False])
    groups = np.array([0, 1, 2, 3, 3])
    tpr = metrics.estimate_tpr(scores, truth, 0.5, groups, WEIGHTS)
    fpr = metrics.estimate_fpr(scores, truth, 0.5, groups, WEIGHTS)
    assert (tpr.value, tpr.n_clips, tpr.n_groups) == (1.0, 2, 2)
    assert (fpr.value, fpr.n_clips, fpr.n_groups) == (pytest.approx(1 / 3), 3, 2)


def test_a_perfect_detector_is_not_certain():
    truth = np.arange(96) % 2 == 0
    groups = np.arange(96) // 8
    for name, (estimate, _) in every_estimate(truth * 1.0, truth, 0.5, groups, WEIGHTS).items():
        assert estimate.ci_high - estimate.ci_low > 0.01, name


def test_balanced_accuracy_joins_the_wilson_intervals_of_both_rates():
    truth = np.arange(96) % 2 == 0
    estimate = metrics.estimate_balanced_accuracy(truth * 1.0, truth, 0.5, np.arange(96) // 8, WEIGHTS)
    missed = 1 - iv.wilson(48, 48).low
    assert estimate.ci_low == pytest.approx(1 - missed / math.sqrt(2))
    assert estimate.ci_high == 1.0


@pytest.mark.parametrize(("value", "m", "n"), [(0.5, 20, 20), (0.8, 30, 12), (0.97, 100, 100), (1.0, 24, 24)])
def test_auc_interval_solves_its_polynomial(value, m, n):
    # The score equation times (2 - a)(1 + a), as a polynomial in the AUC a, solved by numpy instead of bisection.
    a = np.polynomial.Polynomial([0, 1])
    mean, z2 = (m + n) / 2 - 1, 1.959963985**2
    spread = (2 - a) * (1 + a) + mean * ((1 - a) * (1 + a) + a * (2 - a))
    roots = ((value - a) ** 2 * (2 - a) * (1 + a) * m * n - z2 * a * (1 - a) * spread).roots()
    real = np.sort(roots[abs(roots.imag) < 1e-9].real)
    real = real[(real >= -1e-9) & (real <= 1 + 1e-9)]
    interval = metrics.auc_interval(value, m, n)
    assert (interval.low, interval.high) == pytest.approx((real[0], real[-1]), abs=1e-6)


@pytest.mark.parametrize("likeness", [0.0, 0.5])
def test_auc_and_balanced_accuracy_intervals_cover(likeness):
    from scipy.stats import norm

    rng = np.random.default_rng(11)
    n_groups, shift = 40, 1.5
    truth = np.tile([True, False], n_groups * 5)
    groups = np.repeat(np.arange(n_groups), 10)
    weights = iv.group_weights(n_groups, 500, seed=rng)
    auc_truth, accuracy_truth = norm.cdf(shift / math.sqrt(2)), norm.cdf(shift / 2)
    covered = []
    for _ in range(400):
        # Twins and clips of a recording move together, by a part that differs for watermarked and clean ones.
        shared = rng.normal(0, math.sqrt(likeness), (2, n_groups))[truth.astype(int), groups]
        scores = shift * truth + shared + rng.normal(0, math.sqrt(1 - likeness), truth.size)
        auc = metrics.estimate_auc(scores, truth, groups, weights)
        balanced = metrics.estimate_balanced_accuracy(scores, truth, shift / 2, groups, weights)
        covered.append([auc.ci_low <= auc_truth <= auc.ci_high, balanced.ci_low <= accuracy_truth <= balanced.ci_high])
    for share in np.mean(covered, axis=0):
        assert 0.90 <= share <= 0.99
