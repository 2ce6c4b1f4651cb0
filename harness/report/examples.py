"""Disagreements to listen to: the clips made again as the run made them, as audio and spectrogram for a page."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sealproof.detectors.base import Audio
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.foundation.audio.spectrogram import level_db
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.matrix.replay import Replayed, replay
from sealproof.harness.report.disagreements import Disagreement
from sealproof.harness.report.page.spectrogram_image import spectrogram_png
from sealproof.harness.tables.reading.clips import LABELS
from sealproof.harness.tables.reading.run_folder import RunFolder

_RANGE_DB = 80
"""Levels that the spectrograms of an example span, below the loudest of it."""


@dataclass(frozen=True)
class Sound:
    """One player.

    Attributes:
        title: `clean`, `watermarked` or `attacked`.
        audio: FLAC, 16 bits, as a data URI.
        spectrogram: PNG as a data URI.
        duration_s: Its length.
    """

    title: str
    audio: str
    spectrogram: str
    duration_s: float


@dataclass(frozen=True)
class Example:
    """One disagreement.

    Attributes:
        disagreement: Where it is and how sure.
        sounds: Clean, watermarked and attacked; empty where the attack could not be done here.
        lowered_db: How much all three are played softer than they were scored, so that 16 bits hold them.
        is_exact: The cell's key is still the run's, so what is heard is what was scored, bit for bit.
        error: Why there are no sounds; empty when there are.
    """

    disagreement: Disagreement
    sounds: tuple[Sound, ...]
    lowered_db: float
    is_exact: bool
    error: str


def open_dataset(folder: RunFolder, given: Path | None) -> Dataset | str:
    """Return the run's dataset, or, where none was given and the run's own is not at hand, what to do about it.

    Raises:
        HarnessError: The folder given is no dataset, or not the one of this run.
    """
    path = given or (Path(str(folder.facts["dataset_path"])) if "dataset_path" in folder.facts else None)
    advice = f"Pass --dataset DIR with the dataset {folder.facts['dataset']} that the run was made with."
    if path is None:
        return f"The run does not say where its dataset is. {advice}"
    try:
        dataset = Dataset.open(path)
    except HarnessError:
        if given is not None:
            raise
        return f"The run's dataset is no longer where it was. {advice}"
    if dataset.sha256 == folder.facts["dataset_sha256"]:
        return dataset
    if given is None:
        return f"The dataset was built anew since the run. {advice}"
    raise HarnessError(
        f"--dataset must be the dataset of the run, manifest sha256 {folder.facts['dataset_sha256'][:12]}.... "
        f"Got {path} with {dataset.sha256[:12]}...: pass the one the run was made with."
    )


def make_examples(folder: RunFolder, dataset: Dataset, disagreements: Sequence[Disagreement]) -> list[Example]:
    """Make the clips of some disagreements again, from the dataset, by the attack, with the run's own seeds.

    Raises:
        HarnessError: The dataset lacks a clip that the run scored, or a WAV is damaged.
    """
    clip_ids, rate = folder.scores.clip_ids, int(dataset.facts["sample_rate"])
    wanted = [(folder.cells[each.cell].attack_id, clip_ids[each.clip]) for each in disagreements]
    made = replay(dataset, set(clip_ids), int(folder.facts["seed"]), wanted)
    return [_example(folder, each, clips, rate) for each, clips in zip(disagreements, made, strict=True)]


def _example(folder: RunFolder, disagreement: Disagreement, made: Replayed | str, rate: int) -> Example:
    if isinstance(made, str):
        return Example(disagreement, (), 0.0, False, f"The attack cannot be done here: {made}")
    clips = [*made.before, made.after[disagreement.label]]
    peak = max(1.0, *(float(np.abs(clip).max()) for clip in clips))
    levels = [level_db(clip) for clip in clips]
    high = max(float(level.max()) for level in levels)
    sounds = tuple(
        Sound(
            title,
            _uri("audio/flac", flac(clip / np.float32(peak), rate)),
            _uri("image/png", spectrogram_png(level, high - _RANGE_DB, high)),
            clip.size / rate,
        )
        for title, clip, level in zip((*LABELS, "attacked"), clips, levels, strict=True)
    )
    is_exact = made.key == folder.cells[disagreement.cell].key
    return Example(disagreement, sounds, 20 * float(np.log10(peak)), is_exact, "")


def flac(clip: Audio, sample_rate: int) -> bytes:
    """Write a clip, (samples,) within [-1, 1], as 16-bit FLAC."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, clip, sample_rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
