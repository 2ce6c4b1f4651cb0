"""Measures: known answers, and NaN where there is no answer."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealproof.attacks.verification.measure import (
    delay_and_correlation,
    is_noop,
    lag_samples,
    level_change_db,
    longest_run,
    snr_db,
)

SILENCE = np.zeros((1, 64), dtype=np.float32)
ONES = np.ones((1, 64), dtype=np.float32)


def test_snr_of_known_pairs() -> None:
    before = np.concatenate([ONES, ONES, SILENCE, SILENCE, ONES])
    after = np.concatenate([1.1 * ONES, ONES, ONES, SILENCE, SILENCE]).astype(np.float32)
    snr = snr_db(before, after)
    assert snr.dtype == np.float64
    np.testing.assert_allclose(snr, [20, np.inf, np.nan, np.nan, 0], atol=1e-4)


def test_level_change_of_known_pairs_of_other_lengths() -> None:
    before = np.concatenate([ONES, ONES, SILENCE, SILENCE])
    after = np.concatenate([2 * ONES, SILENCE, ONES, SILENCE])[:, :32]
    np.testing.assert_allclose(level_change_db(before, after), [20 * np.log10(2), -np.inf, np.nan, np.nan])


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(lag=st.integers(-90, 90), samples=st.integers(400, 700), gain=st.floats(1e-6, 1e6), seed=st.integers(0, 99))
def test_lag_finds_any_shift_at_any_level(lag: int, samples: int, gain: float, seed: int) -> None:
    source = np.random.default_rng(seed).standard_normal(samples + 200)
    before = source[None, 100 : 100 + samples].astype(np.float32)
    after = (gain * source[None, 100 - lag : 100 - lag + samples]).astype(np.float32)
    assert lag_samples(before, after, 100) == [lag]
    assert lag_samples(after, before, 100) == [-lag]


def test_lag_near_the_whole_length_is_found() -> None:
    before = np.random.default_rng(0).standard_normal((1, 1000)).astype(np.float32)
    after = np.zeros_like(before)
    after[:, 900:] = before[:, :100]
    assert lag_samples(before, after, 950) == [900]


def test_a_quiet_match_beats_a_loud_mismatch() -> None:
    rng = np.random.default_rng(0)
    before = rng.standard_normal((1, 1000)).astype(np.float32)
    before[:, :100] *= 0.1
    after = (0.1 * rng.standard_normal((1, 1000))).astype(np.float32)
    after[:, 900:] = before[:, :100]
    assert lag_samples(before, after, 950) == [900]


def test_the_smallest_lag_of_a_periodic_clip_counts() -> None:
    period = np.sin(2 * np.pi * np.arange(1600) / 40)[None].astype(np.float32)
    assert lag_samples(period, period, 200) == [0]
    assert lag_samples(period, np.roll(period, 3, axis=1), 200) == [3]


def test_lag_of_silence_does_not_exist() -> None:
    lag = lag_samples(np.concatenate([SILENCE, ONES]), np.concatenate([ONES, SILENCE]), 5)
    assert np.isnan(lag).all()


def test_a_delay_needs_half_of_the_clip() -> None:
    rng = np.random.default_rng(1)
    before, after = rng.standard_normal((2, 4, 1600)).astype(np.float32)
    assert np.isnan(delay_and_correlation(before, after, 1599)[0]).all()
    assert lag_samples(before, after, 1599).any()  # a few samples always correlate
    assert delay_and_correlation(before, np.roll(before, 30, axis=1), 1599)[0].tolist() == [30] * 4


def test_a_steady_tone_does_not_tell_whether_it_is_late_by_a_period() -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)[None].repeat(20, axis=0).astype(np.float32)
    noisy = tone + np.random.default_rng(0).standard_normal(tone.shape).astype(np.float32) * np.float32(0.2)
    assert np.isnan(delay_and_correlation(tone, noisy, 1600)[0]).all()
    assert np.abs(lag_samples(tone, noisy, 1600)).max() > 30


def test_longest_runs() -> None:
    flags = np.array([[1, 1, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 1, 1]], dtype=bool)
    assert longest_run(flags).tolist() == [2, 0, 4, 3]
    assert longest_run(flags[:, :0]).tolist() == [0] * 4


def test_noop_is_bit_for_bit() -> None:
    after = np.concatenate([ONES, ONES])
    after[1, 5] = np.nextafter(np.float32(1), np.float32(2))
    assert is_noop(np.concatenate([ONES, ONES]), after).tolist() == [True, False]
    assert is_noop(SILENCE, -SILENCE).tolist() == [False]
    assert is_noop(ONES, ONES[:, :-1]).tolist() == [False]


@pytest.mark.parametrize("measure", [snr_db, lambda before, after: lag_samples(before, after, 1)])
def test_measures_by_sample_refuse_other_lengths(measure: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match=r"must have the same shape .* Got \(1, 64\) and \(1, 63\)"):
        measure(ONES, ONES[:, :-1])


@pytest.mark.parametrize("measure", [level_change_db, is_noop])
def test_all_measures_refuse_other_batches(measure: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match=r"must be \(n, samples\) and \(n, samples'\)"):
        measure(ONES, np.concatenate([ONES, ONES]))
    with pytest.raises(ValueError, match="Got"):
        measure(ONES[0], ONES[0])


@pytest.mark.parametrize("max_lag", [-1, 64])
def test_lags_beyond_the_clip_are_refused(max_lag: int) -> None:
    with pytest.raises(ValueError, match="'max_lag' must be at least 0 and below the 64 samples"):
        lag_samples(ONES, ONES, max_lag)
