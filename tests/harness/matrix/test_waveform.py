"""Quality of attacked audio: known answers, laws, and what is not defined."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sealproof.attacks.testing import music_like
from sealproof.attacks.verification.measure import snr_db
from sealproof.harness.matrix.quality.waveform import (
    WAVEFORM_METRICS,
    log_spectral_distance_db,
    si_sdr_db,
    waveform_quality,
)

RATE = 16_000
Clips = NDArray[np.float32]


def noise(n: int = 3, samples: int = 8000, seed: int = 0, scale: float = 0.1) -> Clips:
    return (scale * np.random.default_rng(seed).standard_normal((n, samples))).astype(np.float32)


def test_all_of_them_are_measured_clip_by_clip() -> None:
    before, after = music_like(4, RATE, RATE), music_like(4, RATE, RATE) + noise(4, RATE)
    together = waveform_quality(before, after, RATE)
    assert tuple(together) == WAVEFORM_METRICS == ("snr_db", "si_sdr_db", "log_spectral_distance_db")
    for name, values in together.items():
        assert values.shape == (4,)
        assert values.dtype == np.float64
        alone = [waveform_quality(before[[clip]], after[[clip]], RATE)[name][0] for clip in range(4)]
        assert values == pytest.approx(alone, rel=1e-5)


def test_si_sdr_of_orthogonal_noise_is_the_ratio_of_the_energies() -> None:
    # Sines of whole periods are orthogonal: energies 1 : 0.01, whatever the gain of the signal in the result.
    time = np.arange(RATE) / RATE
    signal, other = np.sin(2 * np.pi * 440 * time), np.sin(2 * np.pi * 1000 * time)
    before = np.tile(signal, (4, 1)).astype(np.float32)
    after = np.stack([gain * (signal + 0.1 * other) for gain in (1, 0.25, 3, -1)]).astype(np.float32)
    assert si_sdr_db(before, after) == pytest.approx([20] * 4, abs=1e-3)
    assert snr_db(before, after)[1:] != pytest.approx([20] * 3, abs=1)


def test_si_sdr_keeps_the_mean() -> None:
    # Zero-mean variants would call an offset no distortion at all.
    before = np.tile(np.array([0.1, -0.1], np.float32), 500)[None]
    assert si_sdr_db(before, before + np.float32(0.1)) == pytest.approx([0], abs=1e-5)


@given(gain=st.floats(0.01, 100), snr=st.floats(-20, 60), seed=st.integers(0, 99))
def test_si_sdr_ignores_the_gain_and_is_a_function_of_the_correlation(gain: float, snr: float, seed: int) -> None:
    before, extra = noise(2, 2000, seed), noise(2, 2000, seed + 100)
    after = (before + extra * np.float32(10 ** (-snr / 20))).astype(np.float32)
    x, y = before.astype(np.float64), after.astype(np.float64)
    squared = np.sum(x * y, axis=1) ** 2 / (np.sum(x * x, axis=1) * np.sum(y * y, axis=1))
    expected = 10 * np.log10(squared / (1 - squared))
    assert si_sdr_db(before, after) == pytest.approx(expected, abs=1e-3)
    assert si_sdr_db(before, np.float32(gain) * after) == pytest.approx(expected, abs=0.01)


def test_si_sdr_at_its_limits() -> None:
    before = np.array([[0.5, -0.5], [0, 0], [0.5, -0.5], [1, 1], [0.5, 0.25]], dtype=np.float32)
    after = np.array([[0.5, -0.5], [0.1, 0], [0, 0], [1, -1], [-0.25, -0.125]], dtype=np.float32)
    found = si_sdr_db(before, after)
    assert found[0] == np.inf
    assert np.isnan(found[1:3]).all()
    assert found[3] == -np.inf
    assert found[4] == np.inf


def test_log_spectral_distance_of_a_gain_is_the_gain() -> None:
    before = noise(scale=0.1)
    for gain_db in (-6, 3, 20):
        after = before * np.float32(10 ** (gain_db / 20))
        assert log_spectral_distance_db(before, after, RATE) == pytest.approx([abs(gain_db)] * 3, abs=1e-3)


def test_log_spectral_distance_is_what_scipy_makes_of_the_definition() -> None:
    from scipy.signal import stft

    before, after = music_like(2, RATE, RATE), noise(2, RATE, seed=5)

    def log_power(clips: Clips) -> NDArray[np.float64]:
        spectra = stft(clips.astype(np.float64), RATE, "hann", 512, 256, boundary=None, padded=False)[2]
        # SciPy's windows sum to 1, so a full-scale sine has a peak of 1/2.
        return np.maximum(20 * np.log10(np.maximum(2 * np.abs(spectra), 1e-30)), -100)

    difference = log_power(before) - log_power(after)
    expected = np.sqrt((difference**2).mean(axis=1)).mean(axis=1)
    assert log_spectral_distance_db(before, after, RATE) == pytest.approx(expected, rel=1e-4)


@given(seed=st.integers(0, 99), scale=st.floats(1e-4, 1))
def test_log_spectral_distance_is_a_distance_and_deaf_to_polarity(seed: int, scale: float) -> None:
    first, second = noise(2, 2000, seed, scale), noise(2, 2000, seed + 100, 0.1)
    there, back = (log_spectral_distance_db(a, b, RATE) for a, b in ((first, second), (second, first)))
    assert there == pytest.approx(back)
    assert (there > 0).all()
    assert log_spectral_distance_db(first, -first, RATE) == pytest.approx([0, 0], abs=1e-4)


def test_log_spectral_distance_of_silence_and_of_very_short_clips() -> None:
    silence, full = np.zeros((1, 4000), np.float32), np.ones((1, 100), np.float32)
    assert log_spectral_distance_db(silence, silence, RATE) == [0]
    # All is at the floor of -100 dB before; white noise of rms 0.1 is some 60 dB above it after.
    assert 50 < log_spectral_distance_db(silence, noise(1, 4000), RATE)[0] < 75
    assert log_spectral_distance_db(full, 0.5 * full, RATE)[0] == pytest.approx(6.02, abs=0.3)


def test_the_time_scale_is_in_seconds() -> None:
    # The same sound at twice the sample rate: windows of as many ms, hence nearly the same distance.
    time = np.arange(2 * RATE) / (2 * RATE)
    fast = np.stack([np.sin(2 * np.pi * 500 * time), np.sin(2 * np.pi * 510 * time)]).astype(np.float32)
    slow = fast[:, ::2]
    at_16k = log_spectral_distance_db(slow[:1], 0.5 * slow[:1], RATE)
    at_32k = log_spectral_distance_db(fast[:1], 0.5 * fast[:1], 2 * RATE)
    assert at_32k == pytest.approx(at_16k / np.sqrt(2), rel=0.35)


@pytest.mark.parametrize("measure", [si_sdr_db, lambda x, y: log_spectral_distance_db(x, y, RATE)])
def test_unequal_lengths_are_refused(measure: Any) -> None:
    with pytest.raises(ValueError, match="equally long"):
        measure(np.ones((1, 4), np.float32), np.ones((1, 5), np.float32))
