"""Agreement: equal to reference implementations, obeying its laws, inside its intervals."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sealproof.harness.statistics import agreement as ag
from sealproof.harness.statistics import rank_agreement, significance
from sealproof.harness.statistics.estimation.bootstrap import group_weights
from sealproof.harness.statistics.estimation.intervals import wilson
from sealproof.harness.statistics.estimation.resamples import Resamples

WEIGHTS = group_weights(12, 400, seed=5)

Decisions = tuple[NDArray[np.bool_], NDArray[np.bool_]]


@st.composite
def two_detectors(draw: st.DrawFn, n_min: int = 1) -> Decisions:
    """Decisions of two detectors, alike to some degree; rare, and constant, answers come up often."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    n = draw(st.integers(n_min, 80))
    a, b = (rng.random(n) < draw(st.sampled_from([0.0, 0.05, 0.5, 0.9, 1.0])) for _ in range(2))
    return a, np.where(rng.random(n) < draw(st.sampled_from([0.0, 0.5, 0.9])), a, b)


@settings(max_examples=60)
@given(two_detectors())
def test_coefficients_equal_sklearns_where_they_are_defined(data: Decisions) -> None:
    from sklearn.metrics import cohen_kappa_score, matthews_corrcoef

    a, b = data
    constant = [len(set(x.tolist())) == 1 for x in (a, b)]
    assert ag.agreement(a, b) == pytest.approx((a == b).mean())
    assert ag.pabak(a, b) == pytest.approx(2 * (a == b).mean() - 1)
    if all(constant):
        assert math.isnan(ag.cohens_kappa(a, b))
    else:
        assert ag.cohens_kappa(a, b) == pytest.approx(cohen_kappa_score(a, b))
    if any(constant):
        assert math.isnan(ag.mcc(a, b))
    else:
        assert ag.mcc(a, b) == pytest.approx(matthews_corrcoef(a, b))


@given(two_detectors())
def test_agreement_is_symmetric_and_blind_to_the_names_of_the_classes(data: Decisions) -> None:
    a, b = data
    for coefficient in (ag.agreement, ag.cohens_kappa, ag.pabak, ag.mcc):
        value = coefficient(a, b)
        assert coefficient(b, a) == pytest.approx(value, nan_ok=True)
        assert coefficient(~a, ~b) == pytest.approx(value, nan_ok=True)


@given(two_detectors(n_min=2))
def test_a_detector_agrees_with_itself_and_not_with_its_opposite(data: Decisions) -> None:
    a = data[0].copy()
    a[0], a[-1] = True, False
    assert [f(a, a) for f in (ag.agreement, ag.cohens_kappa, ag.pabak, ag.mcc)] == pytest.approx([1, 1, 1, 1])
    assert [f(a, ~a) for f in (ag.agreement, ag.pabak, ag.mcc)] == pytest.approx([0, -1, -1])
    assert ag.cohens_kappa(a, ~a) < 0


@pytest.mark.parametrize("rates", [(0.5, 0.5), (0.9, 0.8), (0.02, 0.05)])
def test_independent_detectors_have_no_agreement_beyond_chance(rates: Any) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random(200_000) < rates[0], rng.random(200_000) < rates[1]
    assert abs(ag.cohens_kappa(a, b)) < 0.01
    assert abs(ag.mcc(a, b)) < 0.01
    assert ag.agreement(a, b) == pytest.approx(rates[0] * rates[1] + (1 - rates[0]) * (1 - rates[1]), abs=0.01)


def test_kappa_of_cohens_textbook_table() -> None:
    # 20 both yes, 5 only a, 10 only b, 15 neither: agreement .70, expected .50, kappa .40.
    a = np.repeat([True, True, False, False], [20, 5, 10, 15])
    b = np.repeat([True, False, True, False], [20, 5, 10, 15])
    assert ag.cohens_kappa(a, b) == pytest.approx(0.4)
    assert ag.pabak(a, b) == pytest.approx(0.4)
    assert ag.mcc(a, b) == pytest.approx(250 / math.sqrt(25 * 25 * 30 * 20))


def test_constant_detectors_define_no_kappa() -> None:
    yes, no = np.ones(30, bool), np.zeros(30, bool)
    mixed = np.arange(30) % 3 == 0
    assert math.isnan(ag.cohens_kappa(yes, yes))
    assert math.isnan(ag.cohens_kappa(yes, no))
    assert ag.cohens_kappa(yes, mixed) == 0.0
    assert math.isnan(ag.mcc(yes, mixed))
    assert ag.pabak(yes, yes) == 1.0
    estimate = ag.estimate_kappa(yes, yes, Resamples(np.arange(30) % 12, WEIGHTS))
    assert np.isnan([estimate.value, estimate.ci_low, estimate.ci_high]).all()
    assert (estimate.n_clips, estimate.n_groups) == (30, 12)


def test_coefficients_of_nothing_are_not_defined() -> None:
    nothing = np.zeros(0, bool)
    for coefficient in (ag.agreement, ag.cohens_kappa, ag.pabak, ag.mcc, rank_agreement.spearman):
        assert math.isnan(coefficient(nothing, nothing))
    assert significance.mcnemar_exact(nothing, nothing) == 1.0


def test_detectors_are_compared_on_the_same_clips() -> None:
    with pytest.raises(ValueError, match=r"on the same clips\. Got 2 and 1"):
        ag.agreement([True, False], [True])
    with pytest.raises(ValueError, match=r"on the same clips\. Got 2 and 1"):
        rank_agreement.spearman([0.1, 0.2], [0.3])
    with pytest.raises(ValueError, match="'b' must be a vector of booleans"):
        ag.cohens_kappa([True], [0.7])


# --- given the reference is right or wrong ----------------------------------------------------------------------------


def test_conditional_agreement_splits_by_the_references_errors() -> None:
    truth = np.array([True, True, True, True, False, False, False, False])
    reference = np.array([True, True, True, False, False, False, False, True])
    mimic = np.array([True, True, False, False, False, False, True, False])
    assert ag.conditional_agreement(mimic, reference, truth, given="right") == pytest.approx(4 / 6)
    assert ag.conditional_agreement(mimic, reference, truth, given="wrong") == pytest.approx(1 / 2)
    assert ag.conditional_agreement(reference, reference, truth, given="wrong") == 1.0
    assert ag.conditional_agreement(truth, reference, truth, given="wrong") == 0.0
    assert math.isnan(ag.conditional_agreement(mimic, truth, truth, given="wrong"))
    estimate = ag.estimate_conditional_agreement(
        mimic, reference, truth, Resamples(np.arange(8), WEIGHTS), given="right"
    )
    assert (estimate.value, estimate.n_clips, estimate.n_groups) == (pytest.approx(4 / 6), 6, 6)
    assert estimate.ci_low < 4 / 6 < estimate.ci_high


@given(two_detectors(), st.integers(0, 10**6))
def test_conditional_agreements_average_to_the_agreement(data: Decisions, seed: int) -> None:
    mimic, reference = data
    truth = np.random.default_rng(seed).random(mimic.size) < 0.5
    right = (reference == truth).mean()
    parts = [ag.conditional_agreement(mimic, reference, truth, given=side) for side in ("right", "wrong")]
    total = np.nansum(np.array(parts) * [right, 1 - right])
    assert total == pytest.approx(ag.agreement(mimic, reference))


def test_the_condition_is_right_or_wrong() -> None:
    with pytest.raises(ValueError, match=r"must be 'right' or 'wrong'\. Got 'correct'"):
        ag.conditional_agreement([True], [True], [True], given="correct")  # type: ignore[arg-type]  # on purpose


# --- estimates --------------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(two_detectors(n_min=24))
def test_estimates_carry_the_coefficient_inside_their_interval(data: Decisions) -> None:
    a, b = data
    groups = np.arange(a.size) % 12
    for estimator, coefficient in (
        (ag.estimate_agreement, ag.agreement),
        (ag.estimate_kappa, ag.cohens_kappa),
        (ag.estimate_pabak, ag.pabak),
        (ag.estimate_mcc, ag.mcc),
    ):
        estimate = estimator(a, b, Resamples(groups, WEIGHTS))
        assert estimate.value == pytest.approx(coefficient(a, b), nan_ok=True)
        assert math.isnan(estimate.ci_low) or -1 <= estimate.ci_low <= estimate.value <= estimate.ci_high <= 1
        assert (estimate.n_clips, estimate.n_groups) == (a.size, 12)


def test_detectors_that_never_differed_are_not_known_to_be_one() -> None:
    a = np.arange(96) % 2 == 0
    groups = np.arange(96) // 8
    # Twelve recordings, whatever the number of clips.
    worst = pytest.approx(wilson(12, 12).low)
    clips = Resamples(groups, WEIGHTS)
    assert ag.estimate_agreement(a, a, clips).ci_low == worst
    assert ag.estimate_pabak(a, a, clips).ci_low == pytest.approx(2 * wilson(12, 12).low - 1)
    for estimator in (ag.estimate_kappa, ag.estimate_mcc):
        # In a recording of the worst kind they agree by chance alone.
        estimate = estimator(a, a, clips)
        assert (estimate.ci_low, estimate.ci_high) == (worst, 1.0)
