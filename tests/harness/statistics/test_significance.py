"""Tests of differences: exact, and corrected for being many."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealproof.harness.statistics import significance


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 5))
def test_mcnemar_equals_the_sign_test(only_a: Any, only_b: Any, both: Any) -> None:
    from scipy.stats import binomtest

    a = np.repeat([True, False, True, False], [only_a, only_b, both, 3])
    b = np.repeat([False, True, True, False], [only_a, only_b, both, 3])
    expected = binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    assert significance.mcnemar_exact(a, b) == pytest.approx(expected, rel=1e-9)
    assert significance.mcnemar_exact(a, b) == significance.mcnemar_exact(b, a)


def test_mcnemar_of_many_clips_does_not_overflow() -> None:
    from scipy.stats import binomtest

    a = np.arange(9000) % 3 == 0
    assert significance.mcnemar_exact(a, ~a) == pytest.approx(binomtest(3000, 9000).pvalue, rel=1e-6)


@given(st.integers(0, 40), st.integers(0, 40))
def test_mcnemar_equals_statsmodels_exact_test(only_a: Any, only_b: Any) -> None:
    from statsmodels.stats.contingency_tables import mcnemar

    a = np.repeat([True, False, True], [only_a, only_b, 4])
    b = np.repeat([False, True, True], [only_a, only_b, 4])
    expected = mcnemar([[4, only_a], [only_b, 0]], exact=True).pvalue if only_a + only_b else 1.0
    assert significance.mcnemar_exact(a, b) == pytest.approx(expected, rel=1e-9)


P_VALUES = st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.01, 0.5, 1.0])), max_size=30)


@given(P_VALUES)
def test_holm_equals_statsmodels(p_values: Any) -> None:
    from statsmodels.stats.multitest import multipletests

    adjusted = significance.holm(p_values)
    expected = multipletests(p_values, method="holm")[1] if p_values else []
    assert adjusted == pytest.approx(expected, rel=1e-12, abs=1e-300)


@given(P_VALUES)
def test_holm_keeps_the_order_and_never_lowers(p_values: Any) -> None:
    raw, adjusted = np.array(p_values), significance.holm(p_values)
    assert (adjusted >= raw).all()
    assert (adjusted <= 1).all()
    order = np.argsort(raw, kind="stable")
    assert (np.diff(adjusted[order]) >= 0).all()
    # Never more than Bonferroni takes.
    assert (adjusted <= np.minimum(1, raw * raw.size)).all()


def test_what_was_not_tested_does_not_count() -> None:
    adjusted = significance.holm([0.01, math.nan, 0.04])
    assert adjusted[[0, 2]].tolist() == [0.02, 0.04]
    assert math.isnan(adjusted[1])


@pytest.mark.parametrize("p_values", [[0.1, 1.2], [-0.1], [[0.1]]])
def test_holm_takes_a_vector_of_p_values(p_values: Any) -> None:
    with pytest.raises(ValueError, match="'p_values' of holm must be a vector"):
        significance.holm(p_values)


def test_holm_keeps_the_rate_of_any_false_alarm() -> None:
    rng = np.random.default_rng(0)
    alarms = [(significance.holm(p_values) <= 0.05).any() for p_values in rng.random((4000, 20))]
    assert np.mean(alarms) == pytest.approx(0.05, abs=0.012)
