"""Noise has the stated energy, is white and Gaussian; the quantiser has the stated step and range."""

import numpy as np
import pytest

from sealproof.attacks import get_attack
from sealproof.attacks.measure import snr_db


@pytest.mark.parametrize("snr", [-20, 0, 5, 10, 20, 30, 40, 80])
def test_the_measured_snr_is_the_stated_one(run, music, snr):
    np.testing.assert_allclose(snr_db(music, run(get_attack("white_noise", snr_db=snr), music)), snr, atol=0.01)


@pytest.mark.parametrize("samples", [1, 2, 7])
def test_the_snr_is_exact_in_short_clips(run, music, samples):
    clips = music[:, 500 : 500 + samples]
    np.testing.assert_allclose(snr_db(clips, run(get_attack("white_noise.10db"), clips)), 10, atol=0.01)


def test_silence_stays_silence(run):
    silence = np.zeros((1, 100), dtype=np.float32)
    assert not run(get_attack("white_noise.5db"), silence).any()


def test_the_noise_is_white_and_gaussian(run, music):
    clip = np.tile(music[:1], (1, 8))
    noise = (run(get_attack("white_noise.0db"), clip) - clip)[0].astype(np.float64)
    bands = np.abs(np.fft.rfft(noise))[1:64_001].reshape(8, -1) ** 2
    assert 10 * np.log10(bands.mean(axis=1).max() / bands.mean(axis=1).min()) < 0.5
    standard = (noise - noise.mean()) / noise.std()
    assert abs(np.mean(standard**3)) < 0.05
    assert abs(np.mean(standard**4) - 3) < 0.1


def test_clips_of_one_batch_get_different_noise(music):
    twins = np.concatenate([music[:1], music[:1]])
    first, second = get_attack("white_noise.10db")(twins, 16_000, [1, 2]) - twins
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.05


@pytest.mark.parametrize("bits", [2, 4, 8, 12, 16])
def test_the_quantiser_is_mid_tread_with_the_stated_step(run, bits):
    step = 2.0 ** (1 - bits)
    ramp = np.linspace(-1.5, 1.5, 20_001, dtype=np.float32)[None]
    out = run(get_attack("quantise", bits=bits), ramp)
    codes = out.astype(np.float64) / step
    assert np.array_equal(codes, np.rint(codes))
    assert codes.min() == -(2 ** (bits - 1))
    assert codes.max() == 2 ** (bits - 1) - 1
    inside = np.abs(ramp) <= 1 - step
    assert np.abs(out - ramp)[inside].max() <= step / 2 + 1e-7
    assert run(get_attack("quantise", bits=bits), np.zeros((1, 3), dtype=np.float32)).tolist() == [[0, 0, 0]]


@pytest.mark.parametrize("bits", [4, 8, 12])
def test_the_quantisation_error_has_the_energy_of_one_step(run, bits):
    noise = np.random.default_rng(0).uniform(-0.8, 0.8, (1, 16_000)).astype(np.float32)
    error = run(get_attack("quantise", bits=bits), noise) - noise
    assert np.mean(error**2) == pytest.approx(2.0 ** (2 - 2 * bits) / 12, rel=0.05)
