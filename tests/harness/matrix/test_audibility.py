"""Audibility of a mark: laws of masking that any ear keeps."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sealproof.attacks.testing import music_like
from sealproof.harness.matrix.quality.audibility import audibility

RATE = 16_000
Audio = NDArray[np.float32]


def band_noise(low_hz: float, high_hz: float, rms: float, seed: int = 0) -> Audio:
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal((1, RATE)))
    hz = np.fft.rfftfreq(RATE, 1 / RATE)
    clip = np.fft.irfft(spectrum * ((hz >= low_hz) & (hz < high_hz)), RATE)
    return np.asarray(rms * clip / np.sqrt(np.mean(clip**2)), np.float32)


def test_ten_decibels_more_of_the_same_mark_are_ten_decibels_of_noise_to_mask() -> None:
    host, mark = music_like(3, RATE, RATE), band_noise(500, 4000, 1e-3)
    soft, loud = (audibility(host, host + gain * mark, RATE) for gain in (1.0, np.float32(10**0.5)))
    assert np.allclose(loud.nmr_db - soft.nmr_db, 10, atol=0.02)
    assert np.allclose(loud.band_nmr_db[:, 12:60] - soft.band_nmr_db[:, 12:60], 10, atol=0.1)


def test_a_host_masks_a_mark_in_its_own_band_better_than_far_from_it() -> None:
    host = band_noise(900, 1100, 0.1)
    near, above, below = (
        audibility(host, host + band_noise(low, high, 1e-3, seed=1), RATE).nmr_db[0]
        for low, high in ((950, 1050), (4000, 4400), (300, 340))
    )
    assert near < above - 20
    assert near < below - 20


def test_a_mark_above_its_host_is_masked_better_than_one_as_far_below() -> None:
    host = band_noise(950, 1050, 0.1)
    # 1,600 and 550 Hz are 3 Bark above and below 1,000 Hz: masking spreads upwards.
    above, below = (
        audibility(host, host + band_noise(low, high, 1e-3, seed=1), RATE).nmr_db[0]
        for low, high in ((1570, 1650), (530, 575))
    )
    assert above < below


def test_what_is_far_below_the_threshold_of_hearing_is_inaudible_in_silence_and_what_is_loud_is_not() -> None:
    silence = np.zeros((1, RATE), np.float32)
    faint, loud = (audibility(silence, band_noise(2000, 3000, rms), RATE) for rms in (3e-6, 1e-2))
    assert faint.nmr_db[0] < 0
    assert faint.disturbed_frames[0] == 0
    assert loud.nmr_db[0] > 20
    assert loud.disturbed_frames[0] == 1


def test_a_full_scale_sine_is_heard_at_the_level_it_is_played_at() -> None:
    silence = np.zeros((1, RATE), np.float32)
    sine = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE).astype(np.float32)[None]
    bands = audibility(silence, sine, RATE).band_nmr_db[0]
    # At 1 kHz the ears take 1.9 dB, the internal noise is 1.5 dB, and the mask lies 3 dB below it.
    assert 10 * np.log10(np.sum(10 ** (bands / 10))) == pytest.approx(92 - 1.9 - 1.5 + 3, abs=1.0)


def test_a_clip_that_was_not_changed_has_no_ratio() -> None:
    host = music_like(2, RATE, RATE)
    after = host.copy()
    after[1] += band_noise(500, 1000, 1e-3)[0]
    found = audibility(host, after, RATE)
    assert np.isnan(found.nmr_db[0])
    assert found.disturbed_frames[0] == 0
    assert np.isfinite(found.nmr_db[1])


def test_a_clip_has_the_same_ratio_alone_and_among_others() -> None:
    host = music_like(40, 4000, RATE)
    after = host + band_noise(500, 4000, 2e-3)[:, :4000]
    together = audibility(host, after, RATE)
    alone = audibility(host[33:34], after[33:34], RATE)
    assert alone.nmr_db[0] == pytest.approx(together.nmr_db[33])


def test_clips_that_do_not_fit_are_refused() -> None:
    clip = np.zeros((1, RATE), np.float32)
    with pytest.raises(ValueError, match="must have one shape"):
        audibility(clip, clip[:, :-1], RATE)
    with pytest.raises(ValueError, match=r"at least 0\.04 s"):
        audibility(clip[:, :100], clip[:, :100], RATE)
