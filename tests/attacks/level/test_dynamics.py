"""Dynamics processors: static curves, attack and release as stated, at any level of the clip."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sealproof.attacks import Attack, Attacked, Audio
from sealproof.attacks.level.dynamics import Compressor, Expander, Limiter, NoiseGate, gain_range_db
from sealproof.attacks.verification.verify import verify

RATE = 16_000
CLASSES: list[type[Attack]] = [Compressor, Expander, Limiter, NoiseGate]


@pytest.mark.parametrize("cls", CLASSES)
def test_the_strengths_of_a_sweep_differ(run: Callable[..., Audio], music: Audio, cls: type[Attack]) -> None:
    attacked = {run(attack, music).tobytes() for attack in cls.standard()}
    assert len(attacked) == len(cls.standard())


@pytest.mark.parametrize("attack", [cls.standard()[-1] for cls in CLASSES], ids=lambda attack: attack.id)
@pytest.mark.parametrize("level", [2.0**-60, 2.0**-10, 4.0])
def test_a_strength_means_the_same_at_any_level(
    run: Callable[..., Audio], music: Audio, attack: Attack, level: float
) -> None:
    np.testing.assert_array_equal(run(attack, music * np.float32(level)), run(attack, music) * np.float32(level))


def carrier(*levels_db: Any, seconds: float = 0.5) -> Audio:
    """A full-scale sine of 2 kHz whose level steps every half second."""
    gain = np.repeat(10 ** (np.array(levels_db) / 20), round(seconds * RATE))
    return (gain * np.sin(2 * np.pi * 2000 * (np.arange(gain.size) + 0.5) / RATE)).astype(np.float32)[None]


def gain_track_db(before: Audio, after: Audio) -> NDArray[np.float64]:
    """Gain at every sample in dB: no sample of `carrier` is zero."""
    return 20 * np.log10(np.abs(after[0].astype(np.float64) / before[0]))


def settled_gains_db(before: Audio, after: Audio) -> NDArray[np.float64]:
    """Median gain of the last 50 ms of every half second."""
    return np.median(gain_track_db(before, after).reshape(-1, RATE // 2)[:, -RATE // 20 :], axis=1)


@pytest.mark.parametrize(("threshold_db", "ratio"), [(-24, 4), (-12, 2), (-30, 20)])
def test_a_compressor_divides_the_excess_by_its_ratio(run: Callable[..., Audio], threshold_db: int, ratio: int) -> None:
    levels = np.array([-40, -20, -6, 0, -20])
    clip = carrier(*levels)
    gains = settled_gains_db(clip, run(Compressor(threshold_db=threshold_db, ratio=ratio, release_ms=40), clip))
    expected = -(1 - 1 / ratio) * np.maximum(levels - threshold_db, 0)
    np.testing.assert_allclose(gains, expected, atol=0.3)


@pytest.mark.parametrize("attack_ms", [2, 10, 30])
def test_a_compressor_has_done_63_percent_of_its_cut_after_the_attack(
    run: Callable[..., Audio], attack_ms: int
) -> None:
    clip = carrier(-40, 0)
    gain = gain_track_db(clip, run(Compressor(attack_ms=attack_ms, release_ms=100), clip))
    after = RATE // 2 + round(attack_ms * RATE / 1000)
    assert gain[RATE // 2 - 1] == pytest.approx(0, abs=0.01)
    assert gain[after] == pytest.approx((1 - 1 / np.e) * -18, abs=0.4)


@pytest.mark.parametrize("release_ms", [20, 100])
def test_a_compressor_recovers_by_one_neper_of_level_in_each_release(
    run: Callable[..., Audio], release_ms: int
) -> None:
    clip = carrier(0, -60)
    gain = gain_track_db(clip, run(Compressor(threshold_db=-24, ratio=4, attack_ms=0.1, release_ms=release_ms), clip))
    for releases in (1, 2):
        expected = 0.75 * (-24 + 8.686 * releases)
        assert gain[RATE // 2 + round(releases * release_ms * RATE / 1000)] == pytest.approx(expected, abs=0.3)


def test_a_clip_that_starts_loud_is_compressed_from_its_start(run: Callable[..., Audio]) -> None:
    clip = carrier(0)
    gain = gain_track_db(clip, run(Compressor(attack_ms=20), clip))
    assert np.abs(gain + 18).max() < 0.3


def test_an_expander_multiplies_what_lacks_below_its_percentile(run: Callable[..., Audio]) -> None:
    clip = carrier(0, 0, 0, -10, 0)
    gains = settled_gains_db(clip, run(Expander(expanded_percent=50, ratio=3), clip))
    np.testing.assert_allclose(gains, [0, 0, 0, -20, 0], atol=0.3)


def test_an_expander_takes_no_more_than_its_range(run: Callable[..., Audio]) -> None:
    clip = carrier(0, 0, 0, -50, 0)
    gains = settled_gains_db(clip, run(Expander(expanded_percent=50, ratio=10), clip))
    np.testing.assert_allclose(gains, [0, 0, 0, -60, 0], atol=0.3)


@pytest.mark.parametrize("threshold_db", [-3, -20])
def test_no_sample_passes_a_limiter_and_none_is_turned_up(
    run: Callable[..., Audio], music: Audio, threshold_db: int
) -> None:
    limited = run(Limiter(threshold_db=threshold_db), music)
    wall = np.abs(music).max(axis=1, keepdims=True) * 10 ** (threshold_db / 20)
    assert np.all(np.abs(limited) <= wall * (1 + 1e-6))
    assert np.all(np.abs(limited) <= np.abs(music))


def test_a_limiter_does_not_look_ahead(run: Callable[..., Audio]) -> None:
    clip = carrier(-20, 0, -20)
    limited = run(Limiter(threshold_db=-6), clip)
    np.testing.assert_array_equal(limited[0, : RATE // 2], clip[0, : RATE // 2])
    assert gain_track_db(clip, limited)[RATE // 2 + 3] < -5  # within a period: without an attack


def test_a_gate_closes_between_bursts_and_leaves_them_alone(run: Callable[..., Audio]) -> None:
    rng = np.random.default_rng(0)
    gain = np.repeat([1, 0.003, 1, 0.003, 0.003, 0.003, 1, 1, 1, 1], RATE // 10)
    clip = (0.3 * gain * rng.uniform(0.5, 1, RATE) * rng.choice([-1, 1], RATE)).astype(np.float32)[None]
    # The release (50 dB in 58 ms) leaves 28 % of the clip at the level of the noise: 35 % reach into the decay.
    gated = run(NoiseGate(gated_percent=35, release_ms=10), clip)
    loud = gain == 1
    np.testing.assert_allclose(np.linalg.norm(gated[0, loud]), np.linalg.norm(clip[0, loud]), rtol=0.01)
    assert np.linalg.norm(gated[0, ~loud][-800:]) < 0.01 * np.linalg.norm(clip[0, ~loud][-800:])


def test_digital_silence_stays_silent_between_notes(run: Callable[..., Audio], music: Audio) -> None:
    clip = music[:1].copy()
    clip[0, 4000:9000] = 0
    for attack in (Compressor(), Expander(), Limiter(threshold_db=-6), NoiseGate(gated_percent=50)):
        assert not run(attack, clip)[0, 4000:9000].any(), attack.id


def test_the_gain_of_silence_is_unknown_and_that_of_other_frames_is_not() -> None:
    before = np.ones((2, 400), np.float32)
    before[0] = 0
    before[1, :100] = 0
    measured = gain_range_db(before, before * np.float32(0.1), RATE)
    np.testing.assert_allclose(measured["lowest_gain_db"], [np.nan, -20], atol=1e-5)
    np.testing.assert_allclose(measured["highest_gain_db"], [np.nan, -20], atol=1e-5)


@pytest.mark.parametrize(
    ("attack", "wrong", "quantity"),
    [
        (Compressor(), lambda run, x: 0.2 * x, "level_slope"),  # a gain is no compressor
        (Compressor(), lambda run, x: run(Compressor(ratio=1.5), x), "lowest_gain_db"),
        (Compressor(ratio=1.5), lambda run, x: run(Compressor(ratio=8), x), "lowest_gain_db"),
        (Compressor(), lambda run, x: 8 * run(Compressor(), x), "highest_gain_db"),  # make-up gain
        (Expander(), lambda run, x: 0.5 * x, "level_slope"),
        (Expander(), lambda run, x: run(Compressor(), x), "level_slope"),
        (Limiter(threshold_db=-6), lambda run, x: 0.501 * x, "crest_change_db"),
        (Limiter(threshold_db=-6), lambda run, x: run(Limiter(threshold_db=-5.9), x), "peak_change_db"),
        (Limiter(threshold_db=-6), lambda run, x: np.clip(1.2 * x, -0.2506, 0.2506), "highest_gain_db"),
        (NoiseGate(gated_percent=25), lambda run, x: 0.4 * x, "muted_percent"),
        (NoiseGate(gated_percent=25), lambda run, x: run(NoiseGate(gated_percent=20), x), "muted_percent"),
        (NoiseGate(gated_percent=25), lambda run, x: 1.1 * run(NoiseGate(gated_percent=25), x), "highest_gain_db"),
    ],
)
def test_a_wrong_processor_breaks_its_claim(
    run: Callable[..., Audio], music: Audio, attack: Attack, wrong: Callable[..., Any], quantity: str
) -> None:
    verification = verify(attack, music, Attacked(np.asarray(wrong(run, music), dtype=np.float32)), RATE)
    assert quantity in {verdict.quantity for verdict in verification.broken}


@pytest.mark.parametrize("attack", [cls.standard()[0] for cls in CLASSES], ids=lambda attack: attack.id)
def test_to_return_the_input_breaks_a_claim(music: Audio, attack: Attack) -> None:
    broken = {verdict.quantity for verdict in verify(attack, music, Attacked(music.copy()), RATE).broken}
    assert broken > {"is_noop"}
