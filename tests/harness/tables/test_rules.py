"""Rules of decision: where each draws its line."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealproof.harness.matrix.outcome import Outcome, Scores
from sealproof.harness.tables.rules import TARGET_FPRS, alternative_decisions, calibrate

SENT = np.zeros((4, 16), np.uint8)


def scores(score: list[float], means: list[float] | None, bits: np.ndarray | None = None) -> Scores:
    pair = np.tile(np.array(score, np.float32), (2, 1))
    no_means = np.zeros((2, 0), np.float32)
    decoded = np.zeros((2, len(score), 0), np.uint8) if bits is None else bits
    mean = no_means if means is None else np.tile(np.array(means, np.float32), (2, 1))
    return Scores(pair, decoded, 0.5, 1.0, mean, np.full((2, len(score)), np.nan))


def test_a_score_alone_has_no_other_rules() -> None:
    bits = np.zeros((2, 4, 16), np.uint8)
    assert alternative_decisions(scores([0.1, 0.2, 0.3, 0.4], None, bits), SENT) == {}


def test_a_line_itself_is_no() -> None:
    # A share of exactly 10 % of the samples, a mean of exactly one half.
    found = alternative_decisions(scores([0.1, 0.1001, 0.0999, 1], [0.5, 0.5001, 0.4999, 1]), SENT)
    assert set(found) == {"mean_probability", "low_tau"}
    for says in found.values():
        assert says.tolist() == [[False, True, False, True]] * 2


def test_thirteen_bits_of_sixteen_are_enough_and_a_clean_clip_is_asked_for_its_twins() -> None:
    n_wrong = np.array([[16, 8, 3, 4], [0, 3, 4, 16]])
    bits = (np.arange(16) < n_wrong[..., None]).astype(np.uint8)
    found = alternative_decisions(scores([0, 0, 0, 0], [0, 0, 0, 0], bits), SENT)
    assert found["bits"].tolist() == [[False, False, True, False], [True, True, False, False]]


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=1200), st.integers(0, 99))
def test_a_calibrated_threshold_keeps_its_rate_on_the_clips_it_is_from(values: list[float], seed: int) -> None:
    clean = np.array([values], np.float32)
    only_clean = Scores(
        clean, np.zeros((*clean.shape, 0), np.uint8), 0.5, 1.0, np.zeros((1, 0), np.float32), np.zeros(clean.shape)
    )
    found = calibrate(Outcome(None, None, None, {"a": only_clean}), ["g"] * len(values), seed)["a"]  # type: ignore[arg-type]  # never looked at
    for rule, target in TARGET_FPRS.items():
        assert found.is_supported(rule) == (rule in found.by_rule()) == (len(values) >= round(1 / target) - 1)
        if found.is_supported(rule):
            # A new clip counts as one that is flagged.
            assert (clean > found.by_rule()[rule]).sum() + 1 <= target * (len(values) + 1) + 1e-9


def test_a_rule_without_a_rate_is_refused() -> None:
    thresholds = calibrate(Outcome(None, None, None, {"a": scores([0.1], None)}), ["g"], 0)["a"]  # type: ignore[arg-type]
    with pytest.raises(KeyError):
        thresholds.is_supported("fixed")
