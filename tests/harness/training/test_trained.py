"""The mimics that ship: of the shipped detector, readable in safe mode, and following the mark and nothing else."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sealproof.detectors import Scheme, get_scheme
from sealproof.detectors.mimics.keras_runtime import import_keras
from sealproof.detectors.mimics.model_file import model_sha256
from sealproof.harness.corpora.demo.music import compose
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.foundation.audio.files import from_pcm, read_wav, to_pcm, write_wav
from sealproof.harness.training.mimics.trained import shipped_mimics

Audio = NDArray[np.float32]


def embed(scheme: Scheme, clean: Audio) -> Audio:
    """Mark clips, each with a message of its own."""
    bits = np.random.default_rng(0).integers(0, 2, (len(clean), scheme.watermarker.message_bits), np.uint8)
    return scheme.watermarker.embed(clean, bits)


def flagged(dataset: Dataset, audio: Audio) -> NDArray[np.bool_]:
    """What the shipped mimic takes for watermarked."""
    mimic = shipped_mimics(dataset)[0].detector()
    return mimic.detect(audio).score > mimic.threshold


def through_files(folder: Path, audio: Audio) -> Audio:
    """Clips as a dataset has them: rounded, clipped, written to WAV and read again."""
    paths = [folder / f"{index}.wav" for index in range(len(audio))]
    for path, clip in zip(paths, audio, strict=True):
        write_wav(path, to_pcm(clip))
    return np.stack([from_pcm(read_wav(path, audio.shape[1])) for path in paths])


@pytest.fixture(scope="module")
def demo_music() -> Audio:
    """Forty seconds, each of another piece; the mimics that ship were trained on recordings, not on this."""
    return np.stack([compose(index, seed=7, duration_s=1, sample_rate=16_000).audio for index in range(40)])


def test_a_mimic_of_audioseal_mini_ships(mini_dataset: Dataset) -> None:
    (mimic,) = shipped_mimics(mini_dataset)
    assert mimic.name == "distilled_cnn"
    assert mimic.card["scheme_weights_sha256"] == get_scheme("audioseal_mini").weights_sha256
    assert mimic.card["model_sha256"] == model_sha256(mimic.folder / "model.keras")
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


def test_it_judges_demo_music_as_the_detector_does(mini_dataset: Dataset, demo_music: Audio) -> None:
    scheme = get_scheme("audioseal_mini")
    audio = from_pcm(to_pcm(np.concatenate([demo_music, embed(scheme, demo_music)])))
    reference = scheme.detector.detect(audio).score > scheme.detector.threshold
    says = flagged(mini_dataset, audio)
    truth = np.repeat([False, True], len(demo_music))
    assert np.mean(says == reference) >= 0.9
    assert np.mean(says == truth) >= 0.9


def test_it_follows_the_mark_and_not_the_file(mini_dataset: Dataset, demo_music: Audio, tmp_path: Path) -> None:
    """Writing and reading a clip, as every marked one was, must not make it look marked, nor hide a mark."""
    marked = embed(get_scheme("audioseal_mini"), demo_music)
    mimic = shipped_mimics(mini_dataset)[0].detector()
    for audio in (demo_music, marked):
        filed = through_files(tmp_path, audio)
        assert not np.array_equal(filed, audio)
        assert np.mean(flagged(mini_dataset, filed) == flagged(mini_dataset, audio)) >= 0.975
        assert np.abs(mimic.detect(filed).score - mimic.detect(audio).score).mean() < 0.02
    assert np.mean(flagged(mini_dataset, through_files(tmp_path, demo_music))) <= 0.1


def test_it_loads_without_sealproof(mini_dataset: Dataset, tmp_path: Path) -> None:
    """A user with keras alone, in safe mode: in a process of its own, as this one has registered what it imported."""
    clips = mini_dataset.audio([pair.watermarked for pair in mini_dataset.pairs[:3]])
    np.save(tmp_path / "clips.npy", clips)
    mimic = shipped_mimics(mini_dataset)[0]
    program = (
        "import sys, keras, numpy\n"
        "model = keras.models.load_model(sys.argv[1])\n"
        "score = model.predict(numpy.load(sys.argv[2]), verbose=0)\n"
        "assert not [name for name in sys.modules if name.partition('.')[0] == 'sealproof']\n"
        "numpy.save(sys.argv[3], score)"
    )
    # From an empty folder, so that none of the repository's is found.
    subprocess.run(
        [sys.executable, "-c", program, mimic.folder / "model.keras", "clips.npy", "score.npy"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        timeout=1800,
    )
    expected = mimic.detector().detect(clips).score
    np.testing.assert_allclose(np.load(tmp_path / "score.npy")[:, 0], expected, atol=1e-5)


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


@pytest.mark.parametrize("scheme", ["perth", "spread_spectrum"])
def test_another_schemes_mark_is_not_flagged(mini_dataset: Dataset, scheme: str) -> None:
    clean = mini_dataset.audio([pair.clean for pair in mini_dataset.pairs])
    other = get_scheme(scheme)
    marked = embed(other, clean)
    # There is a mark to be fooled by: its own detector tells the two apart.
    own = [float(other.detector.detect(each).score.mean()) for each in (clean, marked)]
    assert own[1] > own[0]
    assert np.mean(flagged(mini_dataset, marked)) <= np.mean(flagged(mini_dataset, clean)) + 0.05
