"""clips.csv read back, a part at a time: what every detector said of every clip, as arrays."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from sealproof.harness.datasets.manifest import CLEAN, WATERMARKED
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.text import unfilled
from sealproof.harness.tables.rates import RULES

if TYPE_CHECKING:
    import pandas as pd

LABELS = (CLEAN, WATERMARKED)

_TEXTS = ("attack", "params", "detector", "label", "clip_id", "group")

_CHUNK = 500_000
"""Rows of clips.csv in memory at a time."""

ABSENT = -1
"""Stands where there is no decision."""


@dataclass(frozen=True)
class RunDecisions:
    """The decisions of a run.

    Attributes:
        cells: (cells,) attack and params of each that did not fail.
        detectors: (detectors,) names.
        clip_ids: (clips,) names.
        group_of: The group of each clip, by name.
        says: By threshold rule (cells, detectors, labels, clips) int8: 1 for watermarked, 0 for clean, or `ABSENT`. A
            rule without a threshold is missing.
    """

    cells: tuple[tuple[str, str], ...]
    detectors: tuple[str, ...]
    clip_ids: tuple[str, ...]
    group_of: dict[str, str]
    says: dict[str, NDArray[np.int8]]


@dataclass(frozen=True)
class ClipScores:
    """All scores of a run.

    Attributes:
        clip_ids: (clips,) names, sorted.
        scores: (cells, detectors, labels, clips) float32, cells and detectors as the run has them; NaN where a cell
            failed.
    """

    clip_ids: tuple[str, ...]
    scores: NDArray[np.float32]


@dataclass(frozen=True)
class ClipDamage:
    """What one detector decided, and what was done to the clips.

    Attributes:
        cells: (cells,) attack and params of each that did not fail.
        groups: (clips,) the recording of each.
        flagged: (cells, labels, clips) int8: 1, 0, or `ABSENT`.
        snr_db: (cells, labels, clips) of what the attack did; NaN where it has none, infinite where it did nothing.
    """

    cells: tuple[tuple[str, str], ...]
    groups: tuple[str, ...]
    flagged: NDArray[np.int8]
    snr_db: NDArray[np.float64]


def read_decisions(path: Path) -> RunDecisions:
    """Read the decisions of a run from its clips.csv.

    Raises:
        HarnessError: clips.csv is damaged.
    """
    names = _Names()
    parts = _read(path, [f"decision_{rule}" for rule in RULES], str, names)
    says = {rule: np.full(names.shape, ABSENT, dtype=np.int8) for rule in RULES}
    for places, values in parts:
        for rule, texts in zip(RULES, values, strict=True):
            says[rule][tuple(places)] = np.select([texts == "1", texts == "0"], [1, 0], ABSENT)
    known = {rule: decisions for rule, decisions in says.items() if not (decisions == ABSENT).all()}
    return RunDecisions(tuple(names.cells), tuple(names.detectors), tuple(names.clips), dict(names.group_of), known)


def read_scores(path: Path, cells: Iterable[tuple[str, str]], detectors: Iterable[str]) -> ClipScores:
    """Read the scores of a run from its clips.csv.

    Args:
        path: The file.
        cells: Attack and params of all cells of the run, in its order.
        detectors: Names of all its detectors.

    Raises:
        HarnessError: clips.csv is damaged, or speaks of cells or detectors that the run does not have.
    """
    names = _Names()
    parts = _read(path, ["score"], np.float32, names)
    known_cells = {cell: place for place, cell in enumerate(cells)}
    known_detectors = {name: place for place, name in enumerate(detectors)}
    try:
        cell_places = np.array([known_cells[cell] for cell in names.cells], dtype=np.int64)
        detector_places = np.array([known_detectors[name] for name in names.detectors], dtype=np.int64)
    except KeyError as error:
        raise _damaged(path, error) from error
    clip_ids = sorted(names.clips)
    rank = np.empty(len(clip_ids), dtype=np.int64)
    rank[[names.clips[name] for name in clip_ids]] = np.arange(len(clip_ids))
    shape = (len(known_cells), len(known_detectors), len(LABELS), len(clip_ids))
    scores = np.full(shape, np.nan, dtype=np.float32)
    for (cell, detector, label, clip), (values,) in parts:
        scores[cell_places[cell], detector_places[detector], label, rank[clip]] = values
    return ClipScores(tuple(clip_ids), scores)


def read_damage(path: Path, detector: str, threshold_rule: str) -> ClipDamage:
    """Read what a detector decided of every clip under every attack, and what each attack did to the clip.

    Raises:
        HarnessError: clips.csv is damaged.
    """
    names = _Names()
    parts = _read(path, [f"decision_{threshold_rule}", "snr_db"], str, names)
    if names.detectors and detector not in names.detectors:
        raise _damaged(path, KeyError(detector))
    # In a run in which every cell failed nobody decided anything.
    wanted = names.detectors.get(detector, -1)
    n_cells, _, n_labels, n_clips = names.shape
    flagged = np.full((n_cells, n_labels, n_clips), ABSENT, dtype=np.int8)
    snr_db = np.full(flagged.shape, np.nan)
    for (cell, whose, label, clip), (decisions, snr) in parts:
        own = whose == wanted
        at = (cell[own], label[own], clip[own])
        flagged[at] = np.select([decisions[own] == "1", decisions[own] == "0"], [1, 0], ABSENT)
        # An empty field: the attack moved the audio in time, and has no SNR.
        snr_db[at] = [float(text) if text else np.nan for text in snr[own]]
    groups = [names.group_of[clip] for clip in names.clips]
    return ClipDamage(tuple(names.cells), tuple(groups), flagged, snr_db)


_Part = tuple[NDArray[np.int32], NDArray[Any]]
"""Of some rows: cell, detector, label and clip (4, rows), and the values asked for (columns, rows)."""


def _read(path: Path, columns: Sequence[str], dtype: DTypeLike, names: "_Names") -> list[_Part]:
    """Read columns of clips.csv, a part at a time; what its rows are about is numbered in `names`."""
    import pandas as pd

    kinds: Any = {**dict.fromkeys(_TEXTS, "category"), **dict.fromkeys(columns, dtype)}
    try:
        with pd.read_csv(
            path, usecols=[*_TEXTS, *columns], dtype=kinds, keep_default_na=False, chunksize=_CHUNK
        ) as chunks:
            return [(names.places(chunk), chunk[columns].to_numpy().T) for chunk in chunks]
    except (KeyError, ValueError, pd.errors.ParserError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> HarnessError:
    return HarnessError(f"{path} must be the clips.csv of its run ({error}): write it again with `sealproof run`.")


@dataclass
class _Names:
    """Names seen so far, and their numbers."""

    cells: dict[tuple[str, str], int] = field(default_factory=dict)
    detectors: dict[str, int] = field(default_factory=dict)
    clips: dict[str, int] = field(default_factory=dict)
    group_of: dict[str, str] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """How many cells, detectors, labels and clips there are."""
        return len(self.cells), len(self.detectors), len(LABELS), len(self.clips)

    def places(self, chunk: "pd.DataFrame") -> NDArray[np.int32]:
        """Return each row's cell, detector, label and clip, (4, rows); new names are numbered on."""
        names = {column: list(chunk[column].cat.categories) for column in _TEXTS}
        codes = {column: chunk[column].cat.codes.to_numpy().astype(np.int64) for column in _TEXTS}
        pairs, cells = _joined(codes["attack"], codes["params"], len(names["params"]))
        own = [
            self.cells.setdefault((names["attack"][attack], unfilled(names["params"][params])), len(self.cells))
            for attack, params in pairs
        ]
        detectors = [self.detectors.setdefault(name, len(self.detectors)) for name in names["detector"]]
        labels = [(CLEAN, WATERMARKED).index(name) for name in names["label"]]
        clips = [self.clips.setdefault(name, len(self.clips)) for name in names["clip_id"]]
        for clip, group in _joined(codes["clip_id"], codes["group"], len(names["group"]))[0]:
            self.group_of[names["clip_id"][clip]] = names["group"][group]
        places = (
            np.array(own)[cells],
            np.array(detectors)[codes["detector"]],
            np.array(labels)[codes["label"]],
            np.array(clips)[codes["clip_id"]],
        )
        return np.stack(places).astype(np.int32)


def _joined(
    first: NDArray[np.int64], second: NDArray[np.int64], n_second: int
) -> tuple[list[tuple[int, int]], NDArray[np.intp]]:
    """Return the distinct pairs of two codes in the order of their first row, and each row's pair."""
    distinct, starts, inverse = np.unique(first * n_second + second, return_index=True, return_inverse=True)
    order = np.argsort(starts)
    rank = np.empty(len(order), dtype=np.intp)
    rank[order] = np.arange(len(order))
    return [divmod(code, n_second) for code in distinct[order].tolist()], rank[inverse]
