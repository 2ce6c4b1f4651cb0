"""Sounds that a scheme was not made for: range, level and colour."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sealproof.harness.training.schemes.foreign_sounds import FOREIGN_SOUNDS

if TYPE_CHECKING:
    import torch

pytestmark = pytest.mark.usefixtures("one_torch_thread")

RATE = 16_000

ToTensor = Callable[[NDArray[Any]], "torch.Tensor"]


def band_db(audio: "torch.Tensor", low: float, high: float) -> float:
    """Power in a band, mean over its frequencies, away from the ends of the clips."""
    samples = audio[:, 0].detach().numpy()
    power = np.abs(np.fft.rfft(samples * np.hanning(samples.shape[1]))) ** 2
    hz = np.fft.rfftfreq(samples.shape[1], 1 / RATE)
    return float(10 * np.log10(power[:, (hz >= low) & (hz < high)].mean() + 1e-20))


@pytest.mark.parametrize("name", FOREIGN_SOUNDS)
def test_foreign_sounds_are_audio_and_repeat(name: str) -> None:
    clips = FOREIGN_SOUNDS[name](6, RATE, np.random.default_rng(0))
    assert clips.shape == (6, RATE)
    assert clips.dtype == np.float32
    assert np.isfinite(clips).all()
    np.testing.assert_array_equal(clips, FOREIGN_SOUNDS[name](6, RATE, np.random.default_rng(0)))
    assert not np.array_equal(clips, FOREIGN_SOUNDS[name](6, RATE, np.random.default_rng(1)))


@pytest.mark.parametrize("name", FOREIGN_SOUNDS)
def test_foreign_sounds_stay_within_full_scale(name: str) -> None:
    assert np.abs(FOREIGN_SOUNDS[name](40, RATE, np.random.default_rng(0))).max() <= 1


def test_foreign_sounds_have_their_levels_and_colours(tensor: ToTensor) -> None:
    rng = np.random.default_rng(0)
    for name in ("white noise", "pink noise"):
        level = 20 * np.log10(FOREIGN_SOUNDS[name](40, 4000, rng).std(axis=1))
        assert -60.5 < level.min() < -40
        assert -20 < level.max() < -9.5
    pink, white = (tensor(FOREIGN_SOUNDS[name](20, 4000, rng)) for name in ("pink noise", "white noise"))
    assert band_db(pink, 250, 500) - band_db(pink, 2000, 4000) == pytest.approx(9, abs=1.5)
    assert band_db(white, 250, 500) == pytest.approx(band_db(white, 2000, 4000), abs=1.5)
    silence = FOREIGN_SOUNDS["silence"](4, 4000, rng)
    assert not silence[::2].any()
    assert 0 < np.abs(silence[1::2]).max() <= 1 / 32_768
    assert (np.abs(FOREIGN_SOUNDS["speech-like"](6, RATE, rng)).max(axis=1) >= 0.049).all()
