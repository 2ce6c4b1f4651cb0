"""A run beside what is recorded of the official AudioSeal: attack by attack, and in a few numbers."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.statistics.rank_agreement import spearman
from sealproof.harness.studies.likeness.recorded import METRICS, SOURCES, Recorded, recorded
from sealproof.harness.tables.reading.run_folder import RunFolder

ALIKE = 0.1
"""Rates that differ by no more are called alike."""


@dataclass(frozen=True)
class Likeness:
    """One recorded number and the run's own.

    Attributes:
        recorded: What others found.
        value: What the run has, of its reference detector.
    """

    recorded: Recorded
    value: float

    @property
    def difference(self) -> float:
        """The run's number minus the recorded one."""
        return self.value - self.recorded.value


@dataclass(frozen=True)
class Summary:
    """How alike two schemes are over the conditions of one source.

    Attributes:
        source: One of `SOURCES`, or `all`.
        metric: As in `Recorded`.
        n: Conditions.
        rank_correlation: Spearman's over them; NaN where one side is always the same.
        mean_difference: Mean of the absolute differences.
        n_alike: Conditions in which they differ by no more than `ALIKE`.
    """

    source: str
    metric: str
    n: int
    rank_correlation: float
    mean_difference: float
    n_alike: int


def compare_run(folder: RunFolder) -> list[Likeness]:
    """Put a run's reference detector beside the recorded numbers, where the run has the attack.

    Raises:
        HarnessError: The run's tables are damaged.
    """
    marked, bits = _marked_scores(folder), _bit_accuracy(folder)
    threshold = folder.detectors[0].thresholds["fixed"]
    likeness = []
    for each in recorded():
        if each.metric == "bit_accuracy":
            value = bits.get(each.attack, math.nan)
        elif each.attack not in marked:
            value = math.nan
        elif each.metric == "mean_score":
            value = float(marked[each.attack].mean())
        else:
            cut = threshold if each.cut == "own" else float(each.cut)
            value = float((marked[each.attack] > cut).mean())
        if not math.isnan(value):
            likeness.append(Likeness(each, value))
    return likeness


def summarise(likeness: Sequence[Likeness]) -> Iterator[Summary]:
    """Yield a summary for each source and metric, and one over all sources."""
    for source in (*SOURCES, "all"):
        for metric in METRICS:
            chosen = [
                each for each in likeness if each.recorded.metric == metric and source in (each.recorded.source, "all")
            ]
            if not chosen:
                continue
            ours = np.array([each.value for each in chosen])
            theirs = np.array([each.recorded.value for each in chosen])
            gaps = np.abs(ours - theirs)
            # To the last digit: recorded numbers have three.
            alike = int(np.count_nonzero(gaps <= ALIKE + 1e-9))
            yield Summary(source, metric, len(chosen), spearman(ours, theirs), float(gaps.mean()), alike)


def _marked_scores(folder: RunFolder) -> dict[str, NDArray[np.float32]]:
    """Return the reference's scores of marked clips, by attack; failed cells are not there."""
    scores = folder.scores.scores[:, 0, 1]
    return {
        cell.attack_id: values[~np.isnan(values)]
        for cell, values in zip(folder.cells, scores, strict=True)
        if not np.isnan(values).all()
    }


def _bit_accuracy(folder: RunFolder) -> dict[str, float]:
    table = folder.summary
    name = folder.detectors[0].name
    rows = table[(table["metric"] == "bit_accuracy") & (table["detector"] == name) & (table["value"] != "")]
    by_cell = {
        (attack, params): float(value)
        for attack, params, value in zip(rows["attack"], rows["params"], rows["value"], strict=True)
    }
    by_attack = {cell.attack_id: by_cell.get((cell.attack, cell.params), math.nan) for cell in folder.cells}
    return {attack: value for attack, value in by_attack.items() if not math.isnan(value)}
