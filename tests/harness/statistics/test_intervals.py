"""Intervals: golden values, and what they are made for."""

import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealproof.harness.statistics.estimation import intervals as iv


def test_importing_needs_numpy_only() -> None:
    heavy = (
        "import sys, sealproof.harness.statistics.detection, sealproof.harness.statistics.agreement; "
        "print('scipy' in sys.modules)"
    )
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
def test_wilson_equals_published_values(successes: int, n: int, low: float, high: float) -> None:
    interval = iv.wilson(successes, n)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=6e-5)


@given(st.integers(1, 3000), st.data(), st.sampled_from([0.8, 0.95, 0.999]))
def test_wilson_equals_scipy_and_contains_the_rate(n: Any, data: st.DataObject, confidence: Any) -> None:
    from scipy.stats import binomtest

    successes = data.draw(st.integers(0, n))
    theirs = binomtest(successes, n).proportion_ci(confidence, method="wilson")
    ours = iv.wilson(successes, n, confidence)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert 0 <= ours.low <= successes / n <= ours.high <= 1


def test_wilson_of_nothing_is_unknown() -> None:
    assert not iv.wilson(0, 0).known


@pytest.mark.parametrize(("successes", "n"), [(-1, 3), (4, 3), (0, -1)])
def test_wilson_refuses_impossible_counts(successes: int, n: int) -> None:
    with pytest.raises(ValueError, match="'successes' of wilson must lie in"):
        iv.wilson(successes, n)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95])
def test_confidence_is_a_share(confidence: float) -> None:
    with pytest.raises(ValueError, match="'confidence' must lie between 0 and 1"):
        iv.wilson(1, 2, confidence)
    with pytest.raises(ValueError, match="'confidence' must lie between 0 and 1"):
        iv.percentile_interval(np.arange(9.0), 3, confidence)


@given(st.integers(1, 300), st.integers(1, 300), st.data())
def test_interval_of_a_mean_of_rates_mirrors_newcombes_for_a_difference(
    n_first: Any, n_second: Any, data: st.DataObject
) -> None:
    from statsmodels.stats.proportion import confint_proportions_2indep

    first, second = data.draw(st.integers(0, n_first)), data.draw(st.integers(0, n_second))
    ours = iv.mean_of_rates(first, n_first, second, n_second)
    # The mean of p and q is half the difference of p and 1 - q, and half of 1.
    low, high = confint_proportions_2indep(
        first, n_first, n_second - second, n_second, method="newcomb", compare="diff"
    )
    assert (ours.low, ours.high) == pytest.approx(((1 + low) / 2, (1 + high) / 2), abs=1e-9)


def test_mean_of_rates_of_a_missing_class_is_unknown() -> None:
    assert not iv.mean_of_rates(0, 0, 3, 5).known


# --- percentile intervals ---------------------------------------------------------------------------------------------


def test_percentile_interval_cuts_two_and_a_half_per_cent_of_many_groups() -> None:
    interval = iv.percentile_interval(np.random.default_rng(0).permutation(np.arange(1001.0)), n_groups=10**6)
    assert (interval.low, interval.high) == pytest.approx((25, 975), abs=1)


def test_percentile_interval_is_wider_for_few_groups() -> None:
    replicates = np.random.default_rng(0).normal(size=4000)
    widths = [iv.percentile_interval(replicates, n_groups).width for n_groups in (3, 5, 10, 40, 1000)]
    assert widths == sorted(widths, reverse=True)
    # Student's t and the spread's bias for 10 groups: 2.262 * sqrt(10 / 9) standard errors to each side.
    assert widths[2] == pytest.approx(2 * 2.262 * math.sqrt(10 / 9), rel=0.05)


def test_few_degenerate_resamples_are_left_out_and_many_leave_nothing() -> None:
    replicates = np.linspace(0, 1, 1000)
    replicates[::21] = math.nan
    assert iv.percentile_interval(replicates, 30).known
    replicates[::19] = math.nan
    assert not iv.percentile_interval(replicates, 30).known


def test_wider_takes_the_wider_and_knows_nothing_of_the_unknown() -> None:
    narrow, broad, unknown = iv.Interval(0.4, 0.5), iv.Interval(0.1, 0.3), iv.Interval(math.nan, math.nan)
    assert iv.wider(narrow, broad) == iv.wider(broad, narrow) == broad
    assert not iv.wider(narrow, unknown).known
    assert not iv.wider(unknown, narrow).known
