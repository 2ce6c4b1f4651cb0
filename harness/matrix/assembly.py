"""Putting a run together: a dataset, its scheme's detector and its mimics."""

from collections.abc import Sequence

from sealproof.attacks.contract.base import Attack
from sealproof.attacks.selection import load_attacks
from sealproof.detectors import get_scheme
from sealproof.harness.corpora.base import interleave_groups
from sealproof.harness.datasets.dataset import Dataset, Pair
from sealproof.harness.foundation.seeds import derive_seed
from sealproof.harness.matrix.bench import Bench
from sealproof.harness.matrix.cell import Cell, matrix
from sealproof.harness.matrix.quality.perceptual import check_metrics
from sealproof.harness.matrix.request import RunRequest
from sealproof.harness.matrix.store import CellStore
from sealproof.harness.matrix.subject import subjects_of
from sealproof.harness.training.mimics.trained import shipped_mimics, trained_mimics


def open_bench(dataset: Dataset, request: RunRequest) -> Bench:
    """Put a dataset, its scheme's detector and its mimics together.

    Raises:
        HarnessError: A slow metric is unknown, or its package is not installed.
        sealproof.detectors.base.UnavailableError: The scheme cannot run here.
    """
    check_metrics(request.quality)
    scheme = get_scheme(dataset.scheme)
    scheme.require_ready()
    pairs = _selection(dataset.split("test"), request)
    trained = trained_mimics(dataset)
    ready = [mimic for mimic in shipped_mimics(dataset) if mimic.name not in {each.name for each in trained}]
    subjects = subjects_of(scheme, sorted([*trained, *ready], key=lambda mimic: mimic.name))
    return Bench(dataset, pairs, subjects, CellStore(dataset.root / "cells"), request.quality)


def cells_of(bench: Bench, request: RunRequest) -> list[Cell]:
    """Return the cells of a run, `identity` first.

    Raises:
        sealproof.attacks.AttackError: The preset or file of attacks is unusable.
    """
    attacks: Sequence[Attack] = load_attacks(request.attacks)
    return matrix(bench.dataset, attacks, bench.pairs, seed=request.seed)


def _selection(pairs: tuple[Pair, ...], request: RunRequest) -> tuple[Pair, ...]:
    if request.n_clips is None or request.n_clips >= len(pairs):
        return pairs
    order = interleave_groups([pair.group for pair in pairs], derive_seed(request.seed, "test clips"))
    return tuple(pairs[index] for index in sorted(order[: request.n_clips]))
