from typing import Any

import numpy as np
import pytest

from sealproof.detectors import Detection, DetectorError
from sealproof.detectors.base import check_batch, check_marked, check_messages, require_sample_rate

SCORE = np.array([0.1, 0.9], np.float32)


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"score": SCORE.astype(np.float64)}, "'score' of a Detection must be a 1-D array of float32. Got float64"),
        ({"score": [0.1, 0.9]}, "Got list"),
        ({"score": np.array([0.1, np.nan], np.float32)}, "'score' of a Detection must be finite. Got 1 NaN"),
        ({"score": SCORE, "frames": np.zeros((3, 5), np.float32)}, "Got 3 rows for 2 scores"),
        ({"score": SCORE, "frames": np.full((2, 5), np.inf, np.float32)}, "'frames' of a Detection must be finite"),
        ({"score": SCORE, "bits": np.zeros((2, 4), bool)}, "'bits' of a Detection must be a 2-D array of uint8"),
        ({"score": SCORE, "bits": np.full((2, 4), 2, np.uint8)}, "must be 0 or 1. Got 2"),
    ],
)
def test_detection_refuses(fields: dict[str, Any], rule: str) -> None:
    with pytest.raises(DetectorError) as error:
        Detection(**fields)
    assert rule in str(error.value)


def test_concatenate_joins_in_order_and_keeps_none() -> None:
    first = Detection(SCORE, bits=np.zeros((2, 3), np.uint8))
    second = Detection(np.array([0.5], np.float32), bits=np.ones((1, 3), np.uint8))
    joined = Detection.concatenate([first, second])
    np.testing.assert_array_equal(joined.score, np.array([0.1, 0.9, 0.5], np.float32))
    np.testing.assert_array_equal(joined.bits, [[0, 0, 0], [0, 0, 0], [1, 1, 1]])
    assert joined.frames is None


@pytest.mark.parametrize(
    ("batch", "rule"),
    [
        (np.zeros((1, 400), np.int16), "must be a float32 array in [-1, 1]. Got int16"),
        ([[0.0]], "Got list"),
        (np.zeros(400, np.float32), "must have shape (n, samples). Got (400,)"),
        (np.zeros((0, 400), np.float32), "at least one clip"),
        (np.zeros((1, 399), np.float32), "at least 400 samples. Got 399"),
        (np.array([[0.0] * 400, [0.0, np.inf] + [0.0] * 398], np.float32), "must be finite. Got inf at [1, 1]"),
    ],
)
def test_check_batch_names_who_rule_and_value(batch: Any, rule: str) -> None:
    with pytest.raises(DetectorError) as error:
        check_batch(batch, "somebody", min_samples=400)
    assert "somebody" in str(error.value)
    assert rule in str(error.value)


def test_check_messages_wants_one_message_per_clip() -> None:
    check_messages(np.zeros((2, 16), np.uint8), 2, 16, "somebody")
    with pytest.raises(DetectorError, match=r"must have shape \(3, 16\). Got \(2, 16\)"):
        check_messages(np.zeros((2, 16), np.uint8), 3, 16, "somebody")


def test_a_watermarkers_output_must_be_finite_audio_of_the_batchs_shape() -> None:
    batch = np.zeros((2, 400), np.float32)
    check_marked(batch, batch, "here")
    for marked, rule in ((batch + np.inf, "Got 800 NaN or infinite of 800"), (batch[:1], r"Got \(1, 400\)")):
        with pytest.raises(DetectorError, match=f"The watermarker of here must .*{rule}"):
            check_marked(marked.astype(np.float32), batch, "here")


def test_another_sample_rate_is_refused() -> None:
    require_sample_rate("here", "detector", 16_000, 16_000)
    with pytest.raises(DetectorError, match=r"The detector of here must take audio at 16000 Hz.*Got 44100 Hz"):
        require_sample_rate("here", "detector", 44_100, 16_000)
