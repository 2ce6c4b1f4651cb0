"""Imitators: each learns what it is made for, and takes clips of any length."""

import numpy as np
import pytest

from sealproof.detectors import get_scheme
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.studies.extraction.imitators.base import Lesson
from sealproof.harness.studies.extraction.imitators.catalogue import IMITATORS, get_imitator
from sealproof.harness.studies.extraction.imitators.networks import NetworkImitator
from sealproof.harness.training.mimics.queries import Answers, over_frames

RATE, N = 16_000, 60


def _music(rng: np.random.Generator, n: int) -> np.ndarray:
    """Coloured noise: no two clips alike, and nothing at one frequency."""
    spectra = np.fft.rfft(rng.standard_normal((n, RATE))) / np.sqrt(1 + np.arange(RATE // 2 + 1) / 50)
    clips = np.fft.irfft(spectra, RATE)
    return (0.1 * clips / clips.std(axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def toned() -> Lesson:
    """Marks that are a tone of 1,250 Hz, 20 dB below the clip, always in one phase."""
    rng = np.random.default_rng(0)
    clean = _music(rng, N)
    marked = clean + 0.01 * np.sqrt(2) * np.sin(2 * np.pi * 1250 * np.arange(RATE) / RATE).astype(np.float32)
    twins = np.stack([clean, marked], axis=1).reshape(2 * N, RATE)
    targets = over_frames(np.tile([0.0, 1.0], N), 50)
    return Lesson(Answers(twins[:80], targets[:80]), Answers(twins[80:].astype(np.float16), targets[80:]))


@pytest.mark.parametrize("name", ["tone", "folded", "coherence", "log_spectrum", "knn"])
def test_algebra_finds_a_tone(name: str, toned: Lesson) -> None:
    judge = get_imitator(name, get_scheme("spread_spectrum")).fit(toned, steps=0, seed=0)
    rng = np.random.default_rng(1)
    clean = _music(rng, 40)
    tone = 0.01 * np.sqrt(2) * np.sin(2 * np.pi * 1250 * np.arange(RATE) / RATE).astype(np.float32)
    right = np.concatenate([judge(clean) <= 0.5, judge(clean + tone) > 0.5]).mean()
    assert right > (0.6 if name == "knn" else 0.9)
    assert judge(clean[:, :5000]).shape == judge(np.tile(clean, 2)).shape == (40,)


def test_every_network_has_a_logit_for_each_frame_of_clips_of_any_length() -> None:
    networks = [each.recipe() for each in IMITATORS.values() if issubclass(each, NetworkImitator)]
    assert len(networks) == 6
    for recipe in networks:
        frames = recipe.frames()
        for n_samples in (8000, 16_000):
            assert frames(np.full((1, n_samples), 0.01, np.float32)).shape == (1, n_samples // 320), recipe.name


def test_a_network_learns_without_altered_clips_too(toned: Lesson) -> None:
    imitator = get_imitator("spectrogram_1024", get_scheme("spread_spectrum"))
    judge = imitator.fit(Lesson(toned.twins.first(8), toned.altered.first(0)), steps=1, seed=0)
    scores = judge(np.full((2, 8000), 0.01, np.float32))
    assert scores.shape == (2,)
    assert ((scores >= 0) & (scores <= 1)).all()


def test_what_knows_the_detectors_inside_learns_from_it(mini_dataset: Dataset) -> None:
    scheme = get_scheme("audioseal_mini")
    pairs = mini_dataset.split("train")[:10]
    audio = mini_dataset.audio([row for pair in pairs for row in (pair.clean, pair.watermarked)])
    targets = over_frames(np.tile([0.0, 1.0], 10), 50)
    lesson = Lesson(Answers(audio, targets), Answers(audio[:0], targets[:0]))
    probe = get_imitator("probe", scheme).fit(lesson, steps=0, seed=0)
    assert ((probe(audio) > 0.5) == np.tile([False, True], 10)).mean() > 0.9
    fresh = get_imitator("seanet", scheme).fit(lesson, steps=2, seed=0)
    again = get_imitator("seanet", scheme).fit(lesson, steps=2, seed=0)
    np.testing.assert_allclose(fresh(audio[:4]), again(audio[:4]), atol=1e-5)
    assert fresh(audio[:2, :8000]).shape == (2,)


def test_a_wide_network_has_four_times_the_parameters() -> None:
    from sealproof.detectors.mimics.fine_spectrogram_cnn import DistilledCnn
    from sealproof.harness.studies.extraction.imitators.networks import WideCnn

    ratio = WideCnn.recipe().frames().count_params() / DistilledCnn().frames().count_params()
    assert 3.8 < ratio < 4.1
