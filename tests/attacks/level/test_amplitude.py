"""Changes of the level: what they say is what a measurement finds, and a wrong change breaks their claims."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sealproof.attacks import Attack, Attacked, AttackError, Audio, get_attack
from sealproof.attacks.level.amplitude import (
    Clipping,
    DCOffset,
    Gain,
    LoudnessNormalise,
    PeakNormalise,
    Polarity,
    SoftClipping,
    _k_weighting,
    loudness_lufs,
)
from sealproof.attacks.testing import music_like
from sealproof.attacks.verification.measure import level_change_db
from sealproof.attacks.verification.verify import verify

RATE = 16_000
CLASSES: list[type[Attack]] = [Gain, PeakNormalise, LoudnessNormalise, Clipping, SoftClipping, Polarity, DCOffset]


@pytest.mark.parametrize("cls", CLASSES)
def test_the_strengths_of_a_sweep_differ(run: Callable[..., Audio], music: Audio, cls: type[Attack]) -> None:
    attacked = {run(attack, music).tobytes() for attack in cls.standard()}
    assert len(attacked) == len(cls.standard())


@pytest.mark.parametrize("gain_db", [-60, -6, 0.5, 12, 60])
def test_gain_is_the_measured_change_of_level(run: Callable[..., Audio], music: Audio, gain_db: float) -> None:
    louder = run(get_attack("gain", gain_db=gain_db), music)
    np.testing.assert_allclose(level_change_db(music, louder), gain_db, atol=1e-4)


@pytest.mark.parametrize(("gain_db", "factor"), [(20, 10), (-20, 0.1), (6.020599913, 2)])
def test_boost_and_duck_are_factors_of_amplitude_and_not_percentages(
    run: Callable[..., Audio], music: Audio, gain_db: float, factor: float
) -> None:
    np.testing.assert_allclose(run(Gain(gain_db=gain_db), music), factor * music, rtol=1e-6)


def test_gain_does_not_clip(run: Callable[..., Audio], music: Audio) -> None:
    assert np.abs(run(get_attack("gain.20db"), music)).max() == pytest.approx(5.0, rel=1e-5)


@pytest.mark.parametrize("peak_dbfs", [0, -1, -40])
@pytest.mark.parametrize("level", [1e-42, 1e-30, 0.01, 1, 1e30])
def test_the_peak_is_normalised_from_any_level(
    run: Callable[..., Audio], music: Audio, peak_dbfs: int, level: float
) -> None:
    scaled = (music * np.float64(level)).astype(np.float32)
    peaks = np.abs(run(PeakNormalise(peak_dbfs=peak_dbfs), scaled)).max(axis=1)
    np.testing.assert_allclose(peaks, 10 ** (peak_dbfs / 20), rtol=1e-6)


@pytest.mark.parametrize("attack", [PeakNormalise(peak_dbfs=0), LoudnessNormalise(target_lufs=-14)])
def test_silence_is_not_normalised(run: Callable[..., Audio], attack: LoudnessNormalise | PeakNormalise) -> None:
    assert not run(attack, np.zeros((2, RATE), np.float32)).any()


def test_the_k_weighting_at_48_khz_is_that_of_the_standard() -> None:
    tables = [
        [1.53512485958697, -2.69169618940638, 1.19839281085285, 1.0, -1.69065929318241, 0.73248077421585],
        [1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621],
    ]
    np.testing.assert_allclose(_k_weighting(48_000), tables, atol=1e-11)


@pytest.mark.parametrize(("rate", "tolerance"), [(8_000, 0.21), (16_000, 0.06), (44_100, 0.005), (48_000, 0.005)])
def test_a_full_scale_sine_of_997_hz_has_minus_3_01_lufs(rate: int, tolerance: float) -> None:
    sine = np.sin(2 * np.pi * 997 * np.arange(3 * rate) / rate).astype(np.float32)
    assert loudness_lufs(sine, rate) == pytest.approx(-3.01, abs=tolerance)


def steps(*parts: Any) -> Audio:
    """A sine of 997 Hz in parts of (seconds, level in dBFS)."""
    gain = np.concatenate([np.full(round(seconds * RATE), 10 ** (dbfs / 20)) for seconds, dbfs in parts])
    return (gain * np.sin(2 * np.pi * 997 * np.arange(gain.size) / RATE)).astype(np.float32)


def test_what_is_10_lu_quieter_does_not_count() -> None:
    # As case 3 of EBU Tech 3341, in one channel instead of two: 3 LU less. Without the gate it would be 1 LU less.
    assert loudness_lufs(steps((4, -36), (30, -23), (4, -36)), RATE) == pytest.approx(-26.04, abs=0.1)


def test_what_is_below_minus_70_lufs_does_not_count() -> None:
    # As case 4: were it to count, the gate below the mean would sink until -36 dBFS counts, and the result by 1.2 LU.
    assert loudness_lufs(steps((60, -75), (4, -36), (12, -23)), RATE) == pytest.approx(-26.04, abs=0.1)


@pytest.mark.parametrize(("seconds", "dbfs"), [(0.2, -20), (2, -80)])
def test_a_clip_too_short_or_too_quiet_for_a_gate_is_measured_whole(seconds: float, dbfs: int) -> None:
    assert loudness_lufs(steps((seconds, dbfs)), RATE) == pytest.approx(dbfs - 3, abs=0.1)


def test_loudness_is_that_of_torchaudio() -> None:
    import torch  # here, for it takes seconds to import
    from torchaudio.functional import loudness

    for clip in music_like(2, 2 * 48_000, 48_000, seed=3):
        theirs = loudness(torch.from_numpy(clip)[None], 48_000).item()
        assert loudness_lufs(clip, 48_000) == pytest.approx(theirs, abs=0.05)


def test_loudness_refuses_a_sample_rate_below_its_shelf(run: Callable[..., Audio], music: Audio) -> None:
    with pytest.raises(AttackError, match=r"sample rate for loudness must be at least 8000 Hz.*Got 4000"):
        run(LoudnessNormalise(target_lufs=-14), music, 4000)


@pytest.mark.parametrize("percent", [0.01, 1, 5, 20, 99])
def test_clipping_clips_the_stated_share_to_a_symmetric_threshold(
    run: Callable[..., Audio], music: Audio, percent: float
) -> None:
    clipped = run(get_attack("clipping", clipped_percent=percent), music)
    for before, after in zip(music, clipped, strict=True):
        changed = before != after
        assert changed.sum() == max(1, round(before.size * percent / 100))
        threshold = np.abs(after).max()
        assert np.all(np.abs(after[changed]) == threshold)
        assert np.all(np.sign(after[changed]) == np.sign(before[changed]))
        assert np.all(np.abs(before[~changed]) <= threshold)


@pytest.mark.parametrize("attack", [Clipping(clipped_percent=5), SoftClipping(drive=5)], ids=lambda attack: attack.id)
def test_clipping_means_the_same_at_any_level(
    run: Callable[..., Audio], music: Audio, attack: Clipping | SoftClipping
) -> None:
    np.testing.assert_array_equal(run(attack, music * np.float32(0.125)), run(attack, music) * np.float32(0.125))


@pytest.mark.parametrize("drive", [0.5, 2, 10])
def test_soft_clipping_is_a_hyperbolic_tangent_through_the_peak(run: Callable[..., Audio], drive: float) -> None:
    line = np.linspace(-0.4, 0.4, 81, dtype=np.float32)
    expected = [0.4 * math.tanh(drive * x / 0.4) / math.tanh(drive) for x in line.tolist()]
    np.testing.assert_allclose(run(SoftClipping(drive=drive), line[None])[0], expected, atol=1e-6)


def test_soft_clipping_adds_odd_harmonics_only(run: Callable[..., Audio], tone: Callable[..., Audio]) -> None:
    spectrum = np.abs(np.fft.rfft(run(SoftClipping(drive=5), tone(500))[0]))
    assert spectrum[1500] > 0.1 * spectrum[500]
    assert spectrum[1000] < 1e-5 * spectrum[500]


def test_polarity_changes_every_sign_and_nothing_else(run: Callable[..., Audio], music: Audio) -> None:
    np.testing.assert_array_equal(run(Polarity(), music), -music)


@pytest.mark.parametrize("percent", [-5, 0.5, 10])
def test_an_offset_moves_the_mean_alone(run: Callable[..., Audio], music: Audio, percent: float) -> None:
    difference = run(DCOffset(offset_percent=percent), music).astype(np.float64) - music
    np.testing.assert_allclose(difference, percent / 100, atol=1e-7)


@pytest.mark.parametrize(
    ("attack", "wrong", "quantity"),
    [
        (Gain(gain_db=-6), lambda x: 0.94 * x, "level_change_db"),  # percent taken for dB
        (Gain(gain_db=6), lambda x: np.clip(2.5 * x, -0.2, 0.2), "snr_db"),
        (PeakNormalise(peak_dbfs=-1), lambda x: x / x.std(), "peak_dbfs"),
        (PeakNormalise(peak_dbfs=-12), lambda x: np.clip(x, -0.251189, 0.251189), "crest_change_db"),
        (LoudnessNormalise(target_lufs=-14), lambda x: x * (0.1995 / x.std()), "loudness_lufs"),  # RMS, not weighted
        (Clipping(clipped_percent=5), lambda x: np.clip(x, -0.49, 0.49), "clipped_percent"),
        (Clipping(clipped_percent=5), lambda x: np.clip(x, -0.02, 0.02), "clipped_percent"),
        (SoftClipping(drive=5), lambda x: np.tanh(5 * x), "peak_change_db"),  # not scaled to the peak
        (SoftClipping(drive=5), lambda x: np.clip(2 * x, -0.5, 0.5), "faint_gain_db"),
        (Polarity(), lambda x: -0.9 * x, "level_change_db"),
        (Polarity(), lambda x: x[:, ::-1], "snr_db"),
        (DCOffset(offset_percent=5), lambda x: x - 0.05, "mean_change_percent"),
        (DCOffset(offset_percent=5), lambda x: 1.01 * x + 0.05, "change_about_mean_percent"),
    ],
)
def test_a_wrong_change_breaks_its_claim(
    music: Audio, attack: Attack, wrong: Callable[..., Any], quantity: str
) -> None:
    verification = verify(attack, music, Attacked(np.asarray(wrong(music), dtype=np.float32)), RATE)
    assert quantity in {verdict.quantity for verdict in verification.broken}


@pytest.mark.parametrize("attack", [cls.standard()[0] for cls in CLASSES], ids=lambda attack: attack.id)
def test_to_return_the_input_breaks_a_claim(music: Audio, attack: Attack) -> None:
    broken = {verdict.quantity for verdict in verify(attack, music, Attacked(music.copy()), RATE).broken}
    assert broken > {"is_noop"}
