"""Training a mimic on a dataset, calibrating it, and writing down what it is."""

import math
import os
import shutil
import time
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealproof.detectors import get_scheme
from sealproof.detectors.base import Detector
from sealproof.detectors.mimics import MimicRecipe, get_mimic_recipe
from sealproof.detectors.mimics.base import ClipRecipe, FrameRecipe
from sealproof.detectors.mimics.keras_runtime import import_keras
from sealproof.detectors.mimics.mimic import Mimic, forward
from sealproof.detectors.mimics.model_file import model_sha256
from sealproof.harness.datasets.content_keys import attacks_sha256, scheme_sha256
from sealproof.harness.datasets.dataset import Dataset, Pair
from sealproof.harness.datasets.manifest import CLEAN, WATERMARKED, Row
from sealproof.harness.datasets.split import shared_groups, split_by_file
from sealproof.harness.foundation.code.identity import code_sha256
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.files import sha256_json, write_json, write_text
from sealproof.harness.foundation.seeds import derive_seed
from sealproof.harness.foundation.text import csv_text
from sealproof.harness.foundation.versions import package_versions
from sealproof.harness.statistics.detection import accuracy, estimate_accuracy
from sealproof.harness.statistics.estimation.estimate import Estimate
from sealproof.harness.statistics.estimation.resamples import Resamples
from sealproof.harness.statistics.roc import auc, estimate_auc
from sealproof.harness.statistics.thresholds import TARGET_FPR, threshold_at_fpr
from sealproof.harness.training.mimics.altered import query_attacks
from sealproof.harness.training.mimics.fit_clips import fit_clips
from sealproof.harness.training.mimics.fit_frames import History, fit_frames
from sealproof.harness.training.mimics.queries import gather_answers
from sealproof.harness.training.mimics.trained import TrainedMimic, read_card

BEST_AND_BASELINE = ("distilled_cnn", "seed_cnn")
"""The mimic that replicates best, and the study's own: those of the demo."""

CHEAP_FIRST = ("spectrogram_cnn", "seed_cnn", "distilled_cnn")
"""What is trained by default. The first takes seconds and asks nothing: what it learns is there to be learned."""

_READ_BLOCK = 256


@dataclass(frozen=True, kw_only=True)
class TrainRequest:
    """What a mimic is asked to be.

    Attributes:
        mimic: Name of the network.
        split: `group` (no recording in two splits) or `leaky` (single files dealt out at random, as the study did).
        seed: Decides initial weights and the order of the clips.
        epochs: At most this many; None for the network's own number.
    """

    mimic: str
    split: str = "group"
    seed: int = 0
    epochs: int | None = None

    def __post_init__(self) -> None:
        """Refuse unknown splits and numbers of epochs."""
        if self.split not in ("group", "leaky"):
            raise HarnessError(f"--split must be 'group' or 'leaky'. Got {self.split!r}.")
        if self.epochs is not None and self.epochs < 1:
            raise HarnessError(f"--epochs must be at least 1. Got {self.epochs}.")

    @property
    def name(self) -> str:
        """Name of the folder; a leaky mimic never passes for an honest one."""
        return self.mimic if self.split == "group" else f"{self.mimic}-leaky"


def train_mimic(dataset: Dataset, request: TrainRequest, *, force: bool = False) -> tuple[TrainedMimic, bool]:
    """Train a mimic, or return the one that was already trained just so.

    The mimic knows the labels only. Training stops early by the validation split; the threshold is calibrated on the
    clean clips of the calibration split; the test split is scored once, at the end.

    Args:
        dataset: A finished dataset.
        request: Which network, split and seed.
        force: Train again even when it is there.

    Returns:
        The mimic, and whether it was trained now.

    Raises:
        HarnessError: The name is unknown or the dataset cannot be read.
    """
    recipe = get_mimic_recipe(request.mimic)
    folder, key = dataset.root / "mimics" / request.name, _key(dataset, request, recipe)
    done = None if force else _finished(folder, key)
    if done is not None:
        return done, False
    if request.split == "leaky" and not isinstance(recipe, ClipRecipe):
        raise HarnessError(
            f"--split leaky is for networks that learn clip by clip, as the study's did. {request.mimic} needs twins."
        )
    files = files_of(dataset, request)
    started = time.monotonic()
    model, history, asked = _fit(dataset, files, recipe, request)
    # Not before: the mimic that was there stays until there is another.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _save(model, folder / "model.keras")
    write_text(folder / "history.csv", _history_csv(history))
    trained = TrainedMimic(folder, {"model_sha256": model_sha256(folder / "model.keras"), "split": request.split})
    card = {
        **trained.card,
        "key": key,
        "mimic": request.mimic,
        "summary": recipe.summary,
        "access": recipe.access,
        "scheme_weights_sha256": dataset.facts.get("scheme_weights_sha256"),
        "queries": asked,
        "dataset": dataset.name,
        "dataset_sha256": dataset.sha256,
        "scheme": dataset.scheme,
        "leak": _leak(files),
        "seed": request.seed,
        "epochs_run": len(history["loss"]),
        "files_per_split": {name: len(rows) for name, rows in files.items()},
        "training_s": round(time.monotonic() - started, 1),
        **_evaluate(dataset, trained.detector(), files),
        "packages": package_versions(),
    }
    write_json(folder / "card.json", card)
    return TrainedMimic(folder, card), True


def find_trained(dataset: Dataset, request: TrainRequest) -> TrainedMimic | None:
    """Return the mimic that was already trained just so, or None.

    Raises:
        HarnessError: The name is unknown.
    """
    key = _key(dataset, request, get_mimic_recipe(request.mimic))
    return _finished(dataset.root / "mimics" / request.name, key)


def _key(dataset: Dataset, request: TrainRequest, recipe: MimicRecipe) -> str:
    return sha256_json([dataset.sha256, request.__dict__, recipe_key(recipe), _teacher(dataset, recipe)])


def _finished(folder: Path, key: str) -> TrainedMimic | None:
    """Return the mimic in a folder if it was trained just so."""
    try:
        card = read_card(folder)
    except (FileNotFoundError, HarnessError):
        return None
    return TrainedMimic(folder, card) if card.get("key") == key and (folder / "model.keras").is_file() else None


def recipe_key(recipe: MimicRecipe) -> str:
    """Hash the code of a network, of its training and of what alters its clips: a changed one is trained again."""
    if not isinstance(recipe, FrameRecipe):
        return code_sha256(recipe, fit_clips)
    attacks = [] if recipe.access == "labels" else query_attacks()
    return sha256_json([code_sha256(recipe, fit_frames, gather_answers), attacks_sha256(attacks)])


def _teacher(dataset: Dataset, recipe: MimicRecipe) -> str:
    """Hash the detector that a mimic asks; of one that learns from labels, nothing."""
    return "" if recipe.access == "labels" else scheme_sha256(get_scheme(dataset.scheme))


def files_of(dataset: Dataset, request: TrainRequest) -> dict[str, list[Row]]:
    """Return the files of each split that a mimic is trained and judged on."""
    return leaky_files(dataset, request.seed) if request.split == "leaky" else group_files(dataset)


def group_files(dataset: Dataset) -> dict[str, list[Row]]:
    """Return each split's files, twin beside twin."""
    splits = ("train", "validation", "calibration", "test")
    return {name: _twins(dataset.split(name)) for name in splits}


def _twins(pairs: Iterable[Pair]) -> list[Row]:
    return [row for pair in pairs for row in (pair.clean, pair.watermarked)]


def leaky_files(dataset: Dataset, seed: int) -> dict[str, list[Row]]:
    """Return the study's split: single files at random, no calibration split (validation stands in)."""
    rows = _twins(dataset.pairs)
    splits = split_by_file([row.label for row in rows], seed)
    dealt = [replace(row, split=split) for row, split in zip(rows, splits, strict=True)]
    files = {name: [row for row in dealt if row.split == name] for name in ("train", "validation", "test")}
    return {**files, "calibration": files["validation"]}


def _leak(files: dict[str, list[Row]]) -> dict[str, int]:
    """Count what is on two sides: groups, and clips parted from their twins."""
    rows = [row for name in ("train", "validation", "test") for row in files[name]]
    splits = [row.split for row in rows]
    return {
        "groups_in_two_splits": len(shared_groups([row.group for row in rows], splits)),
        "parted_twins": len(shared_groups([row.clip_id for row in rows], splits)),
    }


def _fit(
    dataset: Dataset, files: dict[str, list[Row]], recipe: MimicRecipe, request: TrainRequest
) -> tuple[Any, History, int]:
    """Train; return the network, its history and how many clips the reference was asked about."""
    # Keras numbers layers through a process; the same network shall have the same names, and so the same hash.
    import_keras().utils.clear_session()
    if isinstance(recipe, ClipRecipe):
        epochs = request.epochs or recipe.epochs
        return *fit_clips(dataset, files, recipe, epochs=epochs, seed=request.seed), 0
    assert isinstance(recipe, FrameRecipe)  # noqa: S101 - there are two kinds
    pairs = dataset.split("train")
    steps = steps_of(recipe, request, len(pairs))
    answers = gather_answers(dataset, pairs, recipe, recipe.access, recipe.queries, request.seed)
    audio = dataset.audio(files["validation"])
    truth = np.array([row.label == WATERMARKED for row in files["validation"]])

    def validate(model: Any) -> dict[str, float]:
        return {"val_accuracy": accuracy(forward(model)(audio), truth, Mimic.threshold)}

    model, history = fit_frames(recipe, *answers, steps=steps, seed=request.seed, validate=validate)
    asked = 0 if recipe.access == "labels" else sum(len(part.audio) for part in answers)
    return model, history, asked


def steps_of(recipe: FrameRecipe, request: TrainRequest, n_pairs: int) -> int:
    """Return how many steps a training takes: the network's own number, or those of the epochs asked for."""
    return recipe.steps if request.epochs is None else -(-request.epochs * n_pairs // recipe.pairs_per_step)


def _save(model: Any, path: Path) -> None:
    # Keras names the format by the extension, so the unfinished file keeps it.
    unfinished = path.with_name("unfinished.keras")
    with warnings.catch_warnings():
        # tensorflow 2.21 beside numpy 2; it must not stop a suite whose warnings are errors.
        warnings.filterwarnings("ignore", "__array__ implementation doesn't accept a copy", DeprecationWarning)
        model.save(unfinished)
    os.replace(unfinished, path)


def _evaluate(dataset: Dataset, detector: Detector, files: dict[str, list[Row]]) -> dict[str, object]:
    """Calibrate on clean calibration clips, then score validation and test once.

    With fewer than 99 of them there is no threshold for 1 % false positives: None.
    """
    clean = [row for row in files["calibration"] if row.label == CLEAN]
    threshold = threshold_at_fpr(_scores(dataset, detector, clean), TARGET_FPR)
    metrics = {}
    for name in ("validation", "test"):
        scores = _scores(dataset, detector, files[name])
        truth = np.array([row.label == WATERMARKED for row in files[name]])
        clips = Resamples.of([row.group for row in files[name]], derive_seed(dataset.facts["seed"], "bootstrap"))
        metrics[name] = {
            "accuracy": accuracy(scores, truth, detector.threshold),
            "accuracy_interval": _ends(estimate_accuracy(scores, truth, detector.threshold, clips)),
            "accuracy_at_calibrated_threshold": None if threshold is None else accuracy(scores, truth, threshold),
            "auc": auc(scores, truth),
            "auc_interval": _ends(estimate_auc(scores, truth, clips)),
        }
    return {
        "threshold": detector.threshold,
        "calibrated_threshold": threshold,
        "calibration": {"target_fpr": TARGET_FPR, "n_clean_clips": len(clean)},
        "metrics": metrics,
    }


def _ends(estimate: Estimate) -> list[float] | None:
    """Return both ends of an interval; None where there is none, as with a single recording."""
    return None if math.isnan(estimate.ci_low) else [estimate.ci_low, estimate.ci_high]


def _scores(dataset: Dataset, detector: Detector, rows: list[Row]) -> NDArray[np.float32]:
    blocks = range(0, len(rows), _READ_BLOCK)
    return np.concatenate([detector.detect(dataset.audio(rows[at : at + _READ_BLOCK])).score for at in blocks])


def _history_csv(history: dict[str, list[float]]) -> str:
    epochs = zip(*history.values(), strict=True)
    return csv_text(list(history), ([f"{value:.6g}" for value in values] for values in epochs))
