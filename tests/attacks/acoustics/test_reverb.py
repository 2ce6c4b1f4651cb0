"""Rooms: the direct sound stays bit for bit where it was, and what is added behind it obeys acoustics."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytest

from sealproof.attacks import Attacked, AttackError, Audio, get_attack
from sealproof.attacks.acoustics.reverb import (
    ROOM,
    SOURCE,
    SPEED_OF_SOUND,
    Echo,
    Reverb,
    Shoebox,
    eyring_rt60_s,
    polack_response,
    reverberation_time_ms,
    shoebox_response,
)
from sealproof.attacks.testing import broken_claims

STANDARD = [attack for cls in (Echo, Reverb, Shoebox) for attack in cls.standard()]


def broken(cls: type[Echo | Reverb], apply_batch: Callable[..., Any]) -> Any:
    """A subclass that still claims what its parent does."""
    return dataclass(frozen=True, kw_only=True)(
        cast("type[Any]", type("Broken", (cls,), {"apply_batch": apply_batch}))
    )()


@pytest.mark.parametrize(("delay_ms", "gain", "delay"), [(100, 0.3, 1600), (12.5, 1.0, 200), (1, 0.5, 16)])
def test_impulse_response(run: Callable[..., Audio], delay_ms: float, gain: float, delay: int) -> None:
    impulse = np.zeros((1, 4000), dtype=np.float32)
    impulse[0, 7] = 0.5
    wanted = impulse.copy()
    wanted[0, 7 + delay] = 0.5 * gain
    np.testing.assert_allclose(run(get_attack("echo", delay_ms=delay_ms, gain=gain), impulse), wanted, rtol=1e-6)


def test_the_delay_is_a_time_not_a_number_of_samples(run: Callable[..., Audio]) -> None:
    impulse = np.zeros((1, 9000), dtype=np.float32)
    impulse[0, 0] = 1
    assert run(get_attack("echo.100ms.0.5x"), impulse, 48_000).nonzero()[1].tolist() == [0, 4800]


def test_a_clip_shorter_than_the_delay_is_unchanged(run: Callable[..., Audio], music: Audio) -> None:
    short = music[:, :1600]
    assert np.array_equal(run(get_attack("echo.100ms.0.5x"), short), short)
    assert not np.array_equal(run(get_attack("echo.100ms.0.5x"), music[:, :1601]), music[:, :1601])


def test_a_delay_of_no_sample_is_refused(run: Callable[..., Audio], music: Audio) -> None:
    with pytest.raises(AttackError, match=r"at least half a sample at 400 Hz\. Got 1"):
        run(Echo(delay_ms=1), music, 400)


def test_an_echo_that_is_peak_normalised_breaks_its_claim(music: Audio) -> None:
    def normalised(self: Echo, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator]) -> Attacked:
        done = Echo.apply_batch(self, batch, sample_rate, rngs)
        done.audio[:] /= np.abs(done.audio).max(axis=1, keepdims=True)
        return done

    assert broken_claims(broken(Echo, normalised), music) == {"direct_gain", "echo_gain"}


def test_a_delayed_direct_sound_breaks_the_claims(music: Audio) -> None:
    def late(self: Echo, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator]) -> Attacked:
        done = Echo.apply_batch(self, batch, sample_rate, rngs)
        done.audio[:] = np.roll(done.audio, 20, axis=1)
        return done

    assert "delay_samples" in broken_claims(broken(Echo, late), music)


@pytest.mark.parametrize("attack", [Reverb(), Reverb(drr_db=0), Shoebox(), Shoebox(distance_m=4)], ids=lambda a: a.id)
def test_the_direct_sound_is_neither_delayed_nor_scaled(run: Callable[..., Audio], attack: Reverb | Shoebox) -> None:
    impulse = np.zeros((1, 4000), dtype=np.float32)
    impulse[0, 7] = 0.7
    heard = run(attack, impulse)[0]
    assert heard[7] == np.float32(0.7)
    # What the FFT leaves before the direct sound is rounding.
    assert np.abs(heard[:7]).max() < 1e-7
    assert np.abs(heard[8:]).max() > 1e-3


@pytest.mark.parametrize("rt60_ms", [200, 500, 1000])
def test_reverberation_time_and_ratio_of_a_random_room(rt60_ms: int) -> None:
    response = polack_response(rt60_ms, 6, 16_000, np.random.default_rng(1))
    assert reverberation_time_ms(response, 16_000) == pytest.approx(rt60_ms, rel=0.06)
    assert 10 * math.log10(1 / np.sum(response[1:] ** 2)) == pytest.approx(6, abs=1e-9)


def test_schroeder_integration_of_a_pure_decay_is_exact() -> None:
    time = np.arange(32_000) / 16_000
    assert reverberation_time_ms(10 ** (-3 * time / 0.4), 16_000) == pytest.approx(400, rel=1e-3)
    assert math.isnan(reverberation_time_ms(np.array([1.0]), 16_000))
    assert math.isnan(reverberation_time_ms(np.array([1.0, 0.0, 0.0]), 16_000))


def test_every_clip_gets_a_room_of_its_own(run: Callable[..., Audio], music: Audio) -> None:
    twice = run(Reverb(), np.stack([music[0], music[0]]))
    assert not np.array_equal(twice[0], twice[1])


def test_a_room_that_does_not_reverberate_as_long_as_stated_breaks_the_claim(music: Audio) -> None:
    def shorter(self: Reverb, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator]) -> Attacked:
        return Reverb(rt60_ms=0.7 * self.rt60_ms).apply_batch(batch, sample_rate, rngs)

    assert broken_claims(broken(Reverb, shorter), music) == {"rt60_ms"}


def test_first_reflections_of_the_shoebox_are_those_of_geometry() -> None:
    response = shoebox_response(1.0, 0.4, 16_000)
    x, _, z = SOURCE
    paths = {
        "floor": math.hypot(1, 2 * z),
        "ceiling": math.hypot(1, 2 * (ROOM[2] - z)),
        "back": 2 * x + 1,
    }
    for length in paths.values():
        arrival = round((length - 1) / SPEED_OF_SOUND * 16_000)
        around = response[arrival - 5 : arrival + 6]
        assert around.argmax() == 5
        # The high-pass lets each reflection fall a little below zero, on which the next one stands.
        assert response[arrival] - response[arrival - 1] == pytest.approx(math.sqrt(0.6) / length, rel=0.05)
    first = round((min(paths.values()) - 1) / SPEED_OF_SOUND * 16_000)
    assert not response[1:first].any()


def test_the_shoebox_counts_every_image_once() -> None:
    """Against the plain triple loop over images, for a room so absorbent that few matter."""
    absorption, distance = 0.9, 1.0
    wanted: dict[Any, Any] = {}
    reach = distance + SPEED_OF_SOUND * eyring_rt60_s(absorption)
    images = []
    for length, source in zip(ROOM, SOURCE, strict=True):
        walls = range(-6, 7)
        # Mirrored at k walls along one axis; odd ones are the mirror image, even ones the source moved by two rooms.
        images.append([(k * length + (source if k % 2 == 0 else length - source), abs(k)) for k in walls])
    microphone = (SOURCE[0] + distance, *SOURCE[1:])
    for x, i in images[0]:
        for y, j in images[1]:
            for z, k in images[2]:
                r = math.dist((x, y, z), microphone)
                if r <= reach and i + j + k:
                    arrival = round((r - distance) / SPEED_OF_SOUND * 16_000)
                    wanted[arrival] = wanted.get(arrival, 0) + (1 - absorption) ** ((i + j + k) / 2) * distance / r
    plain = np.zeros(shoebox_response(distance, absorption, 16_000).size)
    for arrival, amplitude in wanted.items():
        plain[arrival] = amplitude
    from scipy import signal

    filtered = signal.sosfilt(signal.butter(2, 50, "highpass", fs=16_000, output="sos"), plain)
    np.testing.assert_allclose(shoebox_response(distance, absorption, 16_000)[1:], filtered[1:], atol=1e-12)


def test_softer_walls_and_a_nearer_microphone_leave_more_of_the_direct_sound() -> None:
    def reverberation(distance: int, absorption: float) -> float:
        return np.sum(shoebox_response(distance, absorption, 16_000)[1:] ** 2)

    assert reverberation(1, 0.2) > 1.5 * reverberation(1, 0.4) > 2 * reverberation(1, 0.7)
    # Diffuse sound is everywhere the same, the direct sound falls by 6 dB for each doubling.
    assert 10 * math.log10(reverberation(2, 0.2) / reverberation(1, 0.2)) == pytest.approx(6, abs=2)
