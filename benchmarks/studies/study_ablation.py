"""Why the study's CNN fails: change one thing at a time, or several, and train each on the same dataset.

    python -m benchmarks.studies.study_ablation DATASET --out ablation.csv
    python -m benchmarks.studies.study_ablation DATASET --out ablation.csv --most 4 --splits group --seeds 0,1,2

Run by hand from the repository's root; trainings that the file has already are not done again. The study's network and
optimiser are the start; `harness/studies/ablation/variants.py` has the changes. The weights of the last epoch are
judged on the test split, once: all clips, and those apart whose twin is in training.
"""

import argparse
import csv
import math
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.studies.ablation.study import Judged, run_variant
from sealproof.harness.studies.ablation.variants import CHANGES, SPLITS, STUDY, Variant, combined

COLUMNS = (
    "variant", "split", "epochs", "seed", "twin", "n_clips", "accuracy", "ci_low", "ci_high", "auc",
    "best_validation_accuracy",
)  # fmt: skip


def main() -> None:
    """Train what is not in the table yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--out", type=Path, required=True, metavar="CSV")
    parser.add_argument("--changes", default=",".join(CHANGES), metavar="LIST", help="which of them (default all)")
    parser.add_argument("--most", type=int, default=1, metavar="N", help="changes at once (default 1)")
    parser.add_argument("--splits", default=",".join(SPLITS), metavar="LIST", help="leaky, with nothing changed; group")
    parser.add_argument("--epochs", default="10", metavar="LIST", help="default 10; the study alone gets more than 10")
    parser.add_argument("--seeds", default="0", metavar="LIST")
    options = parser.parse_args()
    dataset = Dataset.open(options.dataset)
    done = set()
    if options.out.is_file():
        with options.out.open(newline="", encoding="utf-8") as file:
            done = {(row["variant"], row["split"], row["epochs"], row["seed"]) for row in csv.DictReader(file)}
    for variant in _variants(options):
        if (variant.name, variant.split, str(variant.epochs), str(variant.seed)) not in done:
            _add(options.out, variant, run_variant(dataset, variant))


def _variants(options: argparse.Namespace) -> Iterator[Variant]:
    seeds, epochs = (tuple(map(int, getattr(options, name).split(","))) for name in ("seeds", "epochs"))
    every = list(combined(options.changes.split(","), options.most))
    for seed, split, passes, changes in product(seeds, options.splits.split(","), epochs, every):
        variant = Variant(changes=changes, split=split, epochs=passes, seed=seed)
        # What a leak does, and what more epochs do, is asked of the study's own network.
        if variant.name == STUDY or (split == "group" and passes == epochs[0]):
            yield variant


def _add(path: Path, variant: Variant, judged: list[Judged]) -> None:
    is_new = not path.is_file()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if is_new:
            writer.writerow(COLUMNS)
        for each in judged:
            numbers = (each.accuracy.value, each.accuracy.ci_low, each.accuracy.ci_high, each.auc)
            row = [
                variant.name, variant.split, variant.epochs, variant.seed, each.twin, each.accuracy.n_clips,
                *("" if math.isnan(number) else f"{number:.4f}" for number in numbers),
                f"{each.best_validation_accuracy:.4f}",
            ]  # fmt: skip
            print(*row, flush=True)
            writer.writerow(row)


if __name__ == "__main__":
    main()
