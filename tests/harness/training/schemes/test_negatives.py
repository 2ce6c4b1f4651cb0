"""Clean clips that a lazy detector would flag."""

from typing import TYPE_CHECKING

import numpy as np
import pytest

from sealproof.harness.training.schemes.negatives import (
    LOUDEST_DB,
    QUIETEST_DB,
    DrawnSounds,
    HardSounds,
    draw_sound,
    mean_marks,
    moved_in_frequency,
    peaks_of,
    with_sounds,
)

pytestmark = pytest.mark.usefixtures("one_torch_thread")

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch")

TIME = np.arange(8000) / 16_000


def sines(*hz: float) -> "torch.Tensor":
    return torch.from_numpy(np.stack([np.sin(2 * np.pi * one * TIME) for one in hz]).astype(np.float32)[:, None])


def test_sounds_are_of_rms_1_repeat_with_their_seed_and_differ() -> None:
    drawn = [draw_sound(8000, np.array([1200.0]), np.random.default_rng(seed)) for seed in range(60)]
    assert all(np.sqrt(np.mean(sound**2)) == pytest.approx(1, abs=0.01) for sound in drawn)
    again = draw_sound(8000, np.array([1200.0]), np.random.default_rng(3))
    np.testing.assert_array_equal(drawn[3], again)
    assert len({sound.tobytes() for sound in drawn}) == 60


def test_sounds_come_at_the_peaks_of_marks_and_elsewhere() -> None:
    strongest = []
    for seed in range(200):
        spectrum = np.abs(np.fft.rfft(draw_sound(8000, np.array([1203.0]), np.random.default_rng(seed))))
        strongest.append(spectrum.argmax() * 2)
    at_the_peak = np.mean(np.abs(np.array(strongest) - 1203) <= 3)
    assert 0.1 < at_the_peak < 0.5
    assert len(set(strongest)) > 80


def test_peaks_are_where_marks_are_strong() -> None:
    assert {1200.0, 2000.0} <= set(peaks_of(sines(1200, 2000)).round().tolist())


def test_sounds_have_their_levels_against_a_host_of_rms_1() -> None:
    sounds, places = HardSounds(0).draw(20, 8000, np.array([1000.0]), np.random.default_rng(0))
    level_db = 20 * np.log10(np.sqrt(np.mean(sounds**2, axis=1)))
    assert ((level_db > QUIETEST_DB - 0.1) & (level_db < LOUDEST_DB + 0.1)).all()
    assert level_db.std() > 3
    assert places.tolist() == [-1] * 20


def test_an_added_sound_follows_its_host() -> None:
    host = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 1, 8000)).astype(np.float32))
    host[1] *= 0.1
    sounds = np.full((2, 8000), 0.5, np.float32)
    added = with_sounds(host, sounds) - host
    torch.testing.assert_close(added[0], torch.full((1, 8000), 0.5 * float(host[0].square().mean().sqrt())))
    assert float(added[0].mean() / added[1].mean()) == pytest.approx(10, rel=0.1)


def test_the_hardest_sounds_are_remembered_and_come_again_until_they_fool_nobody() -> None:
    rng = np.random.default_rng(0)
    hard = HardSounds(3)
    new = np.full(5, -1)
    sounds = np.arange(5, dtype=np.float32)[:, None] * np.ones(80, np.float32)
    hard.learn(DrawnSounds(sounds, new), np.array([0.1, 0.9, 0.2, 0.8, 0.0]))
    assert sorted(hard.sounds[:, 0].tolist()) == [1, 2, 3]
    drawn, places = hard.draw(3, 80, np.array([1000.0]), rng)
    again = places >= 0
    np.testing.assert_array_equal(drawn[again], hard.sounds[places[again]])
    for _ in range(20):
        hard.learn(DrawnSounds(hard.sounds[[0]], np.array([0])), np.array([0.0]))
    assert hard.hardness[0] < 0.01
    hard.learn(DrawnSounds(np.full((1, 80), 7, np.float32), np.array([-1])), np.array([0.5]))
    assert hard.sounds[0, 0] == 7


def test_of_remembered_sounds_the_harder_ones_come_oftener() -> None:
    hard = HardSounds(2)
    sounds = np.array([[1.0] * 80, [2.0] * 80], np.float32)
    hard.learn(DrawnSounds(sounds, np.array([-1, -1])), np.array([0.9, 0.05]))
    rng = np.random.default_rng(0)
    places = np.concatenate([hard.draw(1, 80, np.array([1000.0]), rng).places for _ in range(400)])
    assert np.mean(places >= 0) == pytest.approx(0.5, abs=0.1)
    assert (places == 0).sum() > 2 * (places == 1).sum() > 0


def test_the_mean_keeps_what_marks_share_and_loses_the_rest() -> None:
    rng = np.random.default_rng(0)
    own = torch.from_numpy(rng.standard_normal((16, 1, 8000)).astype(np.float32))
    shared = sines(1000)
    (mean,) = mean_marks(own + shared, 1, rng)
    assert mean.square().mean().sqrt().item() == pytest.approx(1, abs=0.01)
    alike = (mean * shared[0]).mean() / (mean.square().mean() * shared.square().mean()).sqrt()
    assert alike > 0.85


def test_a_moved_mark_has_its_tone_elsewhere() -> None:
    moved = moved_in_frequency(sines(2000, 2000, 2000), np.random.default_rng(0))
    hz = torch.fft.rfft(moved[:, 0]).abs().argmax(1) * 2
    distance = (hz - 2000).abs()
    assert ((distance >= 28) & (distance <= 602)).all()
    assert len(set(hz.tolist())) == 3
