"""Detours keep the lower band and delay nothing; speed moves pitch and length; jitter makes the noise of the theory."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sealproof.attacks import Attack, AttackError, Audio, get_attack
from sealproof.attacks.testing import broken_claims, music_like
from sealproof.attacks.timing.resampling import (
    Aliasing,
    Detour,
    Jitter,
    Resample,
    ResampleLinear,
    Speed,
    Upsample,
    pitch_change_cents,
    sampled_at,
)
from sealproof.attacks.verification.measure import lag_samples, level_change_db, snr_db

CLASSES: list[type[Attack]] = [Resample, Upsample, ResampleLinear, Aliasing, Jitter, Speed]
STANDARD = [attack for cls in CLASSES for attack in cls.standard()]


def test_no_two_strengths_do_the_same(run: Callable[..., Audio], music: Audio) -> None:
    assert len({run(attack, music[:1]).tobytes() for attack in STANDARD}) == len(STANDARD)


@pytest.mark.parametrize("via_hz", [12_000, 11_025, 8000, 4000])
def test_nothing_is_left_above_half_the_detour_rate(run: Callable[..., Audio], via_hz: int) -> None:
    noise = np.random.default_rng(0).standard_normal((1, 16_000)).astype(np.float32)
    out = run(get_attack("resample", via_hz=via_hz), noise)[0]
    window = np.hanning(out.size)
    frequencies = np.fft.rfftfreq(out.size, 1 / 16_000)
    change_db = 20 * np.log10(np.abs(np.fft.rfft(out * window)) / np.abs(np.fft.rfft(noise[0] * window)))
    assert np.median(change_db[frequencies > 0.51 * via_hz]) < -80
    assert np.median(change_db[frequencies < 0.45 * via_hz]) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize(
    "attack",
    [Resample(via_hz=via) for via in (12_000, 11_025, 8000, 4000)]
    + [Upsample(via_hz=via) for via in (22_050, 44_100, 48_000)],
    ids=lambda attack: attack.id,
)
def test_the_pass_band_comes_back_unmoved(
    run: Callable[..., Audio], tone: Callable[..., Audio], attack: Resample | Upsample
) -> None:
    sine = tone(700.0)
    out = run(attack, sine)
    assert out.shape == sine.shape
    assert snr_db(sine[:, 500:-500], out[:, 500:-500])[0] > 60
    assert not np.array_equal(out, sine)


@pytest.mark.parametrize("via_hz", [11_025, 4000])
def test_no_delay(run: Callable[..., Audio], music: Audio, via_hz: int) -> None:
    assert (lag_samples(music, run(get_attack("resample", via_hz=via_hz), music), 100) == 0).all()


def test_the_detour_is_taken_at_the_rate_of_the_clip(run: Callable[..., Audio], tone: Callable[..., Audio]) -> None:
    """A clip labelled 8 kHz loses what the same one labelled 16 kHz loses by a detour over twice the rate."""
    sine = tone(1500.0)
    half = get_attack("resample", via_hz=4000)(sine, 8000, [0])
    np.testing.assert_allclose(half, run(get_attack("resample", via_hz=8000), sine), atol=1e-6)


@pytest.mark.parametrize(
    ("attack", "rule"),
    [
        (Resample(via_hz=16_000), "resample must be below"),
        (ResampleLinear(via_hz=44_100), "resample_linear must be below"),
        (Upsample(via_hz=16_000), "upsample must be above"),
        (Upsample(via_hz=8000), "upsample must be above"),
    ],
    ids=lambda value: getattr(value, "id", None),
)
def test_a_detour_in_the_wrong_direction_is_refused(
    run: Callable[..., Audio], music: Audio, attack: Detour, rule: str
) -> None:
    text = f"The 'via_hz' of {rule} the sample rate of 16000 Hz. Got {attack.via_hz}"
    with pytest.raises(AttackError, match=text):
        run(attack, music)


def test_linear_interpolation_weakens_a_tone_and_leaves_its_image(
    run: Callable[..., Audio], tone: Callable[..., Audio]
) -> None:
    """Every second sample is a mean of two others: (1 + cos w) / 2 is left at w, (1 - cos w) / 2 appears at pi - w."""
    spectrum = np.abs(np.fft.rfft(run(ResampleLinear(via_hz=8000), tone(1000.0, 1.0))[0])) / 8000
    cosine = np.cos(2 * np.pi * 1000 / 16_000)
    assert spectrum[1000] == pytest.approx((1 + cosine) / 2, abs=1e-3)
    assert spectrum[7000] == pytest.approx((1 - cosine) / 2, abs=1e-3)


@pytest.mark.parametrize(("attack", "folded"), [(ResampleLinear(via_hz=8000), 1000), (Aliasing(factor=2), 1000)])
def test_without_a_filter_a_high_tone_comes_back_low(
    run: Callable[..., Audio],
    tone: Callable[..., Audio],
    peak_hz: Callable[[Audio], float],
    attack: Aliasing | ResampleLinear,
    folded: int,
) -> None:
    assert peak_hz(run(attack, tone(7000.0))[0]) == pytest.approx(folded, abs=1)


def test_aliasing_holds_every_nth_sample(run: Callable[..., Audio]) -> None:
    clip = np.arange(1, 11, dtype=np.float32)[None]
    assert run(Aliasing(factor=4), clip)[0].tolist() == [1, 1, 1, 1, 5, 5, 5, 5, 9, 9]


def test_reading_between_the_samples_is_exact(run: Callable[..., Audio]) -> None:
    """Fading sines up to 0.9 of Nyquist are known everywhere, so also at random places between the samples."""

    def wave(time: NDArray[Any]) -> NDArray[np.float64]:
        return np.sin(np.pi * time / 4000) ** 2 * sum(
            np.sin(2 * np.pi * f * time + f) for f in (0.01, 0.123, 0.3, 0.45)
        )

    places = np.random.default_rng(1).uniform(0, 3999, 2000)
    read = sampled_at(wave(np.arange(4000)).astype(np.float32), places)
    assert 10 * np.log10(np.mean((read - wave(places)) ** 2) / np.mean(wave(places) ** 2)) < -90


def test_reading_outside_the_clip_holds_its_ends() -> None:
    clip = np.array([0.5, -0.25, 0.75], dtype=np.float32)
    np.testing.assert_allclose(sampled_at(clip, np.array([-5.0, 0, 1, 2, 9])), [0.5, 0.5, -0.25, 0.75, 0.75], atol=1e-6)


@pytest.mark.parametrize("std", [0.05, 0.5])
@pytest.mark.parametrize("frequency", [500.0, 6000.0])
def test_jitter_makes_as_much_noise_as_theory_says(
    run: Callable[..., Audio], tone: Callable[..., Audio], std: float, frequency: float
) -> None:
    sine = tone(frequency)
    omega = 2 * np.pi * frequency / 16_000
    expected_db = -10 * np.log10(2 * (1 - np.exp(-((omega * std) ** 2) / 2)))
    assert snr_db(sine, run(Jitter(std_samples=std), sine))[0] == pytest.approx(expected_db, abs=0.3)


@pytest.mark.parametrize("factor", [0.5, 0.9, 0.99, 1.01, 1.1, 2])
def test_speed_moves_the_pitch_and_the_length(
    run: Callable[..., Audio], tone: Callable[..., Audio], peak_hz: Callable[[Audio], float], factor: float
) -> None:
    out = run(get_attack("speed", factor=factor), tone(1000.0))
    assert out.shape == (1, round(16_000 / factor))
    assert peak_hz(out[0]) == pytest.approx(1000 * factor, rel=1e-3)


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_speed_keeps_level_up_to_the_last_samples(
    run: Callable[..., Audio], tone: Callable[..., Audio], factor: float
) -> None:
    sine = tone(400.0)
    out = run(get_attack("speed", factor=factor), sine)
    assert level_change_db(sine[:, -400:], out[:, -400:])[0] == pytest.approx(0, abs=1)
    assert abs(level_change_db(sine, out)[0]) < 0.1


def test_slowing_down_undoes_speeding_up(run: Callable[..., Audio], music: Audio) -> None:
    back = run(get_attack("speed.0.8x"), run(get_attack("speed.1.25x"), music))
    lowpassed = run(get_attack("lowpass.5khz"), music)
    assert (snr_db(lowpassed, run(get_attack("lowpass.5khz"), back)) > 25).all()


def test_the_pitch_of_silence_and_of_very_short_clips_is_unknown(music: Audio) -> None:
    silence = np.zeros((1, 16_000), dtype=np.float32)
    assert np.isnan(pitch_change_cents(silence, silence, 16_000)).all()
    assert np.isnan(pitch_change_cents(music[:, :800], music[:, :800], 16_000)).all()


CLIPS = music_like(4, 16_000, 16_000, seed=8)


@pytest.mark.parametrize(
    ("attack", "wrong", "quantity"),
    [
        (Resample(via_hz=8000), CLIPS * np.float32(0.99), "stop_band_db"),
        (Resample(via_hz=8000), Resample(via_hz=4000)(CLIPS, 16_000, range(4)), "pass_band_snr_db"),
        (Upsample(via_hz=44_100), np.rint(CLIPS * 2048) / 2048, "pass_band_snr_db"),
        (ResampleLinear(via_hz=8000), Resample(via_hz=8000)(CLIPS, 16_000, range(4)), "images_db"),
        (ResampleLinear(via_hz=8000), np.roll(CLIPS, 1, axis=1), "common_samples_kept_percent"),
        (Aliasing(factor=3), Aliasing(factor=2)(CLIPS, 16_000, range(4)), "held_percent"),
        (Jitter(std_samples=0.1), Jitter(std_samples=0.2)(CLIPS, 16_000, range(4)), "noise_over_theory_db"),
        (Speed(factor=1.01), CLIPS[:, :15_842], "pitch_cents"),
        (Speed(factor=0.5), np.tile(CLIPS, 2), "pitch_cents"),
    ],
    ids=lambda value: getattr(value, "id", None),
)
def test_what_does_something_else_breaks_the_claim(attack: Attack, wrong: Audio, quantity: str) -> None:
    assert not broken_claims(attack, CLIPS, attack(CLIPS, 16_000, range(4)))
    assert quantity in broken_claims(attack, CLIPS, wrong)
