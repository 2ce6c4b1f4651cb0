"""Rates at a calibrated threshold: the value at the threshold, the interval over calibration splits."""

import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from sealproof.harness.statistics import detection
from sealproof.harness.statistics.calibrated import calibrate_threshold, estimate_rates
from sealproof.harness.statistics.estimation.resamples import Resamples
from sealproof.harness.statistics.thresholds import threshold_at_fpr

SHIFT = 2.0


def calibrated(rng: np.random.Generator, n_groups: Any = 12, n_resamples: Any = 800) -> Any:
    clips = Resamples.of(np.repeat(np.arange(n_groups), 10), rng, n_resamples=n_resamples)
    scores = rng.normal(size=clips.n_clips)
    return scores, calibrate_threshold(scores, 0.01, clips)


def judged(rng: np.random.Generator, n_groups: Any = 40, n_resamples: Any = 800) -> Any:
    clips = Resamples.of(np.repeat(np.arange(n_groups), 10), rng, n_resamples=n_resamples).twice()
    truth = np.repeat([False, True], 10 * n_groups)
    return SHIFT * truth + rng.normal(size=truth.size), truth, clips


def test_the_value_is_the_rate_at_the_threshold_itself() -> None:
    rng = np.random.default_rng(0)
    clean, threshold = calibrated(rng)
    scores, truth, clips = judged(rng)
    assert threshold.value == threshold_at_fpr(clean, 0.01)
    found = estimate_rates(scores, truth, threshold, clips)
    for name in ("accuracy", "balanced_accuracy", "tpr", "fpr"):
        assert found[name].value == pytest.approx(getattr(detection, name)(scores, truth, threshold.value)), name
        assert found[name].ci_low <= found[name].value <= found[name].ci_high, name
    assert (found["tpr"].n_clips, found["fpr"].n_clips, found["accuracy"].n_clips) == (400, 400, 800)


def test_the_interval_is_of_the_rate_at_a_true_one_per_cent() -> None:
    expected = float(norm.sf(norm.ppf(0.99) - SHIFT))
    covered, blind = 0, 0
    for seed in range(60):
        rng = np.random.default_rng([seed, 1])
        _, threshold = calibrated(rng)
        scores, truth, clips = judged(rng)
        tpr = estimate_rates(scores, truth, threshold, clips)["tpr"]
        as_given = detection.estimate_tpr(scores, truth, threshold.value, clips)
        covered += tpr.ci_low <= expected <= tpr.ci_high
        blind += as_given.ci_low <= expected <= as_given.ci_high
    assert covered >= 52
    assert blind < 40


def test_a_class_that_is_missing_is_not_defined() -> None:
    rng = np.random.default_rng(2)
    _, threshold = calibrated(rng)
    clips = Resamples.of(np.arange(20), rng, n_resamples=800)
    found = estimate_rates(rng.normal(size=20), np.ones(20, bool), threshold, clips)
    assert math.isnan(found["fpr"].value)
    assert math.isnan(found["balanced_accuracy"].value)
    assert found["tpr"].value == found["accuracy"].value


def test_with_too_few_clips_nothing_is_calibrated() -> None:
    assert calibrate_threshold(np.arange(98.0), 0.01, Resamples.of(np.arange(98), n_resamples=10)) is None


def test_both_splits_must_have_as_many_resamples() -> None:
    rng = np.random.default_rng(3)
    _, threshold = calibrated(rng)
    scores, truth, clips = judged(rng, n_resamples=799)
    with pytest.raises(ValueError, match=r"as many resamples as the clips that are judged, 799\. Got 800"):
        estimate_rates(scores, truth, threshold, clips)
