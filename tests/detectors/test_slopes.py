"""Gradients are those of what the detectors answer: held against differences along them."""

from pathlib import Path

import numpy as np
import pytest

from sealproof.attacks.testing import music_like
from sealproof.detectors import get_scheme
from sealproof.detectors.base import Audio, Detection, DetectorError
from sealproof.detectors.mimics import get_mimic_recipe
from sealproof.detectors.mimics.mimic import Mimic
from sealproof.detectors.mimics.model_file import model_sha256
from sealproof.detectors.slopes import Slope, SlopeFunction, required_frames, slope_of

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

SCHEMES = ("audioseal_mini", "perth", "spread_spectrum")


def clips_of(name: str) -> Audio:
    """Two clean clips and the same two, marked."""
    clean = music_like(2, 8000, 16_000)
    watermarker = get_scheme(name).watermarker
    marked = watermarker.embed(clean, np.ones((2, watermarker.message_bits), np.uint8))
    return np.concatenate([clean, marked])


def worst_ratio(slope: SlopeFunction, batch: Audio, is_to_flag: bool) -> float:
    """Difference of the value along the gradient over what the gradient promises, of the clip where it is worst.

    Networks bend: of several lengths of the step that counts at which a clip fits best. Were the gradient wrong, none
    would.
    """
    found = slope(batch, 0.5, is_to_flag)
    length = np.sqrt((found.gradient.astype(np.float64) ** 2).sum(axis=1, keepdims=True))
    assert (length > 0).all()
    ratios = []
    for step in (1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 1e-3):
        along = (step * found.gradient / length).astype(np.float32)
        up, down = (slope(batch + side * along, 0.5, is_to_flag).value for side in (1, -1))
        ratios.append((up - down) / (2 * step * length[:, 0]))
    return float(np.abs(np.stack(ratios) - 1).min(axis=0).max())


@pytest.mark.parametrize(("name", "is_to_flag"), [*((name, True) for name in SCHEMES), ("audioseal_mini", False)])
def test_a_gradient_says_how_the_value_changes_along_it(name: str, is_to_flag: bool) -> None:
    slope = slope_of(get_scheme(name).detector)
    assert slope is not None
    assert worst_ratio(slope, clips_of(name), is_to_flag) < 0.01


@pytest.mark.parametrize("name", SCHEMES)
def test_scores_beside_gradients_are_those_of_the_detector(name: str) -> None:
    detector, batch = get_scheme(name).detector, clips_of(name)
    slope = slope_of(detector)
    assert slope is not None
    assert np.allclose(slope(batch, 0.5, True).score, detector.detect(batch).score, atol=1e-3)


@pytest.mark.parametrize("name", SCHEMES)
def test_a_gradient_is_that_of_a_clip_alone(name: str) -> None:
    slope, batch = slope_of(get_scheme(name).detector), clips_of(name)
    assert slope is not None
    alone, together = slope(batch[2:3], 0.5, False), slope(batch, 0.5, False)
    assert np.allclose(alone.gradient[0], together.gradient[2], atol=1e-4 * np.abs(together.gradient).max())


@pytest.mark.parametrize("name", SCHEMES)
def test_silence_has_a_finite_gradient(name: str) -> None:
    slope = slope_of(get_scheme(name).detector)
    assert slope is not None
    assert np.isfinite(slope(np.zeros((1, 8000), np.float32), 0.5, True).gradient).all()


@pytest.mark.parametrize("name", ["seed_cnn", "spectrogram_cnn", "waveform_cnn"])
def test_a_mimic_of_any_kind_gives_the_gradient_of_its_logits(name: str, tmp_path: Path) -> None:
    get_mimic_recipe(name).build(8000).save(tmp_path / "model.keras")
    mimic = Mimic(tmp_path / "model.keras", name=name, sha256=model_sha256(tmp_path / "model.keras"))
    batch = music_like(3, 8000, 16_000)
    assert worst_ratio(mimic.slope, batch, True) < 0.01
    assert np.allclose(mimic.slope(batch, 0.5, True).score, mimic.detect(batch).score, atol=1e-5)


def test_longer_clips_than_a_mimic_hears_have_no_slope_at_their_end(tmp_path: Path) -> None:
    get_mimic_recipe("seed_cnn").build(8000).save(tmp_path / "model.keras")
    mimic = Mimic(tmp_path / "model.keras", name="seed_cnn", sha256=model_sha256(tmp_path / "model.keras"))
    gradient = mimic.slope(music_like(1, 9000, 16_000), 0.5, True).gradient
    assert gradient.shape == (1, 9000)
    assert gradient[:, :8000].any()
    assert not gradient[:, 8000:].any()


def test_as_many_frames_must_turn_as_the_threshold_says() -> None:
    # Of ten frames, more than half flagged is six; not more than half is five that are not.
    assert required_frames(10, 0.5, True) == 6
    assert required_frames(10, 0.5, False) == 5
    assert required_frames(10, 0.0, True) == 1
    assert required_frames(10, 0.0, False) == 10
    assert required_frames(10, 1.0, True) == 10


def test_a_detector_that_gives_no_gradients_has_none() -> None:
    class Closed:
        name, sample_rate, threshold = "closed", 16_000, 0.0

        def detect(self, batch: Audio) -> Detection:
            return Detection(np.zeros(len(batch), np.float32))

    assert slope_of(Closed()) is None


def test_a_gradient_that_is_no_number_is_refused() -> None:
    with pytest.raises(DetectorError, match="'gradient' of a Slope must be finite"):
        Slope(np.zeros(1, np.float32), np.zeros(1), np.full((1, 3), np.nan, np.float32))
