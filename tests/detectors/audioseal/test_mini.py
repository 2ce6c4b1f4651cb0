"""The scheme that ships: it is what its card says, nothing else is loaded, and it works."""

import json
import os
from collections.abc import Callable
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import pytest

from sealproof.attacks import get_attack
from sealproof.detectors import Audio, DetectorError, get_scheme
from sealproof.detectors.audioseal.mini import SHA256, AudioSealMiniScheme, shipped_net

FOLDER = files("sealproof.detectors.weights.audioseal_mini")

MUSIC = os.environ.get("SEALPROOF_TEST_MUSIC")
"""A folder of real music for the tests that need it; without it they are skipped."""


@pytest.fixture(scope="module")
def scheme() -> AudioSealMiniScheme:
    return AudioSealMiniScheme()


def test_the_card_names_the_files_that_are_loaded() -> None:
    card = json.loads(FOLDER.joinpath("card.json").read_text())
    assert card["name"] == "audioseal_mini"
    assert card["sha256"] == SHA256
    assert "*not* Meta's model" in FOLDER.joinpath("README.md").read_text()


def test_the_recipe_that_ships_is_the_last_stage_of_the_population_and_builds_its_networks() -> None:
    from sealproof.harness.training.schemes.recipe import load_recipe

    with as_file(FOLDER.joinpath("recipe.toml")) as path:
        recipe = load_recipe(str(path))
    stages = Path(__file__).parents[3] / "benchmarks" / "training" / "lines_0"
    assert recipe == load_recipe(str(stages / "stage9.toml"))
    for kind in ("generator", "detector"):
        assert shipped_net(kind).config == recipe.net_config(kind)


def test_other_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SHA256, "detector", "0" * 64)
    with pytest.raises(DetectorError, match=r"detector\.safetensors must have SHA-256 0000.*It was not opened"):
        _ = get_scheme("audioseal_mini").detector


def test_its_name_is_nowhere_that_of_the_published_pair(scheme: AudioSealMiniScheme) -> None:
    assert scheme.name == scheme.detector.name == "audioseal_mini"
    assert "not Meta" in scheme.summary
    assert "-mini-" in scheme.version
    assert scheme.version != get_scheme("audioseal").version


def test_a_mark_is_found_and_read_on_synthetic_music(scheme: AudioSealMiniScheme, music: Callable[..., Audio]) -> None:
    """Floors far below what was measured on real music, so that they hold for any seed."""
    clips = music(48, seed=5)
    messages = np.random.default_rng(0).integers(0, 2, (48, 16), dtype=np.uint8)
    marked = scheme.watermarker.embed(clips, messages)
    snr_db = 10 * np.log10((clips**2).sum(1) / ((marked - clips) ** 2).sum(1))
    assert np.median(snr_db) > 22
    found, clean = scheme.detector.detect(marked), scheme.detector.detect(clips)
    assert (found.score > 0.5).mean() >= 0.9
    assert (clean.score > 0.5).mean() <= 0.05
    assert np.mean(found.bits == messages) >= 0.9


def test_the_mark_is_found_where_it_is(scheme: AudioSealMiniScheme, music: Callable[..., Audio]) -> None:
    """A clip that carries the mark in its second half only."""
    clips = music(24, seed=6)
    messages = np.random.default_rng(0).integers(0, 2, (24, 16), dtype=np.uint8)
    half = clips.copy()
    half[:, 8000:] = scheme.watermarker.embed(clips, messages)[:, 8000:]
    frames = scheme.detector.detect(half).frames
    assert frames is not None
    # The detector sums over two fifths of a second.
    assert (frames[:, 12_800:] > 0.5).mean() > 0.7
    assert (frames[:, :4800] > 0.5).mean() < 0.2


@pytest.mark.skipif(MUSIC is None, reason="SEALPROOF_TEST_MUSIC names no folder of music")
def test_the_floors_of_its_card_hold_on_music_it_was_not_trained_on() -> None:
    from sealproof.attacks.verification.measure import snr_db
    from sealproof.harness.corpora.folder import FolderCorpus
    from sealproof.harness.foundation.audio.files import from_pcm
    from sealproof.harness.statistics import roc, thresholds
    from sealproof.harness.training.schemes.clips import read_clips

    assert MUSIC is not None
    clips = read_clips(FolderCorpus(root=Path(MUSIC)), 10_000_000, 0)
    rng = np.random.default_rng(0)
    host, calibration = (
        from_pcm(clips.pcm[split][rng.permutation(len(clips.pcm[split]))[:200]]) for split in ("test", "calibration")
    )
    scheme = get_scheme("audioseal_mini")
    messages = rng.integers(0, 2, (len(host), 16), dtype=np.uint8)
    marked = scheme.watermarker.embed(host, messages)
    assert np.median(snr_db(host, marked)) >= 24
    threshold = thresholds.threshold_at_fpr(scheme.detector.detect(calibration).score, 0.01)
    assert threshold is not None  # 200 clean clips are enough for 1 %
    found, clean = scheme.detector.detect(marked), scheme.detector.detect(host)
    truth = np.repeat([True, False], len(host))
    assert roc.auc(np.concatenate([found.score, clean.score]), truth) >= 0.999
    assert (found.score > threshold).mean() >= 0.99
    assert np.mean(found.bits == messages) >= 0.9
    for name in ("mp3.64kbps", "white_noise.30db", "resample.8khz", "gain.6db", "gain.-6db", "lowpass.4khz"):
        attacked = get_attack(name)(marked, 16_000, list(range(len(marked))))
        assert (scheme.detector.detect(attacked).score > threshold).mean() >= 0.95, name
