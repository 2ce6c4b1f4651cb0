"""Messages: bits right, messages right, and the odds of that by luck."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealproof.harness.statistics import message
from sealproof.harness.statistics.estimation.bootstrap import group_weights
from sealproof.harness.statistics.estimation.intervals import wilson
from sealproof.harness.statistics.estimation.resamples import Resamples

WEIGHTS = group_weights(12, 400, seed=5)


@given(st.integers(1, 20), st.integers(1, 16), st.integers(0, 10**6))
def test_bit_accuracy_of_the_complement_is_the_rest(n: Any, k: Any, seed: Any) -> None:
    rng = np.random.default_rng(seed)
    decoded, sent = rng.integers(0, 2, (n, k)), rng.integers(0, 2, (n, k))
    value = message.bit_accuracy(decoded, sent)
    assert value == pytest.approx((decoded == sent).mean())
    assert message.bit_accuracy(1 - decoded, sent) == pytest.approx(1 - value)
    assert message.bit_accuracy(decoded.astype(bool), sent) == value
    assert message.bit_accuracy(sent, sent) == 1.0


def test_bit_accuracy_per_clip() -> None:
    sent = np.zeros((2, 4), int)
    assert message.bit_accuracy_per_clip([[0, 0, 0, 1], [1, 1, 1, 1]], sent).tolist() == [0.75, 0.0]
    assert math.isnan(message.bit_accuracy(np.zeros((0, 4), bool), np.zeros((0, 4), bool)))


def test_bits_are_zeros_and_ones_of_one_shape() -> None:
    with pytest.raises(ValueError, match="'decoded' must hold zeros and ones"):
        message.bit_accuracy([[0.3, 0.8]], [[0, 1]])
    with pytest.raises(ValueError, match="must have one shape"):
        message.bit_accuracy([[0, 1]], [[0, 1, 1]])
    with pytest.raises(ValueError, match="at least one bit"):
        message.bit_accuracy([0, 1], [0, 1])


def test_bits_of_a_clip_are_no_independent_trials() -> None:
    rng = np.random.default_rng(0)
    sent = rng.random((240, 16)) < 0.5
    failed = rng.random(240) < 0.3
    decoded = np.where(failed[:, None], rng.random((240, 16)) < 0.5, sent)
    estimate = message.estimate_bit_accuracy(decoded, sent, Resamples(np.arange(240) % 12, WEIGHTS))
    n_right = int((decoded == sent).sum())
    assert estimate.ci_high - estimate.ci_low > 1.5 * wilson(n_right, sent.size).width
    assert (estimate.n_clips, estimate.n_groups) == (240, 12)
    perfect = message.estimate_bit_accuracy(sent, sent, Resamples(np.arange(240) % 12, WEIGHTS))
    # Twelve recordings in which all is right; in one of the worst kind half of the bits would be.
    assert (perfect.value, perfect.ci_low) == (1.0, pytest.approx(1 - 0.5 * (1 - wilson(12, 12).low)))


@given(st.integers(1, 70), st.integers(0, 10**6))
def test_p_values_equal_scipys_binomial_test(n_bits: Any, seed: Any) -> None:
    from scipy.stats import binomtest

    rng = np.random.default_rng(seed)
    sent = rng.integers(0, 2, (5, n_bits))
    decoded = np.where(rng.random(sent.shape) < 0.3, 1 - sent, sent)
    expected = [binomtest(int(row.sum()), n_bits, alternative="greater").pvalue for row in decoded == sent]
    assert message.p_value_per_clip(decoded, sent) == pytest.approx(expected, rel=1e-9)
    assert message.p_value(decoded, sent) == pytest.approx(np.median(expected), rel=1e-9)


def test_p_values_at_their_ends() -> None:
    ones = np.ones((1, 16), int)
    assert message.p_value_per_clip(ones, ones).tolist() == [2.0**-16]
    assert message.p_value_per_clip(1 - ones, ones).tolist() == [1.0]
    assert math.isnan(message.p_value(np.zeros((0, 4), bool), np.zeros((0, 4), bool)))


def test_p_values_of_random_messages_are_valid() -> None:
    rng = np.random.default_rng(0)
    decoded, sent = rng.integers(0, 2, (2, 20_000, 16))
    p_values = message.p_value_per_clip(decoded, sent)
    for alpha in (0.01, 0.1, 0.5):
        assert (p_values <= alpha).mean() <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / 20_000)


@given(st.integers(1, 20), st.integers(1, 6), st.integers(0, 10**6))
def test_exact_match_counts_the_clips_without_a_wrong_bit(n: Any, k: Any, seed: Any) -> None:
    rng = np.random.default_rng(seed)
    decoded, sent = rng.integers(0, 2, (2, n, k))
    matches = [row == other for row, other in zip(decoded.tolist(), sent.tolist(), strict=True)]
    assert message.exact_match(decoded, sent) == pytest.approx(np.mean(matches))
    assert message.exact_match(decoded, sent) <= message.bit_accuracy(decoded, sent)
    estimate = message.estimate_exact_match(decoded, sent, Resamples(np.arange(n) % 12, WEIGHTS))
    assert estimate.value == pytest.approx(np.mean(matches))


def test_estimate_of_the_p_value_is_about_the_median_clip() -> None:
    rng = np.random.default_rng(1)
    sent = rng.integers(0, 2, (240, 16))
    decoded = np.where(rng.random(sent.shape) < 0.1, 1 - sent, sent)
    estimate = message.estimate_p_value(decoded, sent, Resamples(np.arange(240) % 12, WEIGHTS))
    assert estimate.value == message.p_value(decoded, sent)
    assert estimate.ci_low <= estimate.value <= estimate.ci_high
    assert (estimate.n_clips, estimate.n_groups) == (240, 12)
