"""Added noise has the stated energy and colour, and is Gaussian; a background is another recording."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from sealproof.attacks import Attack, AttackError, Audio
from sealproof.attacks.contract.knowledge import Knowledge
from sealproof.attacks.noise.additive import (
    Background,
    BlueNoise,
    BrownNoise,
    BrownNoisePeak,
    NoiseBySNR,
    PinkNoise,
    VioletNoise,
    WhiteNoise,
    WhiteNoiseLevel,
    noise_exponent,
)
from sealproof.attacks.testing import broken_claims, music_like
from sealproof.attacks.verification.measure import snr_db

RATE = 16_000
COLOURS: dict[type[NoiseBySNR], int] = {WhiteNoise: 0, PinkNoise: -1, BrownNoise: -2, BlueNoise: 1, VioletNoise: 2}
CLASSES: list[type[Attack]] = [*COLOURS, WhiteNoiseLevel, Background]
STANDARD = [attack for cls in CLASSES for attack in cls.standard()]


@pytest.fixture(scope="module")
def others() -> Audio:
    return music_like(4, RATE, RATE, seed=9)


def test_the_ids_of_old_still_hold() -> None:
    assert WhiteNoise.from_id("white_noise.20db") == WhiteNoise(snr_db=20)
    assert WhiteNoiseLevel(std=0.001).id == "white_noise_level.0.001fs"


# The noise loop of AudioMarkBench overwrote the ratio that it was asked for by one that it had measured.
@pytest.mark.parametrize("snr", [-20, 0, 5, 10, 20, 30, 40, 80])
@pytest.mark.parametrize("cls", COLOURS)
def test_the_measured_snr_is_the_stated_one(
    run: Callable[..., Audio], music: Audio, cls: type[NoiseBySNR], snr: int
) -> None:
    np.testing.assert_allclose(snr_db(music, run(cls(snr_db=snr), music)), snr, atol=0.01)


@pytest.mark.parametrize("cls", COLOURS)
@pytest.mark.parametrize("samples", [1, 2, 7])
def test_the_snr_is_exact_in_short_clips(
    run: Callable[..., Audio], music: Audio, cls: type[NoiseBySNR], samples: int
) -> None:
    clips = music[:, 500 : 500 + samples]
    np.testing.assert_allclose(snr_db(clips, run(cls(snr_db=10), clips)), 10, atol=0.01)


@pytest.mark.parametrize("cls", COLOURS)
def test_silence_stays_silence(run: Callable[..., Audio], cls: type[NoiseBySNR]) -> None:
    assert not run(cls(snr_db=5), np.zeros((1, 100), dtype=np.float32)).any()


@pytest.mark.parametrize("sample_rate", [16_000, 44_100])
@pytest.mark.parametrize(("cls", "exponent"), COLOURS.items())
def test_every_octave_from_20_hz_has_the_power_of_its_colour(
    cls: type[NoiseBySNR], exponent: int, sample_rate: int
) -> None:
    clip = np.ones((1, 20 * sample_rate), dtype=np.float32)
    noise = cls(snr_db=0)(clip, sample_rate, [3])[0].astype(np.float64) - 1
    power = np.abs(np.fft.rfft(noise * np.hanning(noise.size))) ** 2
    edges = 20 * 20 * 2 ** np.arange(int(np.log2(sample_rate / 2 / 20)) + 1)
    densities = [10 * np.log10(power[low:high].mean()) for low, high in pairwise(edges)]
    falls = np.diff(densities)
    # An octave of 400 lines scatters by 0.2 dB, the difference of two by 0.4.
    np.testing.assert_allclose(falls, exponent * 10 * np.log10(2), atol=1.2)
    assert np.mean(falls) == pytest.approx(exponent * 10 * np.log10(2), abs=0.15)


@pytest.mark.parametrize("cls", COLOURS)
def test_the_noise_is_gaussian(run: Callable[..., Audio], cls: type[NoiseBySNR]) -> None:
    noise = run(cls(snr_db=0), np.ones((1, 8 * RATE), dtype=np.float32))[0].astype(np.float64) - 1
    standard = (noise - noise.mean()) / noise.std()
    spread = 6 if cls is BrownNoise else 1  # brown noise has few independent values
    assert abs(np.mean(standard**3)) < 0.05 * spread
    assert abs(np.mean(standard**4) - 3) < 0.1 * spread


def test_the_end_of_the_noise_does_not_lead_back_to_its_start() -> None:
    ends = BrownNoise(snr_db=0)(np.ones((200, 1600), dtype=np.float32), RATE, range(200))[:, [0, -1]] - 1
    assert abs(np.asarray(np.corrcoef(ends.T))[0, 1]) < 0.25


@pytest.mark.parametrize("cls", COLOURS)
def test_clips_of_one_batch_get_different_noise(music: Audio, cls: type[NoiseBySNR]) -> None:
    twins = np.concatenate([music[:1], music[:1]])
    first, second = cls(snr_db=10)(twins, RATE, [1, 2]) - twins
    assert abs(np.corrcoef(first, second)[0, 1]) < (0.5 if cls is BrownNoise else 0.1)


class TestColourEvidence:
    """The evidence finds the noise that the field calls pink."""

    def test_it_measures_a_known_slope(self) -> None:
        rng = np.random.default_rng(0)
        white = rng.standard_normal((3, RATE))
        np.testing.assert_allclose(noise_exponent(white, RATE), 0, atol=0.1)
        np.testing.assert_allclose(noise_exponent(np.cumsum(white, axis=1), RATE), -2, atol=0.2)
        # Differences of white noise are violet but for the last octave, where |1 - exp(-iw)| bends down.
        np.testing.assert_allclose(noise_exponent(np.diff(white, axis=1), RATE), 1.95, atol=0.2)

    def test_nothing_added_and_a_short_clip_tell_nothing(self) -> None:
        assert np.isnan(noise_exponent(np.zeros((2, RATE)), RATE)).all()
        assert np.isnan(noise_exponent(np.random.default_rng(0).standard_normal((2, 100)), RATE)).all()

    def test_random_walks_are_not_pink(self, music: Audio) -> None:
        # AudioSeal, AudioCraft, Omniseal and RAW-Bench: a "pink" noise of sixteen random walks end to end.
        walks = np.random.default_rng(0).standard_normal((len(music), 16, RATE // 16)).cumsum(axis=2)
        noise = walks.reshape(len(music), RATE)
        noise *= np.sqrt(0.1 * np.sum(music.astype(np.float64) ** 2, 1) / np.sum(noise**2, 1))[:, None]
        assert broken_claims(PinkNoise(snr_db=10), music, (music + noise).astype(np.float32)) == {"noise_exponent"}

    @pytest.mark.parametrize("wrong", COLOURS)
    def test_each_colour_breaks_the_claim_of_every_other(
        self, run: Callable[..., Audio], music: Audio, wrong: type[NoiseBySNR]
    ) -> None:
        noisy = run(wrong(snr_db=10), music)
        for cls in COLOURS:
            assert broken_claims(cls(snr_db=10), music, noisy) == (set() if cls is wrong else {"noise_exponent"})

    def test_noise_that_is_half_a_db_too_strong_breaks_the_claim(self, run: Callable[..., Audio], music: Audio) -> None:
        assert broken_claims(PinkNoise(snr_db=10), music, run(PinkNoise(snr_db=9.5), music)) == {"snr_db"}


class TestLevel:
    """`white_noise_level` does not follow the clip."""

    @pytest.mark.parametrize("std", [0.001, 0.3])
    @pytest.mark.parametrize("gain", [0, 0.01, 1])
    def test_the_standard_deviation_is_absolute(
        self, run: Callable[..., Audio], music: Audio, std: float, gain: float
    ) -> None:
        clips = music * np.float32(gain)
        noise = run(WhiteNoiseLevel(std=std), clips).astype(np.float64) - clips
        np.testing.assert_allclose(noise.std(axis=1), std, rtol=0.03)

    def test_noise_that_is_a_db_too_strong_breaks_the_claim(self, run: Callable[..., Audio], music: Audio) -> None:
        louder = run(WhiteNoiseLevel(std=0.0112), music)
        assert broken_claims(WhiteNoiseLevel(std=0.01), music, louder) == {"noise_level_dbfs"}

    def test_pink_noise_breaks_the_claim(self, music: Audio) -> None:
        @dataclass(frozen=True, kw_only=True)
        class Pink(WhiteNoiseLevel):
            name: ClassVar[str] = "pink"

            def noise(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> NDArray[np.float64]:
                pink = PinkNoise(snr_db=0).draw(clip.size, sample_rate, rng)
                return pink * self.std / pink.std()

        noisy = Pink(std=0.01)(music, RATE, [0, 1])
        assert broken_claims(Pink(std=0.01), music, noisy) == {"noise_exponent"}

    @pytest.mark.parametrize("std", [0, -0.1, 1.1])
    def test_other_levels_are_refused(self, std: float) -> None:
        with pytest.raises(AttackError, match="The 'std' of white_noise_level must be a finite number of at least"):
            WhiteNoiseLevel(std=std)


class TestBackground:
    """What is mixed in is one of the clean recordings, whole, at the stated ratio."""

    @pytest.mark.parametrize("snr", [-10, 0, 10, 40])
    def test_the_measured_snr_is_the_stated_one(self, music: Audio, others: Audio, snr: int) -> None:
        mixed = Background(snr_db=snr)(music, RATE, [0, 1], Knowledge(music, others, others))
        np.testing.assert_allclose(snr_db(music, mixed), snr, atol=0.01)

    def test_what_is_added_is_a_clean_recording_and_the_seed_chooses(self, music: Audio, others: Audio) -> None:
        many = np.repeat(music[:1], 30, axis=0)
        mixed = Background(snr_db=0)(many, RATE, range(30), Knowledge(many, others, others))
        likeness = np.abs(np.corrcoef(np.concatenate([mixed - many, others]))[:30, 30:])
        np.testing.assert_allclose(likeness.max(axis=1), 1, atol=1e-4)
        assert set(likeness.argmax(axis=1)) == {0, 1, 2, 3}

    def test_silent_recordings_are_never_drawn(self, music: Audio, others: Audio) -> None:
        other = others.copy()
        other[[0, 2, 3]] = 0
        many = np.repeat(music[:1], 20, axis=0)
        mixed = Background(snr_db=0)(many, RATE, range(20), Knowledge(many, other, other))
        np.testing.assert_allclose(snr_db(many, mixed), 0, atol=0.01)

    @pytest.mark.parametrize("count", [0, 3])
    def test_without_a_recording_that_sounds_it_is_refused(self, music: Audio, count: int) -> None:
        silent = np.zeros((count, RATE), dtype=np.float32)
        text = rf"background.10db must know a clean recording that is not silent; .* Got {count}, of which none sounds."
        with pytest.raises(AttackError, match=text):
            Background(snr_db=10)(music, RATE, [0, 1], Knowledge(music, silent, silent))

    def test_without_knowledge_it_is_refused(self, music: Audio) -> None:
        with pytest.raises(AttackError, match=r"background.10db needs to know more than the clips"):
            Background(snr_db=10)(music, RATE, [0, 1])


@pytest.mark.parametrize("peak", [0.01, 0.1, 1])
def test_brown_noise_by_its_peak_has_that_peak_whatever_the_clip(
    run: Callable[..., Audio], music: Audio, peak: float
) -> None:
    attack = BrownNoisePeak(peak=peak)
    for clip in (music, np.zeros_like(music)):
        added = run(attack, clip).astype(np.float64) - clip
        np.testing.assert_allclose(np.abs(added).max(axis=1), peak, rtol=1e-3)
        np.testing.assert_allclose(noise_exponent(added, RATE), -2, atol=0.3)
    assert broken_claims(attack, music, run(BrownNoisePeak(peak=0.9 * peak), music)) == {"noise_peak"}
