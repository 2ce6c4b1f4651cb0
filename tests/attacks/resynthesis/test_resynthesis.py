"""Resynthesis: what each model keeps is there again, and what it throws away is gone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pytest

from sealproof.attacks import Attack, AttackError, Audio
from sealproof.attacks.resynthesis.linear_prediction import LPC, LPCVocoder, _levinson_durbin
from sealproof.attacks.resynthesis.masking import HarmonicPercussive, STFTQuantise, StrongestBins
from sealproof.attacks.resynthesis.phase_guessing import GriffinLim, MelVocoder, spectral_convergence_db
from sealproof.attacks.resynthesis.spectra import correlation_percent, istft, stft
from sealproof.attacks.testing import broken_claims
from sealproof.attacks.verification.measure import level_change_db, snr_db

CLASSES = (GriffinLim, MelVocoder, STFTQuantise, StrongestBins, HarmonicPercussive, LPC, LPCVocoder)


def broken(cls: type[Attack], parameters: dict[str, Any] | None = None, **methods: Any) -> Any:
    """An instance of a subclass that still claims what its parent does."""
    return dataclass(frozen=True, kw_only=True)(cast("type[Any]", type("Broken", (cls,), methods)))(
        **(parameters or {})
    )


@pytest.mark.parametrize("samples", [1, 2, 100, 577, 16_000])
@pytest.mark.parametrize("width", [16, 512])
def test_short_time_spectra_put_the_clip_together_again(samples: int, width: int) -> None:
    clip = np.random.default_rng(0).standard_normal(samples).astype(np.float32)
    np.testing.assert_allclose(istft(stft(clip, width), samples), clip, atol=2e-6)


def test_griffin_lim_comes_nearer_with_every_iteration(run: Callable[..., Audio], music: Audio) -> None:
    errors = [spectral_convergence_db(music, run(GriffinLim(iterations=n), music), 16_000) for n in (1, 8, 32)]
    assert (np.diff(errors, axis=0) < -5).all()
    assert (errors[-1] < -18).all()


def test_griffin_lim_keeps_a_tone_and_loses_its_phase(
    run: Callable[..., Audio], tone: Callable[..., Audio], peak_hz: Callable[[Audio], float]
) -> None:
    rebuilt = run(GriffinLim(iterations=32), np.repeat(tone(1000), 6, axis=0))
    assert [peak_hz(clip) for clip in rebuilt] == pytest.approx([1000] * 6, abs=6)
    assert np.abs(level_change_db(np.repeat(tone(1000), 6, axis=0), rebuilt)).max() < 0.5
    assert np.ptp(correlation_percent(np.repeat(tone(1000), 6, axis=0), rebuilt)) > 20


def test_events_stay_where_they_were(run: Callable[..., Audio]) -> None:
    """A click comes back within a window of where it was, although its waveform does not."""
    click = np.zeros((1, 16_000), dtype=np.float32)
    click[0, 8000:8020] = 0.5
    for attack in (GriffinLim(iterations=32), MelVocoder(bands=80), LPCVocoder(order=12)):
        rebuilt = np.abs(run(attack, click)[0]) ** 2
        assert np.average(np.arange(16_000), weights=rebuilt) == pytest.approx(8010, abs=300)


def test_griffin_lim_with_the_phases_kept_breaks_its_claim(music: Audio) -> None:
    kept = broken(
        GriffinLim, {"iterations": 8}, apply=lambda self, clip, rate, rng: clip * np.float32(rng.uniform(0.9, 1))
    )
    assert broken_claims(kept, music) == {"correlation_percent"}


def test_random_phases_alone_are_no_griffin_lim(music: Audio) -> None:
    def once(self: Attack, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        return GriffinLim(iterations=1).apply(clip, sample_rate, rng)

    assert broken_claims(broken(GriffinLim, {"iterations": 32}, apply=once), music) == {"spectral_convergence_db"}


def test_fewer_mel_bands_blur_neighbouring_tones(run: Callable[..., Audio], tone: Callable[..., Audio]) -> None:
    two = tone(3000, 0.25) + tone(3300, 0.25)

    def dip(bands: int) -> float:
        spectrum = np.abs(np.fft.rfft(run(MelVocoder(bands=bands), two)[0])) ** 2
        return spectrum[3120:3180].mean() / (spectrum[2980:3020].mean() + spectrum[3280:3320].mean())

    assert dip(20) > 5 * dip(128)


@pytest.mark.parametrize("levels", [16, 64])
def test_logarithmic_levels_are_even_steps_of_a_peak(levels: int) -> None:
    """On the magnitudes themselves, before overlapping windows blur the levels."""
    magnitude = np.random.default_rng(1).exponential(size=(40, 257)).astype(np.float32)
    attack = STFTQuantise(levels=levels)
    rounded = magnitude * attack.weights(magnitude)
    steps = -20 * np.log10(rounded[rounded > 0] / magnitude.max()) / (80 / (levels - 2))
    np.testing.assert_allclose(steps, np.rint(steps), atol=2e-3)
    assert np.unique(np.rint(steps)).size <= levels - 1


def test_linear_levels_are_even_steps_from_zero() -> None:
    magnitude = np.random.default_rng(1).exponential(size=(40, 257)).astype(np.float32)
    rounded = magnitude * STFTQuantise(levels=16, scale="linear").weights(magnitude)
    steps = 15 * rounded / magnitude.max()
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-4)
    assert set(np.unique(np.rint(steps))) <= set(range(16))


def test_quantising_finer_than_stated_breaks_the_claim(music: Audio) -> None:
    finer = broken(STFTQuantise, {"levels": 16}, weights=lambda self, m: STFTQuantise(levels=256).weights(m))
    assert broken_claims(finer, music) == {"snr_db"}


def test_the_strongest_bins_are_kept_and_no_others() -> None:
    magnitude = np.random.default_rng(1).exponential(size=(40, 257)).astype(np.float32)
    mask = StrongestBins(bins=10).weights(magnitude)
    assert (mask.sum(axis=1) == 10).all()
    assert (np.where(mask > 0, magnitude, np.inf).min(axis=1) > np.where(mask > 0, 0, magnitude).max(axis=1)).all()


def test_as_many_bins_as_there_are_are_refused(run: Callable[..., Audio], music: Audio) -> None:
    with pytest.raises(AttackError, match=r"must be below 257, all that there are\. Got 257"):
        run(StrongestBins(bins=257), music)


def test_a_gain_is_no_selection_of_bins(music: Audio) -> None:
    quieter = broken(StrongestBins, {"bins": 16}, weights=lambda self, m: np.full_like(m, 0.9))
    assert broken_claims(quieter, music) == {"remaining_db"}


@pytest.fixture(scope="module")
def tones_and_clicks() -> tuple[Audio, ...]:
    time = np.arange(16_000) / 16_000
    tones = (0.2 * np.sin(2 * np.pi * 500 * time) + 0.2 * np.sin(2 * np.pi * 2100 * time)).astype(np.float32)
    clicks = np.zeros(16_000, dtype=np.float32)
    clicks[2000::3000] = 0.9
    return tones[None], clicks[None]


def test_tones_and_clicks_are_told_apart(run: Callable[..., Audio], tones_and_clicks: tuple[Audio, ...]) -> None:
    tones, clicks = tones_and_clicks
    inner = slice(2000, 14_000)
    harmonic = run(HarmonicPercussive(keep="harmonic"), tones + clicks)[:, inner]
    percussive = run(HarmonicPercussive(keep="percussive"), tones + clicks)[:, inner]
    assert snr_db(tones[:, inner], harmonic)[0] > 15
    assert np.abs(percussive[0]).argmax() in {2000 + 3000 * k - 2000 for k in range(5)}
    assert level_change_db(tones[:, inner], percussive)[0] < -10
    np.testing.assert_allclose(harmonic + percussive, (tones + clicks)[:, inner], atol=1e-5)


def test_the_other_half_breaks_the_claim(music: Audio) -> None:
    swapped = broken(
        HarmonicPercussive,
        {"keep": "percussive"},
        weights=lambda self, m: HarmonicPercussive(keep="harmonic").weights(m),
    )
    assert broken_claims(swapped, music) == {"sustain_db"}


def test_levinson_durbin_solves_the_normal_equations() -> None:
    from scipy.linalg import solve_toeplitz

    clip = np.random.default_rng(2).standard_normal(4000)
    r = np.correlate(clip, clip, "full")[3999 : 3999 + 13]
    predictor = solve_toeplitz((r[:-1] * np.r_[1 + 1e-6, np.ones(11)]), -r[1:])
    np.testing.assert_allclose(_levinson_durbin(r[None])[0], np.r_[1, predictor], atol=1e-10)
    np.testing.assert_array_equal(_levinson_durbin(np.zeros((1, 5))), [[1, 0, 0, 0, 0]])


def test_lpc_with_its_residual_whole_is_the_clip(music: Audio) -> None:
    from sealproof.attacks.resynthesis.linear_prediction import _predict_and_rebuild

    rebuilt = _predict_and_rebuild(music[0], 16_000, 12, lambda residual: residual)
    np.testing.assert_allclose(rebuilt, music[0], atol=1e-6)


def test_the_residual_takes_no_more_values_than_its_bits_allow() -> None:
    residual = np.random.default_rng(4).standard_normal((3, 5000))
    for bits, snr in ((1, 4.40), (2, 9.25), (3, 14.27), (4, 19.38)):  # Max 1960, for Gaussian values
        coarse = LPC(bits=bits)._quantised(residual)
        assert all(np.unique(row).size == 2**bits for row in coarse)
        assert snr_db(residual.astype(np.float32), coarse.astype(np.float32)) == pytest.approx(snr, abs=0.5)


def test_a_finer_residual_than_stated_breaks_the_claim(music: Audio) -> None:
    finer = broken(LPC, {"bits": 1}, _quantised=lambda self, residual: LPC(bits=4)._quantised(residual))
    assert broken_claims(finer, music) == {"snr_db"}


def test_the_vocoder_keeps_the_envelope_of_a_vowel(run: Callable[..., Audio]) -> None:
    """Noise through one resonance comes back as noise through that resonance."""
    from scipy import signal

    resonance = ([1.0], [1, -2 * 0.97 * np.cos(2 * np.pi * 1500 / 16_000), 0.97**2])
    vowel = signal.lfilter(*resonance, 0.05 * np.random.default_rng(0).standard_normal((4, 16_000))).astype(np.float32)
    whispered = run(LPCVocoder(order=12), vowel)
    assert np.abs(correlation_percent(vowel, whispered)).max() < 10
    was, now = (signal.welch(clips, 16_000, nperseg=512)[1].mean(axis=0) for clips in (vowel, whispered))
    assert np.abs(10 * np.log10(now / was)[5:-5]).max() < 3
    assert np.abs(level_change_db(vowel, whispered)).max() < 0.5


def test_a_vocoder_that_keeps_the_waveform_breaks_its_claim(music: Audio) -> None:
    kept = broken(LPCVocoder, {"order": 12}, apply=lambda self, clip, rate, rng: clip * np.float32(rng.uniform(0.9, 1)))
    assert broken_claims(kept, music) == {"correlation_percent"}
