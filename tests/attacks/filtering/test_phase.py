"""Phases turn as stated, and magnitudes stay."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal

from sealproof.attacks import Attack, AttackError, Audio
from sealproof.attacks.filtering.phase import Allpass, PhaseRotation, RandomPhase
from sealproof.attacks.testing import broken_claims, music_like
from sealproof.attacks.verification.measure import level_change_db, snr_db

CLASSES: list[type[Attack]] = [PhaseRotation, RandomPhase, Allpass]
STANDARD = [attack for cls in CLASSES for attack in cls.standard()]


def test_no_two_strengths_do_the_same(run: Callable[..., Audio], music: Audio) -> None:
    assert len({run(attack, music[:1]).tobytes() for attack in STANDARD}) == len(STANDARD)


@pytest.mark.parametrize("angle", [30, 90, 135])
@pytest.mark.parametrize("frequency", [100, 3000])
def test_every_tone_turns_by_the_angle(run: Callable[..., Audio], angle: int, frequency: int) -> None:
    turns = 2 * np.pi * frequency * np.arange(16_000) / 16_000
    out = run(PhaseRotation(angle_degrees=angle), np.cos(turns).astype(np.float32)[None])[0]
    np.testing.assert_allclose(out, np.cos(turns + np.deg2rad(angle)), atol=1e-5)


def test_two_quarter_turns_are_a_change_of_polarity(run: Callable[..., Audio], music: Audio) -> None:
    quarter = PhaseRotation(angle_degrees=90)
    no_dc = music - music.mean(axis=1, keepdims=True, dtype=np.float64).astype(np.float32)
    np.testing.assert_allclose(run(quarter, run(quarter, no_dc)), -no_dc, atol=1e-3)


@pytest.mark.parametrize("samples", [1000, 1001, 1009])
def test_rotation_is_that_of_the_analytic_signal(run: Callable[..., Audio], samples: int) -> None:
    noise = np.random.default_rng(0).standard_normal((1, samples)).astype(np.float32)
    expected = np.real(signal.hilbert(noise[0]) * np.exp(0.25j * np.pi))
    out = run(PhaseRotation(angle_degrees=45), noise)[0]
    # They part at DC and Nyquist alone, which scipy's analytic signal turns into real parts as well.
    np.testing.assert_allclose(out, expected, atol=1e-5)


@pytest.mark.parametrize(("angle", "snr"), [(22.5, 18.78), (45, 12.42), (90, 5.51), (180, -0.97)])
def test_random_phase_has_the_snr_of_the_formula(run: Callable[..., Audio], angle: float, snr: float) -> None:
    noise = np.random.default_rng(0).standard_normal((4, 16_000)).astype(np.float32)
    assert np.median(snr_db(noise, run(RandomPhase(max_degrees=angle), noise))) == pytest.approx(snr, abs=0.15)


def test_random_phase_keeps_noise_within_the_spectrum_of_the_clip(run: Callable[..., Audio]) -> None:
    """Additive noise would fill the upper band; turned phases have nothing to turn there."""
    noise = np.random.default_rng(0).standard_normal(16_000)
    low = signal.sosfilt(signal.butter(8, 2000, fs=16_000, output="sos"), noise).astype(np.float32)[None]
    power = np.abs(np.fft.rfft(run(RandomPhase(max_degrees=180), low)[0] * np.hanning(16_000))) ** 2
    assert 10 * np.log10(power[5000:].sum() / power[:2000].sum()) < -60
    assert np.median(power[4000:]) < 1e-6 * np.median(power[:1500])


def test_random_phase_rebuilds_the_clip_where_it_turns_nothing(run: Callable[..., Audio], music: Audio) -> None:
    out = run(RandomPhase(max_degrees=1e-4), music)
    np.testing.assert_allclose(out, music, atol=1e-5)


@pytest.mark.parametrize("sections", [1, 16])
def test_allpass_passes_all_and_delays_by_its_formula(run: Callable[..., Audio], sections: int) -> None:
    impulse = np.zeros((1, 16_000), dtype=np.float32)
    impulse[0, 0] = 1
    response = run(Allpass(sections=sections), impulse)[0].astype(np.float64)
    spectrum = np.fft.rfft(response)
    np.testing.assert_allclose(np.abs(spectrum), 1, atol=1e-4)
    delay = np.real(np.fft.rfft(np.arange(16_000) * response) / spectrum)  # the group delay, in samples
    assert delay[1000] == pytest.approx(sections * 4 * 0.5**0.5 / np.sin(2 * np.pi * 1000 / 16_000), rel=1e-3)
    assert delay[10] == pytest.approx(delay[1000], rel=0.05)
    assert delay[4000] == pytest.approx(0.584 * sections, rel=0.01)


def test_allpass_keeps_the_level_of_a_tone(run: Callable[..., Audio], tone: Callable[..., Audio]) -> None:
    sine = tone(1000.0)
    out = run(Allpass(sections=64), sine)
    assert level_change_db(sine[:, 4000:], out[:, 4000:])[0] == pytest.approx(0, abs=0.01)


def test_what_is_no_matter_of_phase_is_refused(run: Callable[..., Audio], music: Audio) -> None:
    with pytest.raises(AttackError, match="of phase_rotation must be a finite number above 0 and below 180"):
        PhaseRotation(angle_degrees=180)
    with pytest.raises(AttackError, match="The 'centre_hz' of allpass must be below 8000 Hz"):
        run(Allpass(centre_hz=8000), music)


CLIPS = music_like(4, 16_000, 16_000, seed=8)
NOISE = np.random.default_rng(2).standard_normal(CLIPS.shape)
FLAWED = [
    (PhaseRotation(angle_degrees=45), CLIPS * np.float32(0.7), "rotation_degrees"),
    (PhaseRotation(angle_degrees=45), np.roll(CLIPS, 3, axis=1), "coherence"),
    (RandomPhase(max_degrees=45), CLIPS + 10 ** (-12.4 / 20) * CLIPS.std() * NOISE, "kept_gain"),
    (RandomPhase(max_degrees=90), RandomPhase(max_degrees=45)(CLIPS, 16_000, range(4)), "snr_db"),
    (Allpass(sections=1), CLIPS * np.float32(0.99), "phase_error_degrees"),
    (Allpass(sections=16), Allpass(sections=15)(CLIPS, 16_000, range(4)), "phase_error_degrees"),
    (Allpass(), np.float32(0.8) * Allpass()(CLIPS, 16_000, range(4)), "kept_level_db"),
]


@pytest.mark.parametrize(("attack", "wrong", "quantity"), FLAWED, ids=lambda value: getattr(value, "id", None))
def test_what_does_something_else_breaks_the_claim(attack: Attack, wrong: NDArray[Any], quantity: str) -> None:
    assert not broken_claims(attack, CLIPS, attack(CLIPS, 16_000, range(4)))
    assert quantity in broken_claims(attack, CLIPS, wrong)
