"""Our attacks against the same transforms of audiomentations and torchaudio: an independent second opinion."""

from types import ModuleType

import numpy as np
import pytest

from sealproof.attacks import Audio, get_attack
from sealproof.attacks.testing import music_like
from sealproof.attacks.verification.measure import snr_db

SAMPLE_RATE = 16_000


@pytest.fixture(scope="module")
def audiomentations() -> ModuleType:
    # Here, for it takes seconds to import, and naming the tests must not.
    import audiomentations

    return audiomentations


@pytest.fixture(scope="module")
def clip() -> Audio:
    return music_like(1, SAMPLE_RATE, SAMPLE_RATE)[0]


def ours(attack_id: str, clip: Audio) -> Audio:
    return get_attack(attack_id)(clip[None], SAMPLE_RATE, [1])[0]


def snr_between(first: Audio, second: Audio) -> float:
    return float(snr_db(first[None], second[None])[0])


def test_gain_is_theirs(clip: Audio, audiomentations: ModuleType) -> None:
    theirs = audiomentations.Gain(min_gain_db=-6, max_gain_db=-6, p=1.0)(clip, SAMPLE_RATE)
    np.testing.assert_allclose(ours("gain.-6db", clip), theirs, rtol=1e-5)


def test_white_noise_is_as_strong_as_theirs(clip: Audio, audiomentations: ModuleType) -> None:
    np.random.seed(0)  # noqa: NPY002 - audiomentations draws from the global generator
    theirs = audiomentations.AddGaussianSNR(min_snr_db=20, max_snr_db=20, p=1.0)(clip, SAMPLE_RATE)
    assert snr_between(clip, theirs) == pytest.approx(20, abs=0.3)
    assert snr_between(clip, ours("white_noise.20db", clip)) == pytest.approx(20, abs=0.01)


def test_resampling_agrees_with_torchaudio(clip: Audio) -> None:
    import torch
    from torchaudio.functional import resample

    down = resample(torch.from_numpy(clip.copy()), SAMPLE_RATE, 8_000, lowpass_filter_width=64)
    theirs = resample(down, 8_000, SAMPLE_RATE, lowpass_filter_width=64)[: len(clip)].numpy()
    assert snr_between(clip, theirs) < 30, "the round trip takes something away"
    # They differ only in how steeply they cut at 4 kHz, so with each other they agree better than with the clip.
    assert snr_between(theirs, ours("resample.8khz", clip)) > snr_between(clip, theirs) + 6


def test_mp3_damages_as_much_as_theirs(clip: Audio, audiomentations: ModuleType) -> None:
    mp3 = audiomentations.Mp3Compression(min_bitrate=64, max_bitrate=64, p=1.0, preserve_delay=False)
    # The last 529 samples of theirs are zeros (fast-mp3-augment 0.2.0), so they are left out of the comparison.
    theirs = mp3(clip, SAMPLE_RATE)[: len(clip) - 600]
    shorter = clip[: len(clip) - 600]
    attacked = ours("mp3.64kbps", clip)[: len(clip) - 600]
    assert snr_between(shorter, attacked) == pytest.approx(snr_between(shorter, theirs), abs=3)


def test_lowpass_falls_where_theirs_does(clip: Audio, audiomentations: ModuleType) -> None:
    lowpass = audiomentations.LowPassFilter(
        min_cutoff_freq=2_000, max_cutoff_freq=2_000, min_rolloff=24, max_rolloff=24, zero_phase=True, p=1.0
    )
    impulse = np.zeros(SAMPLE_RATE, np.float32)
    impulse[SAMPLE_RATE // 2] = 1.0

    def gain_db(audio: Audio, hz: int) -> float:
        return float(20 * np.log10(np.abs(np.fft.rfft(audio))[hz]))

    theirs, attacked = lowpass(impulse, SAMPLE_RATE), ours("lowpass.2khz", impulse)
    for hz in (500, 1_000):
        assert gain_db(attacked, hz) == pytest.approx(gain_db(theirs, hz), abs=0.5)
    assert gain_db(attacked, 4_000) < -30
    assert gain_db(theirs, 4_000) < -20
