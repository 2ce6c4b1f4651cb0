"""Modulation: measured are the movement of the delay and what it does to tones."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from sealproof.attacks import Attack, AttackError, Audio
from sealproof.attacks.acoustics.modulation import Chorus, Flanger, Phaser, Vibrato, delay_track_ms, read_at
from sealproof.attacks.testing import broken_claims

STANDARD = [attack for cls in (Vibrato, Flanger, Chorus, Phaser) for attack in cls.standard()]


def broken(cls: type[Attack], **methods: Any) -> Any:
    """A subclass that still claims what its parent does."""
    return dataclass(frozen=True, kw_only=True)(cast("type[Any]", type("Broken", (cls,), methods)))()


@pytest.mark.parametrize("frequency", [100, 1000, 4000, 7000])
@pytest.mark.parametrize("shift", [0.25, 0.5, 3.7, -2.3])
def test_a_tone_is_read_between_its_samples(tone: Callable[..., Audio], frequency: int, shift: float) -> None:
    sine = tone(frequency)[0]
    places = np.arange(200, 15_000)
    read = (places - shift).astype(np.float64)
    wanted = 0.5 * np.sin(2 * np.pi * frequency * read / 16_000)
    # At 7 kHz a place between two samples loses 0.6 dB.
    np.testing.assert_allclose(read_at(sine, read), wanted, atol=0.5 * 0.08)


def test_beyond_the_clip_is_silence(tone: Callable[..., Audio]) -> None:
    value = read_at(tone(1000)[0], np.array([-1e9, -50, 16_100, 1e9]))
    np.testing.assert_allclose(value, 0, atol=1e-9)


def test_the_delay_track_follows_a_fixed_delay(music: Audio) -> None:
    late = np.pad(music, ((0, 0), (37, 0)))[:, : music.shape[1]]
    times, tracks = delay_track_ms(music, late, 16_000, -5, 5)
    assert times.size > 20
    np.testing.assert_allclose(np.median(tracks, axis=1), 37 / 16, atol=0.01)
    assert np.isnan(delay_track_ms(0 * music, late, 16_000, -5, 5)[1]).all()


@pytest.mark.parametrize("attack", [Vibrato(depth_cents=50), Vibrato(depth_cents=100, rate_hz=2)], ids=lambda a: a.id)
def test_vibrato_bends_a_tone_by_its_depth_at_its_rate(
    run: Callable[..., Audio], tone: Callable[..., Audio], attack: Vibrato
) -> None:
    from scipy.signal import hilbert

    bent = run(attack, tone(1000))[0].astype(np.float64)
    phase = np.unwrap(np.angle(hilbert(bent)))
    cents = 1200 * np.log2(np.diff(phase)[1000:-1000] * 16_000 / (2 * np.pi) / 1000)
    assert cents.max() == pytest.approx(attack.depth_cents, rel=0.05)
    time = (np.arange(cents.size) + 1000.5) / 16_000
    # The pitch is highest where the delay shrinks fastest: at the start of each cycle.
    swing = 2 * np.mean(cents * np.cos(2 * np.pi * attack.rate_hz * time))
    assert swing == pytest.approx(attack.depth_cents, rel=0.1)


def test_vibrato_keeps_level_and_length(run: Callable[..., Audio], music: Audio) -> None:
    bent = run(Vibrato(depth_cents=50), music)
    assert bent.shape == music.shape
    assert np.std(bent) == pytest.approx(np.std(music), rel=0.02)


def test_a_vibrato_that_does_not_move_breaks_its_claim(music: Audio) -> None:
    still = broken(Vibrato, delays_ms=lambda self, time: np.full((1, time.size), 0.3))
    assert broken_claims(still, music) == {"swing_ms"}


def test_a_vibrato_at_another_rate_breaks_its_claim(music: Audio) -> None:
    def faster(self: Vibrato, time: NDArray[np.float64]) -> NDArray[np.float64]:
        return -self._swing_ms * np.sin(2 * np.pi * 3 * self.rate_hz * time)[None]

    assert broken_claims(broken(Vibrato, delays_ms=faster), music) == {"swing_ms"}


def test_the_flanger_is_a_comb_whose_delay_moves(run: Callable[..., Audio]) -> None:
    impulses = np.zeros((1, 16_000), dtype=np.float32)
    impulses[0, ::1000] = 1
    heard = run(Flanger(delay_ms=5, rate_hz=1, gain=0.5), impulses)[0]
    # The slowest moment is in the middle of the cycle: there the copy is 5 ms = 80 samples behind.
    assert heard[8080] == pytest.approx(0.5, abs=0.04)
    assert heard[8000] == pytest.approx(1, abs=1e-4)
    assert heard[0] == pytest.approx(1.5, abs=0.04)


def test_flanger_without_movement_breaks_its_claim(music: Audio) -> None:
    still = broken(Flanger, delays_ms=lambda self, time: np.full((1, time.size), 2.5))
    assert broken_claims(still, music) == {"swing_ms"}


@pytest.mark.parametrize("cls", [Flanger, Chorus, Phaser])
def test_the_direct_sound_is_neither_delayed_nor_normalised(
    cls: type[Chorus | Flanger | Phaser], run: Callable[..., Audio], music: Audio
) -> None:
    """Half the gain adds half the copy: everything but the copy is the clip itself."""
    full, half = (run(cls(gain=gain), music).astype(np.float64) - music for gain in (0.8, 0.4))
    np.testing.assert_allclose(full, 2 * half, atol=1e-6)


def test_chorus_copies_lie_where_they_should(run: Callable[..., Audio]) -> None:
    impulses = np.zeros((1, 16_000), dtype=np.float32)
    impulses[0, ::2000] = 1
    added = run(Chorus(voices=2, depth_ms=3, gain=1), impulses)[0] - impulses[0]
    for start in range(2000, 14_000, 2000):
        heard = np.flatnonzero(np.abs(added[start : start + 2000]) > 0.1) / 16
        assert heard.size
        assert 16.5 < heard.min() < heard.max() < 28.5
    assert np.sum(added**2) == pytest.approx(7 + 1, abs=2)  # eight impulses, each at the gain in all


def test_a_chorus_on_top_of_the_clip_breaks_its_claim(music: Audio) -> None:
    early = broken(Chorus, delays_ms=lambda self, time: Chorus.delays_ms(self, time) - 17)
    assert "added_delay_ms" in broken_claims(early, music)


def test_the_phaser_turns_phases_and_keeps_magnitudes(run: Callable[..., Audio]) -> None:
    """At a rate so low that the filters stand still, against the formula of the all-pass at 300 Hz."""
    attack = Phaser(filters=4, rate_hz=0.05, gain=1)
    impulse = np.zeros((1, 1600), dtype=np.float32)
    impulse[0, 0] = 1
    passed = np.fft.rfft(run(attack, impulse)[0] - impulse[0])
    frequency = np.fft.rfftfreq(1600, 1 / 16_000)
    np.testing.assert_allclose(np.abs(passed), 1, atol=0.02)
    # A first-order all-pass turns by -2 atan(tan(pi f / fs) / tan(pi 300 / fs)), plus the delay of one sample in all.
    turned = -2 * np.arctan(np.tan(np.pi * frequency / 16_000) / math.tan(np.pi * 300 / 16_000))
    np.testing.assert_allclose(np.exp(1j * 4 * turned)[:-1], passed[:-1], atol=0.1)


def test_the_moving_all_pass_is_the_plain_recursion(run: Callable[..., Audio], music: Audio) -> None:
    attack = Phaser(filters=2, rate_hz=4, gain=1)
    clip = music[0, :400].astype(np.float64)
    cycle = 2 * np.pi * 4 * np.arange(400) / 16_000
    tangent = np.tan(np.pi * 300 * 10 ** ((1 - np.cos(cycle)) / 2) / 16_000)
    c = (tangent - 1) / (tangent + 1)
    for _ in range(2):
        turned = np.zeros(400)
        for n in range(400):
            turned[n] = c[n] * clip[n] + (clip[n - 1] - c[n] * turned[n - 1] if n else 0)
        clip = turned
    np.testing.assert_allclose(run(attack, music[:, :400])[0], music[0, :400] + clip, atol=1e-6)


def test_a_mere_gain_is_no_phaser(music: Audio) -> None:
    from sealproof.attacks.contract.base import Attacked

    louder = broken(Phaser, apply_batch=lambda self, batch, rate, rngs: Attacked(batch * np.float32(1.7)))
    assert broken_claims(louder, music) == {"notch_db"}


def test_the_phaser_needs_room_for_its_sweep(run: Callable[..., Audio], music: Audio) -> None:
    with pytest.raises(AttackError, match=r"must be above 6000 Hz\. Got 6000"):
        run(Phaser(), music, 6000)
