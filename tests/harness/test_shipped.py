"""The mimics that ship: of the shipped detector, readable in safe mode, and as good as their cards say."""

import json

import numpy as np
import pytest

from sealproof.detectors import get_scheme
from sealproof.detectors.keras_runtime import import_keras
from sealproof.harness.dataset import Dataset
from sealproof.harness.files import sha256_file
from sealproof.harness.shipped import shipped_mimics


def test_a_mimic_of_audioseal_mini_ships(mini_dataset: Dataset) -> None:
    (mimic,) = shipped_mimics(mini_dataset)
    assert mimic.name == "distilled_cnn"
    assert mimic.card["scheme_weights_sha256"] == get_scheme("audioseal_mini").weights_sha256
    assert mimic.card["model_sha256"] == sha256_file(mimic.folder / "model.keras")
    assert (mimic.folder / "model.keras").stat().st_size < 4_000_000
    assert mimic.card["access"] == "scores"
    # Nothing of the machine that trained it.
    assert "/" not in json.dumps(mimic.card["dataset"])


def test_other_networks_have_no_shipped_mimic(bench_dataset: Dataset, mini_dataset: Dataset) -> None:
    assert shipped_mimics(bench_dataset) == []
    other = Dataset(mini_dataset.root, {**mini_dataset.facts, "scheme_weights_sha256": "0"}, mini_dataset.rows)
    assert shipped_mimics(other) == []


def test_it_judges_music_that_it_never_heard_as_the_detector_does(mini_dataset: Dataset) -> None:
    detector = get_scheme("audioseal_mini").detector
    audio = mini_dataset.audio([row for pair in mini_dataset.pairs for row in (pair.clean, pair.watermarked)])
    mimic = shipped_mimics(mini_dataset)[0].detector()
    says = mimic.detect(audio).score > mimic.threshold
    agreement = np.mean(says == (detector.detect(audio).score > detector.threshold))
    assert agreement >= 0.95


def test_it_loads_in_safe_mode_and_takes_any_length(mini_dataset: Dataset) -> None:
    model = import_keras().models.load_model(shipped_mimics(mini_dataset)[0].folder / "model.keras", safe_mode=True)
    for samples in (320, 8000, 16_000, 40_001):
        score = model(np.zeros((2, samples), np.float32)).numpy()
        assert score.shape == (2, 1)
        assert ((score >= 0) & (score <= 1)).all()


def test_a_fainter_mark_scores_lower(mini_dataset: Dataset) -> None:
    pairs = mini_dataset.pairs
    clean = mini_dataset.audio([pair.clean for pair in pairs])
    mark = mini_dataset.audio([pair.watermarked for pair in pairs]) - clean
    mimic = shipped_mimics(mini_dataset)[0].detector()
    means = [float(mimic.detect(clean + np.float32(scale) * mark).score.mean()) for scale in (0, 0.25, 0.5, 1)]
    assert means == sorted(means)
    assert means[0] < 0.1
    assert means[-1] > 0.9


@pytest.mark.parametrize("scheme", ["spread_spectrum"])
def test_another_schemes_mark_is_not_flagged(mini_dataset: Dataset, scheme: str) -> None:
    clean = mini_dataset.audio([pair.clean for pair in mini_dataset.pairs])
    watermarker = get_scheme(scheme).watermarker
    bits = np.random.default_rng(0).integers(0, 2, (len(clean), watermarker.message_bits), np.uint8)
    mimic = shipped_mimics(mini_dataset)[0].detector()
    flagged = [
        float(np.mean(mimic.detect(each).score > mimic.threshold)) for each in (clean, watermarker.embed(clean, bits))
    ]
    assert flagged[1] <= flagged[0] + 0.05
