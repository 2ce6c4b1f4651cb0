"""A run's results by what the recordings are: accuracy, TPR and FPR for every tag, from clips.csv and the manifest."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.datasets.manifest import TAGS
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.statistics.estimation.estimate import Estimate, estimate_rate_by_group
from sealproof.harness.statistics.estimation.resamples import Resamples
from sealproof.harness.tables.rates import DETECTOR_METRICS, rate_flags
from sealproof.harness.tables.reading.clips import ABSENT, RunDecisions
from sealproof.harness.tables.reading.run_folder import RunFolder
from sealproof.harness.tables.resamples import resamples_of

ALL_CLIPS = "(all clips)"
"""Stands in place of a tag in the rows of all clips, to compare with."""

IDENTITY, ATTACKED = "identity", "attacked"
"""Classes of attacks: none, and all others of the run together."""

MIN_CLIPS = 20
OK, TOO_FEW = "ok", "too_few"


@dataclass(frozen=True, kw_only=True)
class BreakdownRow:
    """One number of breakdown.csv.

    Attributes:
        dataset: Name of the dataset's folder.
        scheme: Name of the watermark scheme.
        by: `aspects` or `audioset_labels`.
        tag: The tag, or `(all clips)`.
        attacks: `identity`, `attacked` (every other cell of the run together) or the id of one attack.
        n_cells: Number of cells that the rate is the mean over.
        detector: Whose rate it is.
        role: `reference` or `mimic`.
        threshold_rule: `fixed` or `fpr_1pct`.
        metric: `accuracy`, `tpr` or `fpr`.
        value: The rate; empty for a tag of too few clips.
        ci_low: Lower end of its 95 % interval, clustered by group; empty where it is not known.
        ci_high: Upper end.
        n_clips: Clips with this tag, a clip and its watermarked twin counted once.
        n_groups: Groups (recordings) that these are from.
        status: `ok`, or `too_few`: fewer than --min-clips, so the tag has one row and no numbers.
    """

    dataset: str
    scheme: str
    by: str
    tag: str
    attacks: str = ""
    n_cells: int | None = None
    detector: str = ""
    role: str = ""
    threshold_rule: str = ""
    metric: str = ""
    value: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    n_clips: int
    n_groups: int
    status: str = OK


@dataclass(frozen=True)
class Breakdown:
    """What a run comes to, tag by tag.

    Attributes:
        by: What it is broken down by.
        min_clips: Clips that a tag must have.
        rows: The rows of breakdown.csv: all clips first, then the tags in the order of the alphabet.
    """

    by: str
    min_clips: int
    rows: list[BreakdownRow]

    @property
    def too_few(self) -> list[BreakdownRow]:
        """The tags of too few clips."""
        return [row for row in self.rows if row.status == TOO_FEW]

    @property
    def tags(self) -> list[str]:
        """The tags that have numbers, all clips first."""
        return list(dict.fromkeys(row.tag for row in self.rows if row.status == OK))


@dataclass(frozen=True)
class _Run:
    """What all tags share: decisions clip by clip, and the resamples of their groups."""

    folder: RunFolder
    decisions: RunDecisions
    resamples: Resamples
    classes: Mapping[str, list[int]]


def break_down(
    run: Path, by: str, min_clips: int = MIN_CLIPS, attack: str | None = None, dataset: Path | None = None
) -> Breakdown:
    """Take a run's rates for every tag by itself.

    Args:
        run: A folder that `sealproof run` wrote.
        by: `aspects` or `audioset_labels`: a column of the manifest.
        min_clips: Clips that a tag must have in the run; those with fewer are named without numbers.
        attack: Id of one attack in place of all that are not `identity`.
        dataset: The dataset; None for the one that the run names.

    Raises:
        HarnessError: The folder is no run, its dataset is gone or another one or without tags, or the attack is not in
            the run.
    """
    if by not in TAGS:
        raise HarnessError(f"--by must be one of {', '.join(TAGS)}. Got {by!r}.")
    if min_clips < 1:
        raise HarnessError(f"--min-clips must be at least 1. Got {min_clips}.")
    folder = RunFolder.open(run)
    decisions = folder.decisions
    clips_of = _clips_by_tag(folder, decisions, by, dataset)
    groups = [decisions.group_of[clip] for clip in decisions.clip_ids]
    context = _Run(
        folder, decisions, resamples_of(groups, folder.facts["dataset_seed"]), _classes(folder, decisions, attack)
    )
    rows: list[BreakdownRow] = []
    for tag, clips in [(ALL_CLIPS, np.arange(len(groups))), *sorted(clips_of.items())]:
        if len(clips) < min_clips and tag != ALL_CLIPS:
            n_groups = context.resamples.of_clips(clips).n_groups
            rows.append(BreakdownRow(**_head(folder, by, tag), n_clips=len(clips), n_groups=n_groups, status=TOO_FEW))
        else:
            rows += _rows(context, by, tag, clips)
    return Breakdown(by, min_clips, rows)


def _head(folder: RunFolder, by: str, tag: str) -> dict[str, Any]:
    return {"dataset": str(folder.facts["dataset"]), "scheme": folder.scheme, "by": by, "tag": tag}


def _clips_by_tag(
    folder: RunFolder, decisions: RunDecisions, by: str, root: Path | None
) -> dict[str, NDArray[np.intp]]:
    """Return, for every tag, the places of its clips among the run's."""
    where = root or Path(str(folder.facts.get("dataset_path", "")))
    dataset = Dataset.open(where)
    if dataset.sha256 != folder.facts["dataset_sha256"]:
        raise HarnessError(
            f"{where} must be the dataset that {folder.root} was run on, sha256 "
            f"{str(folder.facts['dataset_sha256'])[:12]}... Got {dataset.sha256[:12]}...: say --dataset DIR."
        )
    tags_of = {pair.clip_id: getattr(pair.clean, by) for pair in dataset.pairs}
    clips_of: dict[str, list[int]] = {}
    for place, clip in enumerate(decisions.clip_ids):
        for tag in dict.fromkeys(tags_of[clip]):
            clips_of.setdefault(tag, []).append(place)
    if not clips_of:
        raise HarnessError(
            f"The clips of {folder.root} must have {by} in {where / 'manifest.csv'}. They have none: only "
            "`sealproof build --corpus musiccaps` writes them."
        )
    return {tag: np.array(places, dtype=np.intp) for tag, places in clips_of.items()}


def _classes(folder: RunFolder, decisions: RunDecisions, attack: str | None) -> dict[str, list[int]]:
    """Return the places of the cells of each class among those that did not fail."""
    place_of = {cell: place for place, cell in enumerate(decisions.cells)}
    ids = {
        cell.attack_id: place_of[cell.attack, cell.params]
        for cell in folder.cells
        if (cell.attack, cell.params) in place_of
    }
    if attack is not None and attack not in ids:
        some = ", ".join(list(ids)[:8])
        raise HarnessError(f"--attack must be an attack that {folder.root} has finished, as {some}. Got {attack!r}.")
    unattacked = {IDENTITY: [place for name, place in ids.items() if name == IDENTITY]}
    others = [place for name, place in ids.items() if name != IDENTITY]
    classes = {**unattacked, ATTACKED: others} if attack is None else {**unattacked, attack: [ids[attack]]}
    return {name: cells for name, cells in classes.items() if cells}


def _rows(run: _Run, by: str, tag: str, clips: NDArray[np.intp]) -> Iterator[BreakdownRow]:
    resamples = run.resamples.of_clips(clips).compact()
    roles = {detector.name: detector.role for detector in run.folder.detectors}
    detectors = sorted(enumerate(run.decisions.detectors), key=lambda each: (roles[each[1]] != "reference", each[1]))
    for name, cells in run.classes.items():
        for place, detector in detectors:
            for rule, decisions in run.decisions.says.items():
                says = decisions[cells, place][:, :, clips]
                if (says == ABSENT).any():
                    raise HarnessError(
                        f"{detector} must have judged every clip of {run.folder.root}. Some lack: run it again."
                    )
                for metric in DETECTOR_METRICS:
                    estimate = _rate(says.astype(np.bool_), metric, resamples)
                    yield BreakdownRow(
                        **_head(run.folder, by, tag),
                        attacks=name,
                        n_cells=len(cells),
                        detector=detector,
                        role=roles[detector],
                        threshold_rule=rule,
                        metric=metric,
                        value=_known(estimate.value),
                        ci_low=_known(estimate.ci_low),
                        ci_high=_known(estimate.ci_high),
                        n_clips=len(clips),
                        n_groups=resamples.n_groups,
                    )


def _rate(says: NDArray[np.bool_], metric: str, resamples: Resamples) -> Estimate:
    """Estimate a rate over cells and clips; `says` is (cells, labels, clips).

    A clip under many attacks is still one clip: its share of right cells counts, so that Wilson's part of the interval
    knows as many trials as there are clips.
    """
    per_cell: Sequence[NDArray[np.bool_]] = [rate_flags(cell, None)[metric] for cell in says]
    n_labels = per_cell[0].shape[0]
    shares = np.mean(per_cell, axis=0).sum(axis=0)
    trials = resamples.counts() * n_labels
    # Sums of thirds may exceed a whole by a rounding error.
    return estimate_rate_by_group(np.minimum(resamples.sums(shares), trials), trials, resamples)


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
