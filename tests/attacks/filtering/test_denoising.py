"""Denoisers: the transforms come back exactly, noise falls by what is stated, and what stands out from it stays."""

from collections.abc import Callable

import numpy as np
import pytest

from sealproof.attacks import Attack, Audio
from sealproof.attacks.filtering import denoising
from sealproof.attacks.filtering.denoising import DB4, SpectralGate, WaveletDenoise, WienerDenoise, composed, decomposed
from sealproof.attacks.testing import broken_claims
from sealproof.attacks.verification.measure import level_change_db, snr_db

RATE = 16_000
STANDARD = [attack for cls in (SpectralGate, WienerDenoise, WaveletDenoise) for attack in cls.standard()]


@pytest.fixture(scope="module")
def bursts() -> tuple[Audio, ...]:
    """A tone of 1 kHz that sounds for a quarter of the time, alone and under white noise: (clean, noisy)."""
    time = np.arange(RATE) / RATE
    clean = 0.5 * np.sin(2 * np.pi * 1000 * time) * (time % 0.5 < 0.125)
    noise = 0.05 * np.random.default_rng(2).standard_normal(RATE)
    return clean.astype(np.float32)[None], (clean + noise).astype(np.float32)[None]


@pytest.fixture(scope="module")
def white() -> Audio:
    """One second of white noise with a standard deviation of 0.1."""
    return (0.1 * np.random.default_rng(3).standard_normal((1, RATE))).astype(np.float32)


@pytest.mark.parametrize("samples", [1, 2, 100, 127, 512, 577, RATE])
def test_the_short_time_spectra_go_back_to_the_clip(music: Audio, samples: int) -> None:
    clip = music[0, 3000 : 3000 + samples] if samples < RATE else music[0]
    spectra = denoising._analysed(clip, 512)
    np.testing.assert_allclose(denoising._synthesised(spectra, 512, samples), clip, atol=1e-7)


def test_the_noise_estimate_is_the_mean_power_of_noise(white: Audio) -> None:
    power = np.abs(denoising._analysed(white[0], 512)) ** 2
    wanted = 0.01 * np.sum(denoising._root_hann(512) ** 2)
    assert 10 * np.log10(np.median(denoising._noise(power)) / wanted) == pytest.approx(0, abs=1)


@pytest.mark.parametrize("cls", [SpectralGate, WienerDenoise])
@pytest.mark.parametrize("reduction", [6, 12, 24])
def test_noise_falls_by_the_reduction(
    run: Callable[..., Audio], white: Audio, cls: type[SpectralGate | WienerDenoise], reduction: int
) -> None:
    """All but the few bins that stand out by chance, which the gate lets through with their neighbours."""
    attack = cls(reduction_db=reduction)
    denoised = run(attack, white)
    assert attack.evidence(white, denoised, RATE)["noise_change_db"][0] == pytest.approx(-reduction, abs=1.5)
    assert -reduction - 0.1 < level_change_db(white, denoised)[0] < -0.6 * reduction


@pytest.mark.parametrize("cls", [SpectralGate, WienerDenoise])
def test_noise_falls_and_bursts_stay(
    run: Callable[..., Audio], bursts: tuple[Audio, ...], cls: type[SpectralGate | WienerDenoise]
) -> None:
    clean, noisy = bursts
    denoised = run(cls(reduction_db=24), noisy)
    assert snr_db(clean, denoised)[0] > snr_db(clean, noisy)[0] + 6
    sounding, quiet = slice(500, 1500), slice(4000, 7000)
    assert level_change_db(noisy[:, sounding], denoised[:, sounding])[0] > -1.5
    assert level_change_db(noisy[:, quiet], denoised[:, quiet])[0] < -15


def test_the_wiener_gain_is_that_of_a_known_ratio() -> None:
    """In the steady state of a bin 20 dB above the noise the rule has a fixed point just below 20 dB."""
    gains = WienerDenoise(reduction_db=40).gains(np.full((200, 1), 100.0), np.ones(1))
    gain = gains[-1, 0]
    ratio = 0.98 * gain**2 * 100 + 0.02 * 99
    assert gain == pytest.approx(ratio / (1 + ratio), abs=1e-9)
    assert 0.97 < gain < 0.99


def test_the_wavelet_is_orthonormal_with_four_vanishing_moments() -> None:
    low, high = np.array(DB4), np.array(denoising._HIGHPASS)
    assert low.sum() == pytest.approx(np.sqrt(2), abs=1e-12)
    for shift in (0, 2, 4, 6):
        wanted = 1.0 if shift == 0 else 0.0
        assert low[shift:] @ low[: 8 - shift] == pytest.approx(wanted, abs=1e-12)
        assert high[shift:] @ low[: 8 - shift] == pytest.approx(0, abs=1e-12)
    for moment in range(4):
        assert high @ np.arange(8.0) ** moment == pytest.approx(0, abs=1e-9)
    assert abs(high @ np.arange(8.0) ** 4) > 1


@pytest.mark.parametrize("samples", [256, 512, 16_512])
def test_the_wavelet_transform_goes_back_and_keeps_the_energy(samples: int) -> None:
    clip = np.random.default_rng(0).standard_normal(samples)
    rest, details = decomposed(clip)
    assert [detail.size for detail in details] == [samples >> level for level in range(1, 6)]
    np.testing.assert_allclose(composed(rest, details), clip, atol=1e-12)
    assert rest @ rest + sum(detail @ detail for detail in details) == pytest.approx(clip @ clip, rel=1e-12)


def test_the_threshold_is_universal(white: Audio) -> None:
    """The finest details of white noise have its standard deviation, and hardly any exceeds the threshold."""
    _, details = decomposed(denoising._mirrored(white[0]))
    threshold = denoising._universal_threshold(details[0], RATE)
    assert threshold == pytest.approx(0.1 * np.sqrt(2 * np.log(RATE)), rel=0.05)
    assert np.mean(np.abs(details[0]) > threshold) < 1e-3


def test_wavelets_take_white_noise_away_but_for_the_lowest_octaves(run: Callable[..., Audio], white: Audio) -> None:
    denoised = run(WaveletDenoise(factor=1), white)
    # Below 250 Hz nothing is touched: a thirty-second part of the energy.
    assert level_change_db(white, denoised)[0] == pytest.approx(10 * np.log10(1 / 32), abs=1)


def test_wavelets_bring_a_noisy_clip_closer_to_the_clean_one(run: Callable[..., Audio]) -> None:
    time = np.arange(RATE) / RATE
    blocks = np.where(time % 0.25 < 0.1, 0.4, -0.2)
    noise = 0.02 * np.random.default_rng(1).standard_normal(RATE)
    clean, noisy = (clip.astype(np.float32)[None] for clip in (blocks, blocks + noise))
    assert snr_db(clean, run(WaveletDenoise(factor=0.5), noisy))[0] > snr_db(clean, noisy)[0] + 5


def test_digital_silence_between_notes_survives(run: Callable[..., Audio]) -> None:
    """More than a fifth of the frames are silent: the noise is nothing, and nothing is taken away for it."""
    clip = np.zeros((1, RATE), dtype=np.float32)
    clip[0, :4000] = np.sin(np.arange(4000) * 0.3)
    for attack in STANDARD:
        attacked = run(attack, clip)
        assert np.isfinite(attacked).all()
        assert np.abs(attacked[0, 6000:15_000]).max() < 1e-6


# The claims must fail where an attack does something else.


@pytest.mark.parametrize("attack", STANDARD, ids=lambda attack: attack.id)
def test_doing_nothing_is_found(music: Audio, attack: Attack) -> None:
    assert broken_claims(attack, music, music * np.float32(1 + 1e-6)) == {attack.claims(RATE)[0].quantity}


@pytest.mark.parametrize("cls", [SpectralGate, WienerDenoise])
@pytest.mark.parametrize("reduction", [3, 6, 12, 24])
def test_turning_everything_down_is_no_denoising(
    music: Audio, cls: type[SpectralGate | WienerDenoise], reduction: int
) -> None:
    softer = music * np.float32(10 ** (-reduction / 20))
    assert broken_claims(cls(reduction_db=reduction), music, softer) == {"signal_change_db"}


def test_another_strength_is_found(run: Callable[..., Audio], music: Audio) -> None:
    for cls in (SpectralGate, WienerDenoise):
        assert broken_claims(cls(reduction_db=24), music, run(cls(reduction_db=12), music)) == {"noise_change_db"}
        assert broken_claims(cls(reduction_db=6), music, run(cls(reduction_db=12), music)) == {"noise_change_db"}
    other = run(WaveletDenoise(factor=0.5), music)
    assert broken_claims(WaveletDenoise(factor=1), music, other) == {"shrinkage_x"}


def test_what_cannot_be_measured_is_nan() -> None:
    silence, short = np.zeros((1, RATE), dtype=np.float32), np.ones((1, 1), dtype=np.float32)
    for attack in STANDARD:
        assert all(np.isnan(values).all() for values in attack.evidence(silence, silence, RATE).values())
    assert np.isnan(WaveletDenoise(factor=1).evidence(short, short, RATE)["shrinkage_x"]).all()
