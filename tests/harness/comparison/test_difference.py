from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from sealproof.harness.comparison.difference import (
    CHANGED,
    IMPROVEMENT,
    REGRESSION,
    SAME,
    UNPROVEN,
    Difference,
    paired_differences,
)
from sealproof.harness.statistics.paired import score_interval, score_statistic
from sealproof.harness.tables.rates import Tally

Z = 1.959964


def tally(successes: list[int] | NDArray[np.int64], trials: int | list[int] = 8, metric: str = "accuracy") -> Tally:
    counts = np.asarray(successes, dtype=np.int64)
    names = tuple(f"g{index:03d}" for index in range(counts.size))
    of = np.broadcast_to(np.asarray(trials, dtype=np.int64), counts.shape)
    return Tally("spread_spectrum", "mp3", "bitrate_kbps=64", "d", "reference", "fixed", metric, names, counts, of)


def difference(before: list[int], after: list[int], trials: int | list[int] = 8) -> Difference:
    return paired_differences([tally(before, trials)], [tally(after, trials)])[0]


def test_value_and_ends() -> None:
    found = difference([8] * 20, [8] * 10 + [6] * 10)
    assert (found.before, found.after, found.value) == (1.0, 0.875, -0.125)
    assert (found.n_clips, found.n_groups) == (160, 20)
    assert found.ci_low < -0.125 < found.ci_high < 0
    assert found.excludes_zero


def test_a_difference_is_exact() -> None:
    # 0.95 - 1.0 is -0.050000000000000044: it would exceed an allowed drop of 0.05.
    found = difference([8] * 20, [7] * 8 + [8] * 12)
    assert found.value == -0.05
    assert found.verdict("accuracy", 0.05) == CHANGED
    assert found.verdict("accuracy", 0.0499) == REGRESSION


def test_where_nothing_changed_the_interval_has_a_width() -> None:
    found = difference([8] * 20, [8] * 20)
    assert found.value == 0
    expected = Z**2 / (160 + Z**2)
    assert (found.ci_low, found.ci_high) == (pytest.approx(-expected, abs=1e-6), pytest.approx(expected, abs=1e-6))
    assert found.verdict("accuracy", 0.0) == SAME


def test_where_everything_changed_the_interval_has_a_width() -> None:
    found = difference([8] * 20, [0] * 20)
    assert (found.value, found.ci_low) == (-1.0, -1.0)
    assert -1.0 < found.ci_high < -0.9
    assert found.verdict("tpr", 0.05) == REGRESSION


@pytest.mark.parametrize(("n_changed", "proven"), [(1, False), (3, False), (4, True)])
def test_one_changed_clip_proves_nothing(n_changed: int, proven: bool) -> None:
    after = [7] * n_changed + [8] * (20 - n_changed)
    found = difference([8] * 20, after)
    assert found.excludes_zero == proven
    assert found.verdict("accuracy", 0.0) == (REGRESSION if proven else UNPROVEN)


def test_clips_of_one_group_prove_nothing() -> None:
    assert not difference([8] * 20, [0] + [8] * 19).excludes_zero
    assert difference([8] * 20, [8] * 12 + [7] * 8).excludes_zero


def test_one_group_alone_has_no_interval() -> None:
    found = difference([8], [0])
    assert np.isnan([found.ci_low, found.ci_high]).all()
    assert found.verdict("accuracy", 0.05) == UNPROVEN


def test_two_groups_need_more_than_two_equal_signs() -> None:
    assert not difference([100, 100], [80, 60], 100).excludes_zero


def test_a_rise_of_false_alarms_is_the_drop() -> None:
    found = difference([0] * 20, [1] * 20)
    assert found.verdict("fpr", 0.05) == REGRESSION
    assert found.drop("fpr") == 0.125
    assert found.verdict("tpr", 0.05) == IMPROVEMENT
    assert found.drop("tpr") == -0.125


def test_an_empty_batch_is_empty() -> None:
    assert paired_differences([], []) == []


def test_what_cannot_be_paired_is_refused() -> None:
    with pytest.raises(ValueError, match="same groups"):
        paired_differences([tally([1, 2])], [tally([1, 2, 3])])
    with pytest.raises(ValueError, match="as many clips"):
        paired_differences([tally([1, 2], 8)], [tally([1, 2], 9)])


def test_a_batch_is_what_its_rates_are_one_by_one() -> None:
    rng = np.random.default_rng(0)
    before, after = rng.integers(0, 9, (2, 6, 12))
    together = paired_differences([tally(row) for row in before], [tally(row) for row in after])
    alone = [paired_differences([tally(b)], [tally(a)])[0] for b, a in zip(before, after, strict=True)]
    assert together == alone


@given(st.data(), st.integers(2, 12))
def test_swapping_before_and_after_mirrors_the_difference(data: st.DataObject, n_groups: int) -> None:
    counts = st.lists(st.integers(0, 8), min_size=n_groups, max_size=n_groups)
    before, after = data.draw(counts), data.draw(counts)
    forth, back = difference(before, after), difference(after, before)
    assert forth.value == -back.value
    assert -1 <= forth.ci_low <= forth.value <= forth.ci_high <= 1
    assert forth.ci_low == pytest.approx(-back.ci_high, abs=1e-9)


def test_known_changes_widen_what_nets_to_nothing() -> None:
    rates = [tally([4] * 20)], [tally([4] * 20)]
    net = paired_differences(*rates)[0]
    gross = paired_differences(*rates, np.array([[40, 40]]))[0]
    assert gross.ci_high > 3 * net.ci_high


def best_loglikelihood(lost: int, won: int, n: int, difference: float) -> float:
    """Likelihood of the counts, at its highest where P(won only) - P(lost only) is given."""

    def negative(p_lost: float) -> float:
        p_won = p_lost + difference
        shares = ((lost, p_lost), (won, p_won), (n - lost - won, 1 - p_lost - p_won))
        return -sum(count * np.log(max(share, 1e-300)) for count, share in shares if count)

    low, high = max(0.0, -difference), (1 - difference) / 2
    return float(-minimize_scalar(negative, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).fun)


@pytest.mark.parametrize(("lost", "won", "n"), [(3, 9, 60), (0, 7, 40), (12, 12, 50), (1, 0, 30)])
@pytest.mark.parametrize("at", [-0.05, 0.02, 0.2])
def test_score_statistic_uses_the_likeliest_variance(lost: int, won: int, n: int, at: float) -> None:
    arrays = [np.array([float(value)]) for value in (lost, won, n, at)]
    statistic = score_statistic(*arrays)[0]
    # The share that the statistic's variance implies is the one of highest likelihood.
    share = ((won - lost - n * at) ** 2 / statistic**2 / n - at * (1 - at)) / 2
    below, here, above = (
        sum(
            count * np.log(max(p, 1e-300))
            for count, p in ((lost, s), (won, s + at), (n - lost - won, 1 - 2 * s - at))
            if count
        )
        for s in (share - 1e-4, share, share + 1e-4)
    )
    assert here == pytest.approx(best_loglikelihood(lost, won, n, at), abs=1e-6)
    assert here >= max(below, above) - 1e-9 or share < 1e-4 or share + at < 1e-4


def test_score_interval_is_where_the_test_stops_rejecting() -> None:
    counts = np.array(list(product((0.0, 1.0, 4.0, 30.0), (0.0, 2.0, 20.0))))
    lost, won, n = counts[:, 0], counts[:, 1], np.full(len(counts), 60.0)
    low, high = score_interval(lost, won, n)
    value = (won - lost) / n
    assert (low < value).all()
    assert (value < high).all()
    for end in (low, high):
        inside = np.abs(end) < 1 - 1e-9
        assert score_statistic(lost, won, n, end)[inside] == pytest.approx(np.sign(value - end)[inside] * Z, abs=1e-4)


def test_at_no_difference_the_score_statistic_is_mcnemars() -> None:
    lost, won = np.array([3.0, 0, 12]), np.array([9.0, 5, 4])
    statistic = score_statistic(lost, won, np.full(3, 80.0), np.zeros(3))
    assert statistic == pytest.approx((won - lost) / np.sqrt(won + lost))


@pytest.mark.parametrize("n_groups", [2, 4, 8, 20])
@pytest.mark.parametrize("likeness", [0.05, 0.3, 0.9])
def test_chance_seldom_excludes_zero(n_groups: int, likeness: float) -> None:
    """Changes as often for the worse as for the better, alike within groups: at most about 5 % may be taken for one."""
    rng = np.random.default_rng([n_groups, round(100 * likeness)])
    n_samples, trials = 400, 20
    shares = rng.dirichlet(np.array([0.15, 0.15, 0.7]) * (1 / likeness - 1), size=(n_samples, n_groups))
    changes = rng.multinomial(trials, shares)
    before = np.full((n_samples, n_groups), trials)
    found = paired_differences(
        [tally(row, 2 * trials) for row in before],
        [tally(row, 2 * trials) for row in before + changes[..., 1] - changes[..., 0]],
    )
    assert np.mean([one.excludes_zero for one in found]) <= 0.075
