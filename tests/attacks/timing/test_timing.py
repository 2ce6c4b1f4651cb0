"""Shifts put samples where they say; stretching moves time alone, pitch shifting pitch alone; warps by measure."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import signal

from sealproof.attacks import Attack, AttackError, Audio, get_attack
from sealproof.attacks.testing import broken_claims, music_like
from sealproof.attacks.timing.shifting import CircularShift, FractionalDelay, Offset, Reverse
from sealproof.attacks.timing.stretching import Flutter, PitchShift, TimeStretch, TimeWarp, Wow
from sealproof.attacks.verification.measure import lag_samples

CLASSES: list[type[Attack]] = [
    Offset,
    FractionalDelay,
    CircularShift,
    Reverse,
    TimeStretch,
    PitchShift,
    Wow,
    Flutter,
    TimeWarp,
]
STANDARD = [attack for cls in CLASSES for attack in cls.standard()]


def test_no_two_strengths_do_the_same(run: Callable[..., Audio], music: Audio) -> None:
    assert len({run(attack, music[:1]).tobytes() for attack in STANDARD}) == len(STANDARD)


@pytest.mark.parametrize("delay", [1, 10, 100, 800, 4000])
def test_offset_delays_by_exactly_n_samples(run: Callable[..., Audio], music: Audio, delay: int) -> None:
    out = run(get_attack("offset", offset_samples=delay), music)
    assert not out[:, :delay].any()
    assert np.array_equal(out[:, delay:], music[:, :-delay])
    assert (lag_samples(music, out, 5000) == delay).all()


@pytest.mark.parametrize("delay", [16_000, 20_000])
def test_an_offset_as_long_as_the_clip_leaves_silence(run: Callable[..., Audio], music: Audio, delay: int) -> None:
    assert not run(get_attack("offset", offset_samples=delay), music).any()


def test_circular_shift_and_reverse_lose_no_sample(run: Callable[..., Audio]) -> None:
    clip = np.arange(1, 7, dtype=np.float32)[None]
    assert run(CircularShift(shift_samples=2), clip)[0].tolist() == [5, 6, 1, 2, 3, 4]
    assert run(Reverse(), clip)[0].tolist() == [6, 5, 4, 3, 2, 1]


@pytest.mark.parametrize("delay", [0.1, 0.5, 0.9])
def test_a_fractional_delay_turns_the_phase_of_a_tone(
    run: Callable[..., Audio], tone: Callable[..., Audio], delay: float
) -> None:
    sine = tone(2000.0)
    turned = np.angle(np.fft.rfft(run(FractionalDelay(delay_samples=delay), sine)[0])[2000])
    assert np.angle(np.exp(1j * (turned - np.angle(np.fft.rfft(sine[0])[2000])))) == pytest.approx(
        -2 * np.pi * 2000 * delay / 16_000, abs=1e-3
    )


def test_two_halves_of_a_sample_are_one(run: Callable[..., Audio], music: Audio) -> None:
    half = FractionalDelay(delay_samples=0.5)
    twice = run(half, run(half, music))
    np.testing.assert_allclose(twice[:, 201:-200], music[:, 200:-201], atol=1e-3)


@pytest.mark.parametrize("factor", [0.5, 0.9, 0.99, 1.01, 1.1, 2])
def test_time_stretch_keeps_the_pitch_and_changes_the_length(
    run: Callable[..., Audio], tone: Callable[..., Audio], peak_hz: Callable[[Audio], float], factor: float
) -> None:
    out = run(get_attack("time_stretch", factor=factor), tone(1000.0))
    assert out.shape == (1, round(16_000 / factor))
    assert peak_hz(out[0]) == pytest.approx(1000, rel=3e-3)


@pytest.mark.parametrize("factor", [0.8, 0.95, 1.05, 1.25])
@pytest.mark.parametrize("position", [4000, 12_000])
def test_time_stretch_moves_events_to_their_new_time(run: Callable[..., Audio], factor: float, position: int) -> None:
    click = np.zeros((1, 16_000), dtype=np.float32)
    click[0, position] = 1
    out = run(get_attack("time_stretch", factor=factor), click)[0]
    assert np.abs(out).argmax() == pytest.approx(position / factor, abs=40)


@pytest.mark.parametrize("factor", [0.9, 0.95, 1.05, 1.1])
def test_time_stretch_fills_the_clip_to_its_end(run: Callable[..., Audio], factor: float) -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal((1, 16_000)).astype(np.float32)
    out = run(get_attack("time_stretch", factor=factor), noise)[0]
    for part in np.array_split(out, 40):
        assert 0.05 < part.std() < 0.15


@pytest.mark.parametrize("cents", [-200, -5, 5, 25, 200])
@pytest.mark.parametrize("frequency", [220.0, 1000.0, 2500.0])
def test_pitch_shift_moves_every_tone_by_its_cents(
    run: Callable[..., Audio],
    tone: Callable[..., Audio],
    peak_hz: Callable[[Audio], float],
    cents: int,
    frequency: float,
) -> None:
    """Within a cent; the transposition of the stretching library itself misses 220 Hz by up to 10."""
    out = run(PitchShift(shift_cents=cents), tone(frequency))
    assert out.shape == (1, 16_000)
    assert 1200 * np.log2(peak_hz(out[0]) / frequency) == pytest.approx(cents, abs=1)


@pytest.mark.parametrize("cents", [-200, 50])
def test_pitch_shift_leaves_events_at_their_time(run: Callable[..., Audio], cents: int) -> None:
    click = np.zeros((1, 16_000), dtype=np.float32)
    click[0, 12_000] = 1
    assert np.abs(run(PitchShift(shift_cents=cents), click)[0]).argmax() == pytest.approx(12_000, abs=40)


@pytest.mark.parametrize("attack", [Flutter(depth_percent=1), Wow(rate_hz=4, depth_percent=0.5)], ids=lambda a: a.id)
def test_the_frequency_of_a_tone_swings_by_depth_at_rate(
    run: Callable[..., Audio], tone: Callable[..., Audio], attack: Flutter | Wow
) -> None:
    analytic = signal.hilbert(run(attack, tone(3000.0))[0].astype(np.float64))
    hz = np.diff(np.unwrap(np.angle(analytic))) * 16_000 / (2 * np.pi)
    time = np.arange(8000) / 16_000  # half a second: whole periods
    swing = 2 * np.mean(hz[4000:12_000] * np.exp(-2j * np.pi * attack.rate_hz * time))
    assert np.abs(swing) / 3000 == pytest.approx(attack.depth_percent / 100, rel=0.01)
    assert np.ptp(hz[4000:12_000]) == pytest.approx(2 * np.abs(swing), rel=0.05), "nothing else moves the tone"


@pytest.mark.parametrize("displacement_ms", [0.5, 5])
def test_time_warp_displaces_by_its_measure_and_keeps_the_ends(
    run: Callable[..., Audio], displacement_ms: float
) -> None:
    """The samples of a ramp say where they come from."""
    ramp = np.linspace(0, 1, 16_000, dtype=np.float32)[None]
    displacement = (run(TimeWarp(displacement_ms=displacement_ms), ramp) - ramp)[0] * 15_999
    assert np.abs(displacement[200:-200]).max() == pytest.approx(16 * displacement_ms, rel=0.01)
    assert np.abs(displacement[[0, -1]]).max() < 0.05
    assert (np.diff(run(TimeWarp(displacement_ms=displacement_ms), ramp)[0])[200:-200] > 0).all(), "time runs forwards"


@pytest.mark.parametrize("rate", [8000, 44_100])
def test_durations_follow_the_sample_rate(rate: int) -> None:
    ramp = np.linspace(0, 1, rate, dtype=np.float32)[None]
    displacement = (TimeWarp(displacement_ms=2)(ramp, rate, [0]) - ramp)[0] * (rate - 1)
    assert np.abs(displacement[200:-200]).max() == pytest.approx(0.002 * rate, rel=0.01)


@pytest.mark.parametrize(
    ("cls", "strength"),
    [
        (PitchShift, {"shift_cents": 0}),
        (TimeStretch, {"factor": 1}),
        (Offset, {"offset_samples": 0}),
        (CircularShift, {"shift_samples": 0}),
        (FractionalDelay, {"delay_samples": 1}),
        (Flutter, {"rate_hz": 5}),
        (Wow, {"depth_percent": 0}),
    ],
)
def test_what_would_do_nothing_or_is_another_attack_is_refused(cls: type[Attack], strength: dict[str, int]) -> None:
    with pytest.raises(AttackError, match=f"of {cls.name} must be"):
        cls(**strength)


CLIPS = music_like(4, 16_000, 16_000, seed=8)
FLAWED = [
    (Offset(offset_samples=8000), np.roll(CLIPS, 8000, axis=1), "moved_percent"),
    (Offset(offset_samples=100), Offset(offset_samples=99)(CLIPS, 16_000, range(4)), "delay_samples"),
    (FractionalDelay(delay_samples=0.1), CLIPS * np.float32(0.9), "fractional_delay_samples"),
    (CircularShift(shift_samples=100), Offset(offset_samples=100)(CLIPS, 16_000, range(4)), "moved_percent"),
    (Reverse(), -CLIPS, "moved_percent"),
    (TimeStretch(factor=1.01), CLIPS[:, :15_842], "late_ms"),
    (TimeStretch(factor=0.95), np.pad(CLIPS, ((0, 0), (0, 842))), "late_ms"),
    (TimeStretch(factor=1.1), get_attack("speed.1.1x")(CLIPS, 16_000, range(4)), "pitch_cents"),
    (PitchShift(shift_cents=5), CLIPS * np.float32(0.9), "pitch_cents"),
    (PitchShift(shift_cents=-25), PitchShift(shift_cents=25)(CLIPS, 16_000, range(4)), "pitch_cents"),
    (PitchShift(shift_cents=-50), np.roll(CLIPS, 160, axis=1), "late_ms"),
    (Wow(depth_percent=0.3), Wow(depth_percent=0.1)(CLIPS, 16_000, range(4)), "speed_deviation_percent"),
    (Flutter(depth_percent=0.1), CLIPS * np.float32(0.9), "speed_deviation_percent"),
    (TimeWarp(displacement_ms=2), TimeWarp(displacement_ms=1)(CLIPS, 16_000, range(4)), "displacement_ms"),
]


@pytest.mark.parametrize(("attack", "wrong", "quantity"), FLAWED, ids=lambda value: getattr(value, "id", None))
def test_what_does_something_else_breaks_the_claim(attack: Attack, wrong: Audio, quantity: str) -> None:
    assert not broken_claims(attack, CLIPS, attack(CLIPS, 16_000, range(4)))
    assert quantity in broken_claims(attack, CLIPS, wrong)
