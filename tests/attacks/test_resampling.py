"""The detour removes the upper band and delays nothing; speed moves pitch and length together."""

import numpy as np
import pytest

from sealproof.attacks import AttackError, get_attack
from sealproof.attacks.measure import lag_samples, level_change_db, snr_db


@pytest.mark.parametrize("via_hz", [12_000, 11_025, 8000, 4000])
def test_nothing_is_left_above_half_the_detour_rate(run, via_hz):
    noise = np.random.default_rng(0).standard_normal((1, 16_000)).astype(np.float32)
    out = run(get_attack("resample", via_hz=via_hz), noise)[0]
    window = np.hanning(out.size)
    frequencies = np.fft.rfftfreq(out.size, 1 / 16_000)
    change_db = 20 * np.log10(np.abs(np.fft.rfft(out * window)) / np.abs(np.fft.rfft(noise[0] * window)))
    assert np.median(change_db[frequencies > 0.51 * via_hz]) < -80
    assert np.median(change_db[frequencies < 0.45 * via_hz]) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("via_hz", [12_000, 11_025, 8000, 4000])
def test_the_pass_band_comes_back_unmoved(run, tone, via_hz):
    sine = tone(700.0)
    out = run(get_attack("resample", via_hz=via_hz), sine)
    assert out.shape == sine.shape
    assert snr_db(sine[:, 500:-500], out[:, 500:-500])[0] > 60


@pytest.mark.parametrize("via_hz", [11_025, 4000])
def test_no_delay(run, music, via_hz):
    assert (lag_samples(music, run(get_attack("resample", via_hz=via_hz), music), 100) == 0).all()


def test_a_detour_that_would_change_nothing_is_refused(run, music):
    with pytest.raises(
        AttackError, match=r"The 'via_hz' of resample must be below the sample rate of 16000 Hz. Got 16000"
    ):
        run(get_attack("resample.16khz"), music)


@pytest.mark.parametrize("factor", [0.5, 0.9, 0.99, 1.01, 1.1, 2])
def test_speed_moves_the_pitch_and_the_length(run, tone, peak_hz, factor):
    out = run(get_attack("speed", factor=factor), tone(1000.0))
    assert out.shape == (1, round(16_000 / factor))
    assert peak_hz(out[0]) == pytest.approx(1000 * factor, rel=1e-3)


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_speed_keeps_level_up_to_the_last_samples(run, tone, factor):
    sine = tone(400.0)
    out = run(get_attack("speed", factor=factor), sine)
    assert level_change_db(sine[:, -400:], out[:, -400:])[0] == pytest.approx(0, abs=1)
    assert abs(level_change_db(sine, out)[0]) < 0.1


def test_slowing_down_undoes_speeding_up(run, music):
    back = run(get_attack("speed.0.8x"), run(get_attack("speed.1.25x"), music))
    lowpassed = run(get_attack("lowpass.5khz"), music)
    assert (snr_db(lowpassed, run(get_attack("lowpass.5khz"), back)) > 25).all()
