"""Why the study's CNN fails: change one thing at a time, and train each on the same dataset.

    python -m benchmarks.study_ablation DATASET --out ablation.csv

Run by hand from the repository's root; rows that the file has already are not computed again. The study's network,
optimiser, number of epochs and leaky split are the start; every other row changes what its name says. The weights
of the last epoch are judged on the test split, once.
"""

import argparse
import csv
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sealproof.detectors.mimics.base import ClipRecipe, magnitude_spectrogram
from sealproof.detectors.mimics.keras_runtime import import_keras
from sealproof.detectors.mimics.seed_cnn import SeedCnn
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.datasets.manifest import WATERMARKED
from sealproof.harness.training.mimics import train as train_mimic
from sealproof.harness.training.mimics.fit_clips import fit_clips

if TYPE_CHECKING:
    import keras

COLUMNS = (
    "variant",
    "split",
    "epochs",
    "test_accuracy",
    "test_auc",
    "best_validation_accuracy",
    "first_epoch_above_0.6",
    "train_s",
)


class Variant(SeedCnn):
    """The study's network with one thing changed."""

    pair_batches = False
    patience = None
    adam = False
    log = False
    frame, step, fft = 255, 128, 256

    def spectrogram(self, waveform: "keras.KerasTensor") -> "keras.KerasTensor":
        """Magnitudes as in the study, or their logarithm."""
        from keras import ops

        magnitudes = magnitude_spectrogram(waveform, frame=self.frame, step=self.step, fft=self.fft)
        return ops.log(magnitudes + 1e-3) if self.log else magnitudes

    def optimizer(self) -> "keras.optimizers.Optimizer":
        """Plain SGD as in the study, or Adam."""
        optimizers = import_keras().optimizers
        return optimizers.Adam(1e-3) if self.adam else optimizers.SGD(0.01)


def _variant(**changes: object) -> ClipRecipe:
    return type("Changed", (Variant,), changes)()


VARIANTS: dict[str, tuple[ClipRecipe, str, int]] = {
    "the study": (_variant(), "leaky", 10),
    "no leak": (_variant(), "group", 10),
    "Adam": (_variant(adam=True), "group", 10),
    "twins in one batch": (_variant(pair_batches=True), "group", 10),
    "log magnitudes": (_variant(log=True), "group", 10),
    "1024-point windows": (_variant(frame=1024, step=128, fft=1024), "group", 10),
    "Adam, log": (_variant(adam=True, log=True), "group", 10),
    "Adam, log, twins": (_variant(adam=True, log=True, pair_batches=True), "group", 10),
    "Adam, log, twins, 1024": (
        _variant(adam=True, log=True, pair_batches=True, frame=1024, step=128, fft=1024), "group", 10,
    ),
    "leaky, 30 epochs": (_variant(), "leaky", 30),
    "30 epochs": (_variant(), "group", 30),
}  # fmt: skip


def main() -> None:
    """Train what is not in the table yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--out", type=Path, required=True, metavar="CSV")
    parser.add_argument("--only", metavar="NAME", help="one variant")
    options = parser.parse_args()
    dataset = Dataset.open(options.dataset)
    done = set()
    if options.out.is_file():
        with options.out.open(newline="", encoding="utf-8") as file:
            done = {row["variant"] for row in csv.DictReader(file)}
    for name, (recipe, split, epochs) in VARIANTS.items():
        if name not in done and options.only in (None, name):
            _add(
                options.out,
                {"variant": name, "split": split, "epochs": epochs, **_train(dataset, recipe, split, epochs)},
            )


def _train(dataset: Dataset, recipe: ClipRecipe, split: str, epochs: int) -> dict[str, object]:
    files = train_mimic.leaky_files(dataset, 0) if split == "leaky" else train_mimic.group_files(dataset)
    started = time.monotonic()
    model, history = fit_clips(dataset, files, recipe, epochs=epochs, seed=0)
    seconds = time.monotonic() - started
    from sealproof.detectors.mimics.mimic import forward
    from sealproof.harness.statistics.detection import accuracy
    from sealproof.harness.statistics.roc import auc

    truth = np.array([row.label == WATERMARKED for row in files["test"]])
    score = forward(model)
    blocks = range(0, len(truth), 256)
    scores = np.concatenate([score(dataset.audio(files["test"][at : at + 256])) for at in blocks])
    above = [epoch for epoch, share in enumerate(history["val_accuracy"], 1) if share > 0.6]
    return {
        "test_accuracy": round(accuracy(scores, truth, 0.5), 4),
        "test_auc": round(auc(scores, truth), 4),
        "best_validation_accuracy": round(max(history["val_accuracy"]), 4),
        "first_epoch_above_0.6": above[0] if above else "",
        "train_s": round(seconds, 1),
    }


def _add(path: Path, row: dict[str, object]) -> None:
    print(row, flush=True)
    is_new = not path.is_file()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerow(row)


if __name__ == "__main__":
    main()
