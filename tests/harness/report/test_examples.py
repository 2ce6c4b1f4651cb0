"""What one hears is what was scored."""

import base64
import io
import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from sealproof.harness.datasets.attacker_knowledge import KnowledgeBase
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.foundation.audio.spectrogram import level_db
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.matrix.attacking import attack_pairs
from sealproof.harness.report.disagreements import Disagreement
from sealproof.harness.report.examples import flac, make_examples, open_dataset
from sealproof.harness.report.page.spectrogram_image import MAX_COLUMNS, MAX_ROWS, spectrogram_png
from sealproof.harness.report.write import write_report
from sealproof.harness.tables.reading.run_folder import RunFolder

ATTACKED = ("white_noise.10db", "highpass.500hz", "gain.6db", "offset.100samples", "gain.-6db+white_noise.20db")
"""Random ones, a filter, one that clips, one that moves the clip, a chain."""


@pytest.fixture(scope="module")
def folder(finished_run: Any) -> RunFolder:
    return RunFolder.open(finished_run.folder)


def heard(uri: str) -> np.ndarray:
    kind, _, content = uri.partition(",")
    assert kind == "data:audio/flac;base64"
    audio, rate = soundfile.read(io.BytesIO(base64.b64decode(content)), dtype="float32")
    assert rate == 16_000
    return audio


@pytest.mark.parametrize("attack_id", ATTACKED)
@pytest.mark.parametrize("label", [0, 1])
def test_the_clip_that_is_heard_has_the_score_that_was_written(
    finished_run: Any, folder: RunFolder, attack_id: str, label: int
) -> None:
    cell = next(index for index, one in enumerate(folder.cells) if one.attack_id == attack_id)
    clip = 3
    (example,) = make_examples(folder, finished_run.bench.dataset, [Disagreement(cell, label, clip, 1, 1.0)])
    assert example.is_exact
    assert [sound.title for sound in example.sounds] == ["clean", "watermarked", "attacked"]
    pair = finished_run.bench.pairs[clip]
    gain = 10 ** (example.lowered_db / 20)
    clips = [heard(sound.audio) * np.float32(gain) for sound in example.sounds]
    before = finished_run.bench.dataset.audio([pair.clean, pair.watermarked])
    step = gain / 32_768
    assert np.abs(clips[0] - before[0]).max() <= step
    assert np.abs(clips[1] - before[1]).max() <= step
    with ThreadPoolExecutor(1) as workers:
        dataset = finished_run.bench.dataset
        ran = finished_run.outcomes[cell].cell
        made = attack_pairs(dataset, KnowledgeBase(dataset), ran, [pair], workers).after.audio[label]
    assert np.abs(clips[2] - made).max() <= step
    # The audio itself, before it is rounded to 16 bits, scores what clips.csv says.
    for place, subject in enumerate(finished_run.bench.subjects):
        score = subject.load().detect(made[None]).score[0]
        assert score == pytest.approx(folder.scores.scores[cell, place, label, clip], rel=1e-4, abs=1e-5)


def test_audio_beyond_full_scale_is_lowered_and_says_so(finished_run: Any, folder: RunFolder) -> None:
    cell = next(index for index, one in enumerate(folder.cells) if one.attack_id == "gain.6db")
    examples = make_examples(
        folder, finished_run.bench.dataset, [Disagreement(cell, 1, clip, 1, 1.0) for clip in range(4)]
    )
    for example in examples:
        peaks = [np.abs(heard(sound.audio)).max() for sound in example.sounds]
        assert max(peaks) <= 1
        if example.lowered_db:
            assert max(peaks) > 0.999


def test_another_seed_is_not_what_was_scored(finished_run: Any, tmp_path: Path) -> None:
    copy = shutil.copytree(finished_run.folder, tmp_path / "run")
    facts = json.loads((copy / "run.json").read_text())
    facts["seed"] = 4
    (copy / "run.json").write_text(json.dumps(facts))
    folder = RunFolder.open(copy)
    found = [Disagreement(3, 1, 0, 1, 1.0)]
    (example,) = make_examples(folder, finished_run.bench.dataset, found)
    assert not example.is_exact
    write_report(copy, tmp_path / "out", finished_run.bench.dataset.root, 2)
    assert "what you hear there may differ from what was scored" in (tmp_path / "out" / "report.html").read_text()


def test_an_attack_that_cannot_be_done_here_says_why(finished_run: Any, folder: RunFolder) -> None:
    cell = next(index for index, one in enumerate(folder.cells) if one.attack_id == "refusing")
    found = [Disagreement(cell, 1, 0, 1, 1.0)]
    (example,) = make_examples(folder, finished_run.bench.dataset, found)
    assert not example.sounds
    assert example.error.startswith("The attack cannot be done here: There is no attack 'refusing'.")


def test_the_runs_own_dataset_is_used_where_none_is_given(finished_run: Any, folder: RunFolder) -> None:
    dataset = open_dataset(folder, None)
    assert isinstance(dataset, Dataset)
    assert dataset.root == finished_run.bench.dataset.root


def test_a_dataset_that_is_gone_is_asked_for(finished_run: Any, tmp_path: Path) -> None:
    copy = shutil.copytree(finished_run.folder, tmp_path / "run")
    facts = json.loads((copy / "run.json").read_text())
    facts["dataset_path"] = str(tmp_path / "gone")
    (copy / "run.json").write_text(json.dumps(facts))
    written = write_report(copy, None, None, 2)
    assert written.examples == 0
    assert written.note == (
        "The run's dataset is no longer where it was. Pass --dataset DIR with the dataset bench that the run was made "
        "with."
    )
    assert "Pass --dataset DIR" in (copy / "report.html").read_text()
    assert not (copy / "figures" / "examples.csv").exists()


def test_another_dataset_is_refused(finished_run: Any, folder: RunFolder, bench_copy: Callable[[str], Dataset]) -> None:
    other = bench_copy("other")
    manifest = other.root / "manifest.csv"
    manifest.write_text(manifest.read_text() + "\n")
    facts = json.loads((other.root / "dataset.json").read_text())
    import hashlib

    facts["manifest_sha256"] = hashlib.sha256(manifest.read_bytes()).hexdigest()
    (other.root / "dataset.json").write_text(json.dumps(facts))
    with pytest.raises(HarnessError, match="--dataset must be the dataset of the run"):
        open_dataset(folder, other.root)
    with pytest.raises(HarnessError, match="must be a dataset that `sealproof build` wrote"):
        open_dataset(folder, other.root / "clean")


def test_flac_keeps_sixteen_bits() -> None:
    samples = np.arange(-32_768, 32_768, 7, dtype=np.float32) / 32_768
    audio, rate = soundfile.read(io.BytesIO(flac(samples.astype(np.float32), 16_000)), dtype="float32")
    assert rate == 16_000
    assert np.array_equal(audio, samples)


def test_a_tone_is_a_bright_line_where_it_belongs() -> None:
    tone = (0.5 * np.sin(2 * np.pi * 2000 * np.arange(16_000) / 16_000)).astype(np.float32)
    levels = level_db(tone)
    image = Image.open(io.BytesIO(spectrogram_png(levels, levels.max() - 80, levels.max())))
    assert image.width <= MAX_COLUMNS
    assert image.height == MAX_ROWS
    brightness = np.asarray(image.convert("L"), dtype=float)
    row = int(brightness.mean(axis=1).argmax())
    # 2 kHz is a quarter of the way up to 8 kHz, and low frequencies are at the bottom.
    assert (image.height - 1 - row) / (image.height - 1) == pytest.approx(0.25, abs=0.01)
    assert brightness[row].min() > 200
    assert brightness[: image.height // 2].max() < 40


def test_a_short_loud_moment_is_not_lost_when_pixels_are_few() -> None:
    levels = np.full((600, 2000), -100.0)
    levels[5, 1234] = 0
    image = np.asarray(Image.open(io.BytesIO(spectrogram_png(levels, -80, 0))).convert("L"))
    assert image.shape == (MAX_ROWS, MAX_COLUMNS)
    assert (image > 200).sum() == 1
