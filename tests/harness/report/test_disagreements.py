"""Histograms and disagreements, against plain loops."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sealproof.harness.report.disagreements import N_BINS, histograms, surest_disagreements

UNIT = st.floats(0, 1, width=32)
SCORES = st.integers(1, 3).flatmap(
    lambda n_mimics: st.tuples(st.integers(1, 4), st.integers(1, 6)).flatmap(
        lambda shape: arrays(np.float32, (shape[0], 1 + n_mimics, 2, shape[1]), elements=UNIT | st.just(float("nan")))
    )
)


@given(SCORES)
def test_histograms_count_every_score_once(scores: np.ndarray) -> None:
    found = histograms(scores, [[0.5]] * scores.shape[1])
    assert np.array_equal(found.counts.sum(axis=-1), np.isfinite(scores).sum(axis=-1))
    for edges in found.edges:
        assert edges.shape == (N_BINS + 1,)
        assert (np.diff(edges) > 0).all()
        assert edges[0] <= 0.5 <= edges[-1]


def test_histograms_agree_with_numpy_off_the_edges_of_bins() -> None:
    scores = np.random.default_rng(0).uniform(0.0001, 0.9999, (2, 1, 2, 500)).astype(np.float32)
    found = histograms(scores, [[-0.3, 1.7]])
    assert found.edges[0, 0] == -0.3
    assert found.edges[0, -1] == 1.7
    for cell, label in np.ndindex(2, 2):
        expected, _ = np.histogram(scores[cell, 0, label].astype(np.float64), found.edges[0])
        assert np.array_equal(found.counts[cell, 0, label], expected)


def sureness(scores: np.ndarray, threshold: float, score: float) -> float:
    """The definition, in words: how many of the scores on this side are no farther from the threshold."""
    side = [one for one in scores.ravel().tolist() if np.isfinite(one) and (one > threshold) == (score > threshold)]
    distance = np.abs(np.float32(score) - np.float32(threshold))
    return float(np.mean([np.abs(np.float32(one) - np.float32(threshold)) <= distance for one in side]))


@example(np.full((1, 2, 2, 4), 0.5, dtype=np.float32), 3)  # both sides of a clip disagree
@given(SCORES, st.integers(1, 6))
def test_disagreements_are_sure_and_each_of_another_clip(scores: np.ndarray, n: int) -> None:
    thresholds = [0.5, 0.3, 0.6, 0.4][: scores.shape[1]]
    attacks = [f"attack{cell // 2}" for cell in range(len(scores))]
    found = surest_disagreements(scores, thresholds, attacks, n)
    assert len(found) <= n
    assert len({one.clip for one in found}) == len(found)
    for one in found:
        pair = [float(scores[one.cell, place, one.label, one.clip]) for place in (0, one.mimic)]
        assert (pair[0] > thresholds[0]) != (pair[1] > thresholds[one.mimic])
        expected = min(
            sureness(scores[:, place], thresholds[place], score)
            for place, score in zip((0, one.mimic), pair, strict=True)
        )
        assert one.sureness == pytest.approx(expected)
    everywhere = [
        index
        for index in np.ndindex(len(scores), 2, scores.shape[3])
        if any(disagrees(scores, thresholds, mimic, index) for mimic in range(1, scores.shape[1]))
    ]
    assert bool(found) == bool(everywhere)
    if len(found) < n:
        assert {one.clip for one in found} == {clip for _, _, clip in everywhere}


def disagrees(scores: np.ndarray, thresholds: list[float], mimic: int, index: tuple[int, ...]) -> bool:
    cell, label, clip = index
    own, reference = scores[cell, mimic, label, clip], scores[cell, 0, label, clip]
    return bool(np.isfinite([own, reference]).all()) and (own > thresholds[mimic]) != (reference > thresholds[0])


def test_the_surest_comes_first_and_attacks_take_turns() -> None:
    scores = np.full((3, 2, 2, 4), 0.9, dtype=np.float32)
    scores[0, 1, 0, :2] = [0.01, 0.02]  # the same attack twice, and surest
    scores[1, 1, 1, 2] = 0.2
    scores[2, 1, 0, 3] = 0.3
    found = surest_disagreements(scores, [0.5, 0.5], ["a", "b", "c"], 3)
    assert [(one.cell, one.clip) for one in found] == [(0, 0), (1, 2), (2, 3)]
    assert [one.sureness for one in found] == [1.0, 0.5, 0.25]
