"""Disturbances come as often, last as long and are as loud as stated, and leave the rest of the clip alone."""

from collections.abc import Callable

import numpy as np
import pytest

from sealproof.attacks import Attack, AttackError, Audio
from sealproof.attacks.contract.base import Attacked
from sealproof.attacks.noise.additive import WhiteNoise
from sealproof.attacks.noise.disturbances import HARMONICS, Bursts, Clicks, Crackle, Dropouts, Hum
from sealproof.attacks.testing import broken_claims
from sealproof.attacks.verification.measure import snr_db
from sealproof.attacks.verification.verify import Status, verify

RATE = 16_000
CLASSES: list[type[Attack]] = [Clicks, Crackle, Hum, Dropouts, Bursts]
STANDARD = [attack for cls in CLASSES for attack in cls.standard()]


@pytest.mark.parametrize("attack", STANDARD, ids=lambda attack: attack.id)
def test_in_a_second_of_music_every_claim_is_measured(attack: Attack, run: Callable[..., Audio], music: Audio) -> None:
    verdicts = verify(attack, music, Attacked(run(attack, music)), RATE).verdicts
    assert {verdict.status for verdict in verdicts if verdict.claim} == {Status.KEPT}


@pytest.mark.parametrize("attack", [cls.standard()[-1] for cls in CLASSES], ids=lambda attack: attack.id)
def test_silence_stays_silence(attack: Attack, run: Callable[..., Audio]) -> None:
    assert not run(attack, np.zeros((1, 1000), dtype=np.float32)).any()


class TestClicks:
    """Single samples."""

    @pytest.mark.parametrize(("rate", "seconds", "count"), [(20, 1, 20), (5, 3, 15), (0.1, 1, 1), (1000, 0.5, 500)])
    def test_number_height_and_both_signs(self, rate: float, seconds: float, count: int) -> None:
        clip = np.zeros((1, int(seconds * RATE)), dtype=np.float32)
        clip[0, 0] = -0.8  # the peak: clicks are half of it
        added = Clicks(rate_hz=rate, amplitude=0.5)(clip, RATE, [1])[0].astype(np.float64) - clip[0]
        assert np.count_nonzero(added) == count
        np.testing.assert_allclose(np.abs(added[added != 0]), 0.4, rtol=1e-6)
        assert count < 10 or set(np.sign(added)) == {-1, 0, 1}

    def test_they_fall_anywhere(self) -> None:
        clip = np.full((1, RATE), 0.1, dtype=np.float32)
        clicked = Clicks(rate_hz=1000)(clip, RATE, [0])
        per_tenth = np.count_nonzero((clicked != clip).reshape(10, -1), axis=1)
        assert per_tenth.min() > 60
        assert per_tenth.max() < 140

    def test_another_rate_or_height_breaks_the_claims(self, run: Callable[..., Audio], music: Audio) -> None:
        clicked = run(Clicks(rate_hz=20, amplitude=0.5), music)
        assert broken_claims(Clicks(rate_hz=30, amplitude=0.5), music, clicked) == {"click_rate_hz"}
        assert broken_claims(Clicks(rate_hz=20, amplitude=0.4), music, clicked) == {"click_height_x"}


class TestCrackle:
    """Bernoulli-Gaussian impulses."""

    @pytest.mark.parametrize("snr", [-20, 0, 30, 60])
    @pytest.mark.parametrize("density", [0.1, 2, 50])
    def test_ratio_and_share(self, run: Callable[..., Audio], music: Audio, snr: int, density: float) -> None:
        attack = Crackle(snr_db=snr, density_percent=density)
        crackled = run(attack, music)
        np.testing.assert_allclose(snr_db(music, crackled), snr, atol=0.02)
        np.testing.assert_allclose(np.mean(crackled != music, axis=1), density / 100, rtol=0.01)

    def test_it_is_peakier_than_white_noise_by_its_density(self, run: Callable[..., Audio], music: Audio) -> None:
        crackle = (run(Crackle(snr_db=10, density_percent=1), music) - music).astype(np.float64)
        kurtosis = np.mean(crackle**4, axis=1) / np.mean(crackle**2, axis=1) ** 2
        np.testing.assert_allclose(kurtosis, 3 / 0.01, rtol=0.5)

    def test_white_noise_breaks_the_claim(self, run: Callable[..., Audio], music: Audio) -> None:
        assert broken_claims(Crackle(snr_db=10), music, run(WhiteNoise(snr_db=10), music)) == {"hit_percent"}


class TestHum:
    """Partials of the mains frequency and nothing else."""

    @pytest.mark.parametrize("mains", [50, 60])
    @pytest.mark.parametrize("sample_rate", [8000, 16_000, 44_100])
    def test_the_partials_and_their_amplitudes(self, mains: int, sample_rate: int) -> None:
        clip = np.ones((1, 2 * sample_rate), dtype=np.float32)
        hum = Hum(level_db=0, mains_hz=mains)(clip, sample_rate, [5])[0].astype(np.float64) - 1
        amplitude = np.abs(np.fft.rfft(hum)) / sample_rate  # two seconds: every partial on a line of its own
        places = 2 * mains * np.arange(1, HARMONICS + 1)
        np.testing.assert_allclose(amplitude[places] / amplitude[places[0]], 1 / np.arange(1, HARMONICS + 1), atol=1e-4)
        amplitude[places] = 0
        assert amplitude.max() < 1e-5
        assert np.mean(hum**2) == pytest.approx(1, rel=1e-4)

    @pytest.mark.parametrize("level", [-60, -20, 10])
    @pytest.mark.parametrize("samples", [1, 2, 7, 16_000])
    def test_the_level_is_exact(self, run: Callable[..., Audio], music: Audio, level: int, samples: int) -> None:
        clips = music[:, 500 : 500 + samples]
        np.testing.assert_allclose(snr_db(clips, run(Hum(level_db=level), clips)), -level, atol=0.02)

    def test_partials_above_half_the_sample_rate_are_left_out(self) -> None:
        clip = np.ones((1, 400), dtype=np.float32)
        hum = Hum(level_db=0)(clip, 400, [0])[0].astype(np.float64) - 1
        assert set(np.flatnonzero(np.abs(np.fft.rfft(hum)) > 1)) == {50, 100, 150}

    def test_a_sample_rate_without_room_for_the_mains_is_refused(self) -> None:
        text = r"The sample rate for hum.-20db.50hz must be above 100 Hz, twice the mains frequency. Got 100."
        with pytest.raises(AttackError, match=text):
            Hum()(np.ones((1, 400), dtype=np.float32), 100, [0])

    def test_other_mains_and_noise_break_the_claims(self, run: Callable[..., Audio], music: Audio) -> None:
        assert {"hum_hz"} <= broken_claims(Hum(mains_hz=60), music, run(Hum(mains_hz=50), music))
        noisy = run(WhiteNoise(snr_db=20), music)
        assert broken_claims(Hum(level_db=-20), music, noisy) >= {"hum_harmonic_percent"}

    def test_other_mains_are_refused(self) -> None:
        with pytest.raises(AttackError, match=r"The 'mains_hz' of hum must be one of 50, 60. Got 55."):
            Hum(mains_hz=55)


class TestIntervals:
    """Gaps and bursts: where they lie and how long they last."""

    @pytest.mark.parametrize("cls", [Dropouts, Bursts])
    @pytest.mark.parametrize(("rate", "duration", "share"), [(5, 10, 5), (50, 10, 50), (1, 200, 20), (20, 0.5, 1)])
    def test_they_never_overlap_and_so_take_the_stated_share(
        self,
        run: Callable[..., Audio],
        music: Audio,
        cls: type[Bursts | Dropouts],
        rate: int,
        duration: float,
        share: int,
    ) -> None:
        affected = run(cls(rate_hz=rate, duration_ms=duration), music) != music
        np.testing.assert_allclose(100 * affected.mean(axis=1), share, rtol=0.01)

    @pytest.mark.parametrize("cls", [Dropouts, Bursts])
    def test_they_lie_anywhere(self, cls: type[Bursts | Dropouts]) -> None:
        clips = np.full((400, 1000), 0.5, dtype=np.float32)
        hits = np.mean(cls(rate_hz=20, duration_ms=6.25)(clips, RATE, range(400)) != clips, axis=0)
        # One interval of 100 samples: the 901 places are equally likely, and the ends are in fewer of them.
        assert hits[100:900].mean() == pytest.approx(100 / 901, rel=0.1)
        assert hits[100:900].min() > 0.05
        assert hits[100:900].max() < 0.18

    @pytest.mark.parametrize("cls", [Dropouts, Bursts])
    @pytest.mark.parametrize("samples", [1, 2, 50, 170])
    def test_a_clip_that_is_too_short_gets_what_fits(
        self, run: Callable[..., Audio], cls: type[Bursts | Dropouts], samples: int
    ) -> None:
        clip = np.full((1, samples), 0.5, dtype=np.float32)
        changed = np.count_nonzero(run(cls(rate_hz=20, duration_ms=10), clip) != clip)
        assert changed == min(samples, 160)

    @pytest.mark.parametrize("cls", [Dropouts, Bursts])
    def test_more_than_half_the_clip_is_refused(self, cls: type[Bursts | Dropouts]) -> None:
        text = rf"The 'rate_hz' times 'duration_ms' of {cls.name} must take at most 50 % of a clip. Got 60 Hz and 10 ms"
        with pytest.raises(AttackError, match=text):
            cls(rate_hz=60, duration_ms=10)

    def test_a_gap_is_zero_and_the_rest_is_as_it_was(self, run: Callable[..., Audio], music: Audio) -> None:
        gapped = run(Dropouts(rate_hz=5, duration_ms=20), music)
        assert not gapped[gapped != music].any()

    def test_zeros_of_the_clip_itself_do_not_mislead_the_evidence(
        self, run: Callable[..., Audio], music: Audio
    ) -> None:
        holed = music.copy()
        holed[:, ::30] = 0
        attack = Dropouts(rate_hz=5, duration_ms=20)
        assert not broken_claims(attack, holed, run(attack, holed))

    @pytest.mark.parametrize("level", [-40, 0, 20])
    def test_the_level_of_the_bursts_is_exact(self, run: Callable[..., Audio], music: Audio, level: int) -> None:
        disturbed = run(Bursts(level_db=level, rate_hz=5, duration_ms=10), music)
        np.testing.assert_allclose(snr_db(music, disturbed), -level - 10 * np.log10(0.05), atol=0.02)

    def test_another_rate_duration_or_level_breaks_the_claims(self, run: Callable[..., Audio], music: Audio) -> None:
        gapped = run(Dropouts(rate_hz=5, duration_ms=10), music)
        assert broken_claims(Dropouts(rate_hz=8, duration_ms=10), music, gapped) == {"affected_percent"}
        assert "interval_ms" in broken_claims(Dropouts(rate_hz=10, duration_ms=5), music, gapped)
        disturbed = run(Bursts(level_db=0), music)
        assert broken_claims(Bursts(level_db=1), music, disturbed) == {"burst_level_db"}
