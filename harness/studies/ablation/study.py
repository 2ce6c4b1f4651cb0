"""Train a variant and judge it on the test split, once: all clips, and apart by where the twin is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealproof.detectors.mimics.keras_runtime import import_keras
from sealproof.detectors.mimics.mimic import forward
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.datasets.manifest import WATERMARKED, Row
from sealproof.harness.statistics.estimation.estimate import Estimate, estimate_rate
from sealproof.harness.statistics.roc import auc
from sealproof.harness.studies.ablation.variants import Variant
from sealproof.harness.tables.resamples import resamples_of
from sealproof.harness.training.mimics.fit_clips import fit_clips
from sealproof.harness.training.mimics.train import group_files, leaky_files

_BLOCK = 256
_CUT = 0.5

ALL = "all"
"""Stands for all test clips, wherever their twins are."""


@dataclass(frozen=True)
class Judged:
    """How a variant judges some of the test clips.

    Attributes:
        twin: Which: `all`, or the split that their twin is in.
        accuracy: Share that is judged right, with its interval by recording.
        auc: Area under the curve; NaN where all are of one class.
        best_validation_accuracy: The highest after any epoch, the same for all of a variant.
    """

    twin: str
    accuracy: Estimate
    auc: float
    best_validation_accuracy: float


def run_variant(dataset: Dataset, variant: Variant) -> list[Judged]:
    """Train a variant and judge it."""
    files = leaky_files(dataset, variant.seed) if variant.split == "leaky" else group_files(dataset)
    import_keras().utils.clear_session()
    model, history = fit_clips(dataset, files, variant.recipe(), epochs=variant.epochs, seed=variant.seed)
    score = forward(model)
    test = files["test"]
    scores = np.concatenate(
        [score(dataset.audio(test[at : at + _BLOCK])) for at in range(0, len(test), _BLOCK)]
    ).astype(np.float64)
    best = max(history["val_accuracy"])
    return list(judge(test, scores, twins_in(files), int(dataset.facts["seed"]), best))


def twins_in(files: dict[str, list[Row]]) -> list[str]:
    """Return the split that the twin of each test clip is in."""
    # `calibration` may be another name for `validation`, which then comes first.
    where = {(row.clip_id, row.label): name for name in reversed(files) for row in files[name]}
    labels = {label for _, label in where}
    return [where[row.clip_id, next(iter(labels - {row.label}))] for row in files["test"]]


def judge(
    test: Sequence[Row], scores: NDArray[np.float64], twins: Sequence[str], seed: int, best: float
) -> Iterator[Judged]:
    """Yield the numbers of all test clips, and of those whose twin is in each split."""
    truth = np.array([row.label == WATERMARKED for row in test])
    resamples = resamples_of([row.group for row in test], seed)
    places = np.array(twins)
    for twin in (ALL, *sorted(set(twins))):
        chosen = np.ones(len(test), np.bool_) if twin == ALL else places == twin
        part = resamples.of_clips(chosen).compact()
        right = (scores[chosen] > _CUT) == truth[chosen]
        both = 0 < truth[chosen].sum() < chosen.sum()
        area = auc(scores[chosen], truth[chosen]) if both else float("nan")
        yield Judged(twin, estimate_rate(right, part), area, best)
