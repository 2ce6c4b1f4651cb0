"""One recording under two names is found, whatever became of it; two recordings are not taken for one."""

import numpy as np
import pytest

from sealproof.attacks import get_attack
from sealproof.attacks.testing import music_like
from sealproof.detectors.base import Audio
from sealproof.harness.foundation.audio.fingerprint import compare, find_copies, landmarks

RATE = 16_000


@pytest.fixture(scope="module")
def recordings() -> Audio:
    """Eight recordings of two seconds."""
    return music_like(8, 2 * RATE, RATE)


def altered(recording: Audio, attack: str, from_s: float) -> Audio:
    """A second of it after an attack."""
    changed = get_attack(attack)(recording[None], RATE, [0])[0]
    start = round(from_s * RATE) + 37
    return changed[start : start + RATE]


@pytest.mark.parametrize("attack", ["mp3.64kbps", "mp3.32kbps", "gain.-12db", "polarity", "resample.11025hz"])
@pytest.mark.parametrize("from_s", [0.0, 0.3, 0.7])
def test_a_copy_is_found_whatever_became_of_it(recordings: Audio, attack: str, from_s: float) -> None:
    clips = [*(each[:RATE] for each in recordings), altered(recordings[2], attack, from_s)]
    (copy,) = find_copies(clips.__getitem__, list(range(len(clips))))
    assert (copy.first, copy.second) == (2, 8)
    assert copy.overlap_s == pytest.approx(1 - from_s, abs=0.02)
    assert copy.correlation > 0.95


def test_clips_that_belong_together_are_not_compared(recordings: Audio) -> None:
    clips = [recordings[0][:RATE], recordings[0][:RATE], recordings[1][:RATE]]
    assert find_copies(clips.__getitem__, [0, 0, 1]) == []
    assert [(copy.first, copy.second) for copy in find_copies(clips.__getitem__, [0, 1, 1])] == [(0, 1)]


def test_other_recordings_silence_and_noise_are_no_copies(recordings: Audio) -> None:
    noise = np.random.default_rng(0).standard_normal((3, RATE)).astype(np.float32) * 0.1
    clips = [*(each[:RATE] for each in recordings), *noise, np.zeros(RATE, np.float32), np.zeros(RATE, np.float32)]
    assert find_copies(clips.__getitem__, list(range(len(clips)))) == []


def test_landmarks_know_neither_level_nor_offset(recordings: Audio) -> None:
    loud, soft = landmarks(recordings[0][:RATE]), landmarks(recordings[0][:RATE] * np.float32(0.125))
    assert len(loud) > 50
    assert np.array_equal(loud, soft)
    later = landmarks(recordings[0][4 * 256 : 4 * 256 + RATE])
    moved = {(int(name), int(frame) - 4) for name, frame in loud}
    assert len(moved & {(int(name), int(frame)) for name, frame in later}) > 0.5 * len(later)


def test_clips_that_are_too_short_cannot_be_compared(recordings: Audio) -> None:
    short = recordings[0][:1600]
    assert compare(short, short) == (0.0, 0.0)
    assert find_copies(lambda place: short, [0, 1]) == []
    assert landmarks(short[:1000]).shape == (0, 2)
