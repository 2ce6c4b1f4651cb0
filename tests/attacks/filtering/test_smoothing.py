"""Smoothing: means, fits and medians of the neighbours, centred to half a sample."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import signal

from sealproof.attacks import Attack, AttackError, Audio
from sealproof.attacks.filtering.smoothing import MedianFilter, SavitzkyGolay, Smooth
from sealproof.attacks.filtering.zero_phase import phase_delay
from sealproof.attacks.testing import broken_claims
from sealproof.attacks.verification.measure import level_change_db, snr_db

RATE = 16_000
STANDARD = [attack for cls in (Smooth, SavitzkyGolay, MedianFilter) for attack in cls.standard()]
WINDOWS = [2, 3, 6, 7, 22, 40]


@pytest.mark.parametrize("window", WINDOWS)
def test_each_sample_is_the_mean_of_its_window(run: Callable[..., Audio], music: Audio, window: int) -> None:
    smoothed = run(Smooth(window_samples=window), music)
    before = window // 2  # an even window has one sample more on this side
    for at in (100, 5000, 15_900):
        wanted = music[:, at - before : at - before + window].astype(np.float64).mean(axis=1)
        np.testing.assert_allclose(smoothed[:, at], wanted, atol=1e-7)


@pytest.mark.parametrize("window", WINDOWS)
def test_the_mean_is_late_by_no_more_than_half_a_sample(run: Callable[..., Audio], window: int) -> None:
    """Bug 16 of the field: smoothing by a convolution that is not centred delays by half the window."""
    impulse = np.zeros((1, 201), dtype=np.float32)
    impulse[0, 100] = 1
    response = run(Smooth(window_samples=window), impulse)[0]
    assert np.sum(response * np.arange(201)) - 100 == pytest.approx(0 if window % 2 else 0.5, abs=1e-4)
    assert response.sum() == pytest.approx(1, abs=1e-5), "no normalisation to the peak either"


@pytest.mark.parametrize("window", [4, 10, 40])
def test_the_response_has_its_zeros_at_multiples_of_the_rate_over_the_window(
    run: Callable[..., Audio], tone: Callable[..., Audio], window: int
) -> None:
    attack = Smooth(window_samples=window)

    def change(frequency: float) -> float:
        sine = tone(frequency)
        return level_change_db(sine[:, 4000:12_000], run(attack, sine)[:, 4000:12_000])[0]

    for multiple in (1, 2) if window > 4 else (1,):
        assert change(multiple * RATE / window) < -80
    lobe = 1.5 * RATE / window
    wanted = 20 * np.log10(abs(1 / (window * np.sin(np.pi * 1.5 / window))))
    assert change(lobe) == pytest.approx(wanted, abs=0.05)


def test_a_wider_window_need_not_do_more_damage(run: Callable[..., Audio], tone: Callable[..., Audio]) -> None:
    sine = tone(2000)
    narrow, turned, wide = (snr_db(sine, run(Smooth(window_samples=window), sine))[0] for window in (5, 11, 21))
    assert narrow > wide > 0
    assert turned < 0, "between 1455 and 2909 Hz the sign is turned: worse than silence"


def test_the_ends_are_repeated(run: Callable[..., Audio]) -> None:
    ramp = np.arange(1, 6, dtype=np.float32)[None]
    np.testing.assert_allclose(run(Smooth(window_samples=3), ramp)[0], [4 / 3, 2, 3, 4, 14 / 3], rtol=1e-6)
    assert run(MedianFilter(window_samples=3), ramp)[0].tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("window", [5, 9, 25])
def test_the_fit_is_that_of_scipy_and_keeps_a_cubic(run: Callable[..., Audio], music: Audio, window: int) -> None:
    attack = SavitzkyGolay(window_samples=window)
    theirs = signal.savgol_filter(music.astype(np.float64), window, 3, axis=1, mode="nearest")
    np.testing.assert_allclose(run(attack, music), theirs, atol=1e-6)
    x = np.linspace(-1, 1, 200)
    cubic = (x**3 - 0.5 * x**2 + 0.2 * x - 0.1).astype(np.float32)[None]
    np.testing.assert_allclose(run(attack, cubic)[0, window:-window], cubic[0, window:-window], atol=1e-6)


@pytest.mark.parametrize("window", [3, 5, 9])
def test_each_sample_is_the_median_of_its_window(run: Callable[..., Audio], music: Audio, window: int) -> None:
    half = window // 2
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(music, ((0, 0), (half, half)), mode="edge"), window, 1)
    assert np.array_equal(run(MedianFilter(window_samples=window), music), np.median(windows, axis=2))


def test_the_median_drops_clicks_and_keeps_steps(run: Callable[..., Audio]) -> None:
    step = np.repeat([0.0, 0.5], 50).astype(np.float32)[None]
    clicks = step.copy()
    clicks[0, [20, 70]] = 1
    assert np.array_equal(run(MedianFilter(window_samples=3), clicks), step)


@pytest.mark.parametrize("cls", [SavitzkyGolay, MedianFilter])
def test_an_even_window_has_no_centre(cls: type[MedianFilter | SavitzkyGolay]) -> None:
    with pytest.raises(AttackError, match=f"The 'window_samples' of {cls.name} must be odd.* Got 6"):
        cls(window_samples=6)


# The claims must fail where an attack does something else.


@pytest.mark.parametrize("attack", STANDARD, ids=lambda attack: attack.id)
def test_doing_nothing_or_leaving_nothing_is_found(music: Audio, attack: Attack) -> None:
    rng = np.random.default_rng(0)
    noisy = music + np.float32(1e-4) * rng.standard_normal(music.shape, dtype=np.float32)
    wrong = "median_percent" if attack.name == "median_filter" else "response_error_db"
    assert wrong in broken_claims(attack, music, noisy)
    assert wrong in broken_claims(attack, music, np.zeros_like(music))


@pytest.mark.parametrize("window", [4, 10, 40])
def test_smoothing_as_the_field_does_it_is_found(music: Audio, window: int) -> None:
    """Bug 16: a causal convolution, and one that is normalised to the peak."""
    kernel = np.full(window, 1 / window)
    late = np.stack([np.convolve(clip, kernel)[: clip.size] for clip in music]).astype(np.float32)
    assert phase_delay(music[0], late[0], 0.5 / window) == pytest.approx((window - 1) / 2, abs=0.1)
    assert broken_claims(Smooth(window_samples=window), music, late) >= {"response_error_db", "delay_samples"}
    centred = Smooth(window_samples=window)(music, RATE, [0, 1])
    louder = centred * np.float32(1.3)
    assert broken_claims(Smooth(window_samples=window), music, louder) >= {"response_error_db"}


def test_the_neighbouring_width_is_found(run: Callable[..., Audio], music: Audio) -> None:
    for window in (4, 10, 22):
        other = run(Smooth(window_samples=window + 2), music)
        assert "response_error_db" in broken_claims(Smooth(window_samples=window), music, other)
    wider = run(MedianFilter(window_samples=5), music)
    assert broken_claims(MedianFilter(window_samples=3), music, wider) == {"median_percent"}
    mean = run(Smooth(window_samples=3), music)
    assert "median_percent" in broken_claims(MedianFilter(window_samples=3), music, mean)


def test_what_cannot_be_measured_is_nan() -> None:
    short = np.ones((1, 1), dtype=np.float32)
    for attack in STANDARD:
        assert all(np.isnan(values).all() for values in attack.evidence(short, short, RATE).values())
