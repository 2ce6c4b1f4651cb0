"""Filters: -6 dB at the cut-off (-3 dB for each of two passes), steep beyond it, flat inside, and no delay."""

import numpy as np
import pytest

from sealproof.attacks import AttackError, get_attack
from sealproof.attacks.measure import lag_samples, level_change_db


def response_db(run, tone, attack, frequency):
    """Change of level of a sine, measured away from the ends."""
    sine = tone(frequency)
    return level_change_db(sine[:, 4000:12_000], run(attack, sine)[:, 4000:12_000])[0]


@pytest.mark.parametrize("spec", ["lowpass.1khz", "lowpass.4khz", "highpass.250hz", "highpass.2khz"])
def test_response(run, tone, spec):
    attack = get_attack(spec)
    cutoff = attack.params["cutoff_hz"]
    stopped, passed = (1.8, 1 / 1.8) if attack.name == "lowpass" else (1 / 1.8, 1.8)
    assert response_db(run, tone, attack, cutoff) == pytest.approx(-6.02, abs=0.1)
    assert response_db(run, tone, attack, cutoff * passed) == pytest.approx(0, abs=0.15)
    assert response_db(run, tone, attack, cutoff * stopped) < -35


@pytest.mark.parametrize("spec", ["lowpass.1khz", "lowpass.7khz", "highpass.100hz", "highpass.2khz"])
def test_no_delay(run, music, spec):
    assert (lag_samples(music, run(get_attack(spec), music), 100) == 0).all()


def test_an_impulse_response_is_symmetric(run):
    impulse = np.zeros((1, 2001), dtype=np.float32)
    impulse[0, 1000] = 1
    response = run(get_attack("lowpass.2khz"), impulse)[0]
    np.testing.assert_allclose(response, response[::-1], atol=1e-6)
    assert response.argmax() == 1000


def test_dc_passes_the_lowpass_and_not_the_highpass(run):
    dc = np.full((1, 16_000), 0.5, dtype=np.float32)
    np.testing.assert_allclose(run(get_attack("lowpass.1khz"), dc), 0.5, atol=1e-5)
    np.testing.assert_allclose(run(get_attack("highpass.100hz"), dc), 0, atol=1e-5)


@pytest.mark.parametrize("name", ["lowpass", "highpass"])
@pytest.mark.parametrize("cutoff", [8000, 9000])
def test_a_cutoff_at_or_above_half_the_sample_rate_is_refused(run, music, name, cutoff):
    text = f"The 'cutoff_hz' of {name} must be below 8000 Hz, half the sample rate. Got {cutoff}."
    with pytest.raises(AttackError, match=text):
        run(get_attack(name, cutoff_hz=cutoff), music)
