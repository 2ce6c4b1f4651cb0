"""The parts of a diagnosis: patterns in marks, and logistic regression."""

import numpy as np
import pytest

from sealproof.harness.studies.diagnosis import carriers
from sealproof.harness.studies.linear.logistic import fit_logistic


def unit(marks: np.ndarray) -> np.ndarray:
    return marks / np.linalg.norm(marks, axis=1, keepdims=True)


def test_logistic_regression_agrees_with_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(0)
    for n_features in (5, 200):
        features = rng.standard_normal((120, n_features)) * rng.uniform(0.1, 10, n_features)
        labels = features[:, 0] / features[:, 0].std() + rng.standard_normal(120) > 0
        ours = fit_logistic(features[:80], labels[:80], ridge=2.0)(features[80:])
        scaler = StandardScaler().fit(features[:80])
        model = LogisticRegression(C=0.5, tol=1e-10, max_iter=5000).fit(scaler.transform(features[:80]), labels[:80])
        theirs = model.decision_function(scaler.transform(features[80:]))
        assert np.allclose(ours, theirs, atol=1e-3)


def test_a_waveform_laid_at_random_places_is_found_where_no_fixed_one_explains_it() -> None:
    rng = np.random.default_rng(1)
    wave = rng.standard_normal(2000)
    marks = unit(np.stack([np.roll(wave, rng.integers(2000)) + 0.3 * rng.standard_normal(2000) for _ in range(40)]))
    fixed = carriers.share_in(marks[20:], carriers.principal_patterns(marks[:20], 1)).mean()
    laid = carriers.best_lag(marks[20:], carriers.aligned_pattern(marks[:20]))[0].mean()
    assert fixed < 0.1
    assert laid == pytest.approx(1 / 1.09, abs=0.03)


def test_a_carrier_times_a_level_is_recovered_from_other_marks() -> None:
    rng = np.random.default_rng(2)
    carrier, levels = rng.standard_normal(3000), rng.uniform(0.1, 3, (30, 3000))
    marks = levels * carrier + 0.1 * rng.standard_normal((30, 3000))
    learned = carriers.carrier_times(levels[:20], marks[:20])
    assert carriers.share_along(marks[20:], learned * levels[20:]).min() > 0.95
    assert carriers.share_along(rng.standard_normal((10, 3000)), learned * levels[20:]).max() < 0.02


def test_the_period_of_a_mark_is_found_and_noise_has_none() -> None:
    rng = np.random.default_rng(3)
    noise = unit(rng.standard_normal((40, 4000)))
    assert carriers.periodic_share(noise, 100) == pytest.approx(0, abs=0.01)
    marks = unit(np.tile(rng.standard_normal(125), 32)[None] + 0.1 * rng.standard_normal((40, 4000)))
    period, share = carriers.best_period(marks)
    assert period == 125
    assert share > 0.97


def test_an_envelope_follows_its_clip_without_delay() -> None:
    clip = np.zeros((1, 4000), np.float32)
    clip[0, 2000] = 1.0
    assert abs(int(carriers.envelope(clip)[0].argmax()) - 2000) <= 1
