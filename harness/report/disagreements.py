"""The scores of every clip in every cell: histograms of them, and the clips on which two detectors surely disagree."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

N_BINS = 40
"""Bins of a score histogram."""

_CHUNK = 500_000
"""Rows of clips.csv in memory at a time."""


@dataclass(frozen=True)
class Histograms:
    """How many clips score how much.

    Attributes:
        edges: (detectors, bins + 1); the first and the last bin also hold what lies beyond.
        counts: (cells, detectors, labels, bins).
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]


@dataclass(frozen=True)
class Disagreement:
    """A clip that a mimic and the reference judge unlike; all by index.

    Attributes:
        cell: The cell.
        label: 0 for a clean clip, 1 for a watermarked one.
        clip: The clip.
        mimic: The mimic among the detectors; the reference is 0.
        sureness: In (0, 1]: of the scores of the whole run on its side of the threshold, the share that lies no farther
            from it; of the two detectors the less sure one's.
    """

    cell: int
    label: int
    clip: int
    mimic: int
    sureness: float


def histograms(scores: NDArray[np.float32], thresholds: Sequence[Sequence[float]]) -> Histograms:
    """Count scores in equal bins, the same for all cells of a detector.

    Args:
        scores: (cells, detectors, labels, clips); NaN is not counted.
        thresholds: Of each detector; the bins span them.

    Returns:
        Bins over the middle 99 % of the scores and all thresholds.
    """
    n_cells, n_detectors, n_labels, _ = scores.shape
    edges = np.stack([_edges(scores[:, index], thresholds[index]) for index in range(n_detectors)])
    counts = np.zeros((n_cells, n_detectors, n_labels, N_BINS), dtype=np.int64)
    rows = np.arange(n_cells * n_labels).reshape(n_cells, n_labels, 1)
    for index in range(n_detectors):
        own = scores[:, index]
        is_there = np.isfinite(own)
        low, high = edges[index, 0], edges[index, -1]
        place = np.clip((np.where(is_there, own, low) - low) / (high - low) * N_BINS, 0, N_BINS - 1).astype(np.int64)
        flat = (rows * N_BINS + place)[is_there]
        counted = np.bincount(flat, minlength=n_cells * n_labels * N_BINS)
        counts[:, index] = counted.reshape(n_cells, n_labels, N_BINS)
    return Histograms(edges, counts)


def _edges(scores: NDArray[np.float32], thresholds: Sequence[float]) -> NDArray[np.float64]:
    finite = scores[np.isfinite(scores)]
    if finite.size == 0:
        return np.linspace(0, 1, N_BINS + 1)
    ends = [*np.quantile(finite, (0.005, 0.995)).tolist(), *thresholds]
    low, high = min(ends), max(ends)
    return np.linspace(low, high if high > low else low + 1, N_BINS + 1)


def surest_disagreements(
    scores: NDArray[np.float32], thresholds: Sequence[float], attacks: Sequence[str], n: int
) -> list[Disagreement]:
    """Return the clips on which mimics and the reference disagree most surely, mimics in turn.

    Scores of two detectors have different scales, so each is ranked among its own: see `Disagreement.sureness`. No clip
    is taken twice, and no attack while there are others, so that the examples differ.

    Args:
        scores: (cells, detectors, labels, clips); the reference is the first detector.
        thresholds: Of each detector.
        attacks: Of each cell.
        n: How many at most.
    """
    says, sure = zip(*(_sureness(scores[:, index], at) for index, at in enumerate(thresholds)), strict=True)
    there = np.isfinite(scores)
    queues = []
    for mimic in range(1, scores.shape[1]):
        differ = (says[mimic] != says[0]) & there[:, mimic] & there[:, 0]
        joint = np.where(differ, np.minimum(sure[mimic], sure[0]), 0)
        queues.append(_candidates(mimic, joint, n))
    taken: list[Disagreement] = []
    clips: set[int] = set()
    used: set[str] = set()
    while len(taken) < n and any(queues):
        for queue in queues:
            new = [each for each in queue if each.clip not in clips]
            queue[:] = new
            chosen = next((each for each in new if attacks[each.cell] not in used), new[0] if new else None)
            if chosen is not None and len(taken) < n:
                taken.append(chosen)
                clips.add(chosen.clip)
                used.add(attacks[chosen.cell])
    return taken


def _sureness(scores: NDArray[np.float32], threshold: float) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    says = scores > threshold
    distance = np.abs(scores - np.float32(threshold))
    sure = np.zeros(scores.shape)
    for side in (says, ~says & np.isfinite(scores)):
        ranked = np.sort(distance[side])
        sure[side] = np.searchsorted(ranked, distance[side], side="right") / max(ranked.size, 1)
    return says, sure


def _candidates(mimic: int, joint: NDArray[np.float64], n: int) -> list[Disagreement]:
    """Return the surest clips of each cell, surest first; `joint` is (cells, labels, clips), 0 where they agree."""
    # A draw, the same each time, decides among equals: scores that saturate tie, and the alphabet must not.
    draw = np.random.default_rng(mimic)
    candidates = []
    for cell, inside in enumerate(joint):
        # A clip comes up once, so its surer side stands for both.
        labels, surest = inside.argmax(axis=0), inside.max(axis=0)
        drawn = draw.permutation(surest.size)
        best = drawn[np.argsort(-surest[drawn], kind="stable")[:n]]
        candidates += [
            Disagreement(cell, int(labels[clip]), clip, mimic, float(surest[clip]))
            for clip in best[surest[best] > 0].tolist()
        ]
    order = draw.permutation(len(candidates)).tolist()
    return [candidates[at] for at in sorted(order, key=lambda at: -candidates[at].sureness)]
