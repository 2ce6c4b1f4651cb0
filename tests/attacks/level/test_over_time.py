"""Gains that follow the clock: measured on constants, where the gain is what comes out, and on tones."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sealproof.attacks import Attack, Attacked, AttackError, Audio, get_attack
from sealproof.attacks.contract.base import UNMARKED_FROM, UNMARKED_TO
from sealproof.attacks.level.over_time import (
    Fade,
    LeadingSilence,
    LevelRamp,
    RingModulation,
    ScatteredSuppress,
    Suppress,
    Tremolo,
    _cosine,
)
from sealproof.attacks.testing import music_like
from sealproof.attacks.verification.verify import verify

RATE = 16_000
CLASSES: list[type[Attack]] = [Tremolo, RingModulation, LevelRamp, Fade, Suppress, LeadingSilence, ScatteredSuppress]
SUPPRESSIONS = [Suppress, LeadingSilence, ScatteredSuppress]


def ones(samples: int = RATE) -> Audio:
    return np.ones((1, samples), np.float32)


@pytest.mark.parametrize("cls", CLASSES)
def test_the_strengths_of_a_sweep_differ(run: Callable[..., Audio], music: Audio, cls: type[Attack]) -> None:
    attacked = {run(attack, music).tobytes() for attack in cls.standard()}
    assert len(attacked) == len(cls.standard())


@pytest.mark.parametrize(("rate_hz", "depth_percent"), [(4, 60), (10, 100), (0.5, 25)])
def test_the_gain_of_a_tremolo_swings_between_one_and_one_less_the_depth(
    run: Callable[..., Audio], rate_hz: float, depth_percent: int
) -> None:
    gain = run(Tremolo(rate_hz=rate_hz, depth_percent=depth_percent), ones(2 * RATE))[0]
    assert gain[0] == 1
    assert gain.max() == 1
    half_period = round(RATE / rate_hz / 2)
    assert gain[half_period] == gain.min() == pytest.approx(1 - depth_percent / 100, abs=1e-6)


def test_a_tremolo_puts_a_side_band_on_either_side_of_a_tone(
    run: Callable[..., Audio], tone: Callable[..., Audio]
) -> None:
    spectrum = np.abs(np.fft.rfft(run(Tremolo(rate_hz=8, depth_percent=60), tone(1000))[0]))
    np.testing.assert_allclose(spectrum[[992, 1000, 1008]] / (0.5 * RATE / 2), [0.15, 0.7, 0.15], atol=1e-4)
    assert np.delete(spectrum, [992, 1000, 1008]).max() < 1


def test_ring_modulation_moves_a_tone_up_and_down_by_the_carrier(
    run: Callable[..., Audio], tone: Callable[..., Audio]
) -> None:
    spectrum = np.abs(np.fft.rfft(run(RingModulation(carrier_hz=440), tone(1000))[0]))
    np.testing.assert_allclose(spectrum[[560, 1000, 1440]] / (0.5 * RATE / 2), [0.5, 0, 0.5], atol=1e-4)
    assert np.delete(spectrum, [560, 1440]).max() < 1


def test_ring_modulation_refuses_a_carrier_from_half_the_sample_rate(run: Callable[..., Audio], music: Audio) -> None:
    with pytest.raises(AttackError, match=r"'carrier_hz' of ring_modulation must be below 8000 Hz.*Got 8000"):
        run(RingModulation(carrier_hz=8000), music)


@pytest.mark.parametrize("change_db", [-24, -6, 20])
def test_a_ramp_is_straight_in_db_from_the_first_sample_to_the_last(run: Callable[..., Audio], change_db: int) -> None:
    gain_db = 20 * np.log10(run(LevelRamp(change_db=change_db), ones(1001))[0].astype(np.float64))
    np.testing.assert_allclose(gain_db, np.linspace(0, change_db, 1001), atol=1e-5)


@pytest.mark.parametrize("samples", [1000, 1001])
@pytest.mark.parametrize("percent", [5, 25, 50])
def test_a_fade_is_symmetric_and_leaves_the_middle_alone(run: Callable[..., Audio], samples: int, percent: int) -> None:
    gain = run(Fade(fade_percent=percent), ones(samples))[0]
    np.testing.assert_array_equal(gain, gain[::-1])
    length = round(samples * percent / 100)
    assert gain[0] < 1e-3
    assert np.all(np.diff(gain[:length]) > 0)
    assert gain[length // 2] == pytest.approx(0.5, abs=2 / length)
    assert np.all(gain[length:-length] == 1)


@pytest.mark.parametrize("cls", SUPPRESSIONS)
@pytest.mark.parametrize("percent", [0.001, 0.1, 10, 99.9])
def test_the_stated_number_of_samples_is_zero_and_no_other_is_touched(
    run: Callable[..., Audio], cls: type[LeadingSilence | ScatteredSuppress | Suppress], percent: float
) -> None:
    clip = np.random.default_rng(0).uniform(0.1, 1, (2, 1000)).astype(np.float32)
    for before, after in zip(clip, run(cls(suppressed_percent=percent), clip), strict=True):
        assert np.count_nonzero(after == 0) == max(1, round(10 * percent))
        np.testing.assert_array_equal(after[after != 0], before[after != 0])


def test_a_suppressed_part_is_contiguous_and_lies_anywhere_in_the_clip() -> None:
    clips = np.ones((400, 10), np.float32)
    zeros = Suppress(suppressed_percent=30)(clips, RATE, range(400)) == 0
    starts = zeros.argmax(axis=1)
    assert all(row[start : start + 3].all() for row, start in zip(zeros, starts, strict=True))
    counts = np.bincount(starts)
    assert counts.size == 8, "the first and the last place are drawn too"
    assert counts.min() > 25  # 50 expected, 6.6 standard deviation


def test_the_beginning_is_silenced(run: Callable[..., Audio]) -> None:
    np.testing.assert_array_equal(
        np.flatnonzero(run(LeadingSilence(suppressed_percent=25), ones(100))[0]), range(25, 100)
    )


def test_scattered_samples_are_as_likely_at_any_place() -> None:
    clips = np.ones((400, 20), np.float32)
    hits = (ScatteredSuppress(suppressed_percent=25)(clips, RATE, range(400)) == 0).sum(axis=0)
    assert hits.sum() == 400 * 5
    assert np.abs(hits - 100).max() < 45  # 100 expected, 8.7 standard deviation


@pytest.mark.parametrize(
    ("attack", "wrong", "quantity"),
    [
        (Tremolo(rate_hz=4), lambda run, x: run(Tremolo(rate_hz=5), x), "modulation_hz"),
        (Tremolo(depth_percent=60), lambda run, x: run(Tremolo(depth_percent=50), x), "modulation_depth_percent"),
        (Tremolo(), lambda run, x: run(LevelRamp(change_db=-6), x), "modulation_hz"),
        (RingModulation(carrier_hz=440), lambda run, x: run(RingModulation(carrier_hz=430), x), "carrier_hz"),
        (RingModulation(carrier_hz=440), lambda run, x: 2 * run(RingModulation(carrier_hz=440), x), "level_change_db"),
        (LevelRamp(change_db=-12), lambda run, x: run(LevelRamp(change_db=12), x), "ramp_db"),
        (LevelRamp(change_db=-12), lambda run, x: 2 * run(LevelRamp(change_db=-12), x), "start_gain_db"),
        (Fade(fade_percent=25), lambda run, x: run(Fade(fade_percent=10), x), "muted_percent"),
        (Fade(fade_percent=25), lambda run, x: run(LeadingSilence(suppressed_percent=25), x), "muted_start_percent"),
        (Suppress(suppressed_percent=10), lambda run, x: run(Suppress(suppressed_percent=9), x), "zeroed_percent"),
        (
            Suppress(suppressed_percent=10),
            lambda run, x: 0.9 * run(Suppress(suppressed_percent=10), x),
            "altered_percent",
        ),
        (
            Suppress(suppressed_percent=10),
            lambda run, x: run(ScatteredSuppress(suppressed_percent=10), x),
            "zeros_span_percent",
        ),
        (
            LeadingSilence(suppressed_percent=1),
            lambda run, x: run(LeadingSilence(suppressed_percent=1), x[:, ::-1])[:, ::-1],
            "zeros_start_percent",
        ),
        (
            ScatteredSuppress(suppressed_percent=10),
            lambda run, x: run(LeadingSilence(suppressed_percent=10), x),
            "zeros_span_percent",
        ),
    ],
)
def test_a_wrong_gain_breaks_its_claim(
    run: Callable[..., Audio], music: Audio, attack: Attack, wrong: Callable[..., Any], quantity: str
) -> None:
    verification = verify(attack, music, Attacked(np.asarray(wrong(run, music), dtype=np.float32)), RATE)
    assert quantity in {verdict.quantity for verdict in verification.broken}


@pytest.mark.parametrize("attack", [cls.standard()[-1] for cls in CLASSES], ids=lambda attack: attack.id)
def test_to_return_the_input_breaks_a_claim(music: Audio, attack: Attack) -> None:
    broken = {verdict.quantity for verdict in verify(attack, music, Attacked(music.copy()), RATE).broken}
    assert broken > {"is_noop"}


def test_the_rate_of_a_clip_shorter_than_two_periods_is_unknown(run: Callable[..., Audio], music: Audio) -> None:
    attack = Tremolo(rate_hz=4)
    short = music[:, :6000]
    assert np.isnan(attack.evidence(short, run(attack, short), RATE)["modulation_hz"]).all()


@pytest.mark.parametrize("samples", [1, 2, 3, 10, 1000, 99_999])
def test_the_oscillator_is_a_cosine(samples: int) -> None:
    expected = np.cos(2 * np.pi * 440 / RATE * np.arange(samples))
    np.testing.assert_allclose(_cosine(samples, 440, RATE), expected, atol=1e-10)


@pytest.mark.parametrize("attack_id", ["suppress.25percent", "leading_silence.10percent"])
def test_a_silenced_stretch_is_said_to_carry_no_mark(attack_id: str) -> None:
    music = music_like(4, 8000, 16_000)
    done = get_attack(attack_id).perform(music, 16_000, range(4))
    for before, after, first, behind in zip(
        music, done.audio, done.facts[UNMARKED_FROM], done.facts[UNMARKED_TO], strict=True
    ):
        is_silent = np.zeros(8000, dtype=bool)
        is_silent[int(first) : int(behind)] = True
        assert np.array_equal(after == 0, is_silent | (before == 0))


def test_scattered_samples_are_no_stretch() -> None:
    assert get_attack("scattered_suppress.10percent").perform(music_like(2, 8000, 16_000), 16_000, [0, 1]).facts == {}
