"""Localisation: the overlap of flagged and marked frames."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealproof.harness.statistics.estimation.resamples import Resamples
from sealproof.harness.statistics.localisation import estimate_frame_iou, frame_iou


@given(st.integers(1, 8), st.integers(1, 30), st.floats(0, 1), st.integers(0, 10**6))
def test_iou_equals_sklearns_jaccard_score_and_is_symmetric(n: int, t: int, share: float, seed: int) -> None:
    from sklearn.metrics import jaccard_score

    rng = np.random.default_rng(seed)
    flagged, marked = rng.random((2, n, t)) < share
    found = frame_iou(flagged, marked)
    np.testing.assert_array_equal(found, frame_iou(marked, flagged))
    for overlap, mine, theirs in zip(found, flagged, marked, strict=True):
        if mine.any() or theirs.any():
            assert 0 <= overlap <= 1
            assert overlap == pytest.approx(jaccard_score(theirs, mine))
        else:
            assert math.isnan(overlap)


def test_iou_of_known_frames() -> None:
    marked = np.array([[True, True, False, False]])
    assert frame_iou(marked, marked).tolist() == [1.0]
    assert frame_iou(~marked, marked).tolist() == [0.0]
    assert frame_iou(np.array([[False, True, True, False]]), marked).tolist() == [pytest.approx(1 / 3)]
    # A detector that flags every frame gets the share that is marked.
    assert frame_iou(np.ones((1, 4), bool), marked).tolist() == [0.5]


def test_frames_are_booleans_of_one_shape() -> None:
    with pytest.raises(ValueError, match="'predicted' of frame_iou must be"):
        frame_iou([[0.3, 0.8]], [[True, False]])
    with pytest.raises(ValueError, match="'truth' of frame_iou must be"):
        frame_iou([[True, False]], [True, False])
    with pytest.raises(ValueError, match="must have one shape"):
        frame_iou([[True, False]], [[True, False, True]])


def test_the_estimate_is_the_mean_where_the_overlap_is_defined() -> None:
    ious = np.array([0.5, math.nan, 1.0, 0.0, 0.5, math.nan])
    estimate = estimate_frame_iou(ious, Resamples.of([*"012341"]))
    assert (estimate.value, estimate.n_clips, estimate.n_groups) == (0.5, 4, 4)
    assert estimate.ci_low < 0.5 < estimate.ci_high
