"""Every sample that comes out is one that went in, and stands where the attack says."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sealproof.attacks import Attack, AttackError, Audio
from sealproof.attacks.testing import broken_claims, music_like
from sealproof.attacks.timing.cutting import (
    BlockReverse,
    BlockShuffle,
    Crop,
    CutSamples,
    FlipSamples,
    InsertSilence,
    RepeatPart,
    TrimStart,
)

CLASSES: list[type[Attack]] = [
    Crop,
    TrimStart,
    CutSamples,
    InsertSilence,
    FlipSamples,
    BlockShuffle,
    BlockReverse,
    RepeatPart,
]
STANDARD = [attack for cls in CLASSES for attack in cls.standard()]


@pytest.fixture(scope="module")
def count() -> Audio:
    """One second whose samples are numbered from 1."""
    return np.arange(1, 16_001, dtype=np.float32)[None]


def test_no_two_strengths_do_the_same(run: Callable[..., Audio], music: Audio) -> None:
    assert len({run(attack, music[:1]).tobytes() for attack in STANDARD}) == len(STANDARD)


@pytest.mark.parametrize(
    ("position", "left"),
    [("start", [4, 5, 6, 7, 8, 9, 10]), ("middle", [1, 2, 3, 7, 8, 9, 10]), ("end", [1, 2, 3, 4, 5, 6, 7])],
)
def test_crop_removes_what_it_says(run: Callable[..., Audio], position: str, left: list[int]) -> None:
    clip = np.arange(1, 11, dtype=np.float32)[None]
    assert run(Crop(position=position, percent=30), clip)[0].tolist() == left


def test_trim_start_leaves_the_rest_and_at_least_one_sample(run: Callable[..., Audio], count: Audio) -> None:
    assert np.array_equal(run(TrimStart(cut_samples=10), count), count[:, 10:])
    assert run(TrimStart(cut_samples=20_000), count).tolist() == [[16_000]]


@pytest.mark.parametrize(("pieces", "length"), [(2, 20), (20, 1), (50, 100)])
def test_cut_samples_deletes_whole_pieces_and_keeps_the_order(
    run: Callable[..., Audio], count: Audio, pieces: int, length: int
) -> None:
    out = run(CutSamples(pieces=pieces, length_samples=length), count)[0]
    assert out.size == 16_000 - pieces * length
    gaps = np.diff(np.concatenate([[0], out, [16_001]])) - 1
    assert set(gaps) == {0, length}
    assert np.count_nonzero(gaps) == pieces


def test_cut_samples_leaves_half_of_a_short_clip(run: Callable[..., Audio]) -> None:
    clip = np.ones((1, 100), dtype=np.float32)
    assert run(CutSamples(pieces=1000, length_samples=20), clip).shape == (1, 94 - 34)
    assert run(CutSamples(pieces=20, length_samples=20), clip[:, :39]).shape == (1, 39)


def test_insert_silence_stands_between_two_signs(run: Callable[..., Audio], music: Audio) -> None:
    out = run(InsertSilence(pieces=10, length_samples=50), music)[0]
    assert np.array_equal(out[out != 0], music[0])
    starts = np.flatnonzero((out[1:] == 0) & (out[:-1] != 0)) + 1
    assert starts.size == 10
    for start in starts:
        assert not out[start : start + 50].any()
        assert out[start - 1] * out[start + 50] < 0


def test_insert_silence_needs_no_zero_crossing(run: Callable[..., Audio]) -> None:
    out = run(InsertSilence(pieces=10, length_samples=50), np.full((1, 16_000), 0.5, dtype=np.float32))
    assert out.shape == (1, 16_500)
    assert np.count_nonzero(out == 0) == 500


@pytest.mark.parametrize("percent", [0.1, 5, 100])
def test_flip_samples_swaps_neighbours(run: Callable[..., Audio], count: Audio, percent: float) -> None:
    out = run(FlipSamples(percent=percent), count)[0]
    moved = np.flatnonzero(out != count[0])
    assert moved.size == 160 * percent
    assert np.array_equal(moved[1::2], moved[::2] + 1)
    assert np.array_equal(out[moved[::2]], count[0, moved[1::2]])
    assert np.array_equal(out[moved[1::2]], count[0, moved[::2]])


def test_flip_samples_may_swap_any_pair() -> None:
    flipped = {
        int(
            (FlipSamples(percent=1)(np.arange(1, 6, dtype=np.float32)[None], 16_000, [seed])[0] != range(1, 6)).argmax()
        )
        for seed in range(50)
    }
    assert flipped == {0, 1, 2, 3}


def test_block_shuffle_moves_every_block_whole(run: Callable[..., Audio], count: Audio) -> None:
    out = run(BlockShuffle(block_ms=50), count)[0]
    assert np.array_equal(np.sort(out), count[0])
    assert not (out == count[0]).any()
    cuts = np.flatnonzero(np.diff(out) != 1) + 1
    assert 15 <= cuts.size <= 20
    inner = sorted(np.diff(np.concatenate([[0], cuts, [16_000]])))[2:]  # without the first and the last block
    assert all(size % 800 == 0 or size < 1600 for size in inner)


def test_block_reverse(run: Callable[..., Audio]) -> None:
    clip = np.arange(1, 8, dtype=np.float32)[None]
    assert BlockReverse(block_ms=1)(clip, 3000, [0])[0].tolist() == [3, 2, 1, 6, 5, 4, 7]


@pytest.mark.parametrize("duration_ms", [10, 100])
def test_repeat_part_says_something_twice(run: Callable[..., Audio], count: Audio, duration_ms: int) -> None:
    out = run(RepeatPart(duration_ms=duration_ms), count)[0]
    size = 16 * duration_ms
    changed = np.flatnonzero(out != count[0])
    assert np.array_equal(changed, np.arange(changed[0], changed[0] + size))
    assert np.array_equal(out[changed], count[0, changed - size])


def test_repeat_part_of_a_short_clip(run: Callable[..., Audio]) -> None:
    assert run(RepeatPart(duration_ms=100), np.array([[1, 2, 3, 4]], dtype=np.float32)).tolist() == [[1, 2, 1, 2]]


@pytest.mark.parametrize("rate", [8000, 44_100])
def test_durations_follow_the_sample_rate(rate: int) -> None:
    clip = np.arange(1, rate + 1, dtype=np.float32)[None]
    repeated = RepeatPart(duration_ms=20)(clip, rate, [0])
    assert np.count_nonzero(repeated != clip) == 0.02 * rate
    assert CutSamples(pieces=20)(clip[:, : rate // 2], rate, [0]).shape == (1, rate // 2 - 200)


@pytest.mark.parametrize(
    ("cls", "strength"),
    [
        (Crop, {"percent": 0}),
        (Crop, {"percent": 100}),
        (Crop, {"position": "left"}),
        (TrimStart, {"cut_samples": 0}),
        (CutSamples, {"pieces": 0}),
        (InsertSilence, {"length_samples": 0}),
        (FlipSamples, {"percent": 0}),
        (BlockShuffle, {"block_ms": 0}),
    ],
)
def test_what_would_do_nothing_or_leave_nothing_is_refused(cls: type[Attack], strength: dict[str, Any]) -> None:
    with pytest.raises(AttackError, match=f"of {cls.name} must be"):
        cls(**strength)


CLIPS = music_like(4, 16_000, 16_000, seed=8)
FLAWED = [
    (Crop(position="middle"), CLIPS[:, :12_000], "kept_percent"),
    (Crop(position="start"), CLIPS[:, 2000:], "removed_percent"),
    (Crop(position="end"), CLIPS[:, 4000:], "kept_percent"),
    (TrimStart(cut_samples=10), CLIPS[:, :-10], "kept_percent"),
    (CutSamples(), CLIPS[:, 400:], "seams_per_s"),
    (CutSamples(), CLIPS[:, 400:] * np.float32(0.99), "seams_per_s"),
    (InsertSilence(), np.pad(CLIPS, ((0, 0), (0, 200))), "pieces_per_s"),
    (InsertSilence(), InsertSilence()(np.roll(CLIPS, 1, axis=1), 16_000, range(4)), "kept_percent"),
    (InsertSilence(), np.insert(CLIPS, np.repeat(np.arange(1, 11) * 1000, 20), 0, axis=1), "at_crossings_percent"),
    (FlipSamples(percent=5), FlipSamples(percent=1)(CLIPS, 16_000, range(4)), "swapped_percent"),
    (FlipSamples(percent=5), np.roll(CLIPS, 1, axis=1), "stray_percent"),
    (BlockShuffle(block_ms=50), np.roll(CLIPS, 800, axis=1), "seams_per_s"),
    (BlockShuffle(block_ms=50), CLIPS * np.float32(0.99), "kept_percent"),
    (BlockReverse(block_ms=50), CLIPS[:, ::-1], "moved_percent"),
    (RepeatPart(duration_ms=50), RepeatPart(duration_ms=20)(CLIPS, 16_000, range(4)), "overwritten_ms"),
    (RepeatPart(duration_ms=50), CLIPS * (np.abs(np.arange(16_000) - 8000) > 400), "repeated_percent"),
]


@pytest.mark.parametrize(("attack", "wrong", "quantity"), FLAWED, ids=lambda value: getattr(value, "id", None))
def test_what_does_something_else_breaks_the_claim(attack: Attack, wrong: Audio, quantity: str) -> None:
    assert not broken_claims(attack, CLIPS, attack(CLIPS, 16_000, range(4)))
    assert quantity in broken_claims(attack, CLIPS, wrong)
