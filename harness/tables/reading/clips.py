"""What every detector said of every clip in a run: the decisions of clips.csv as one array."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.datasets.manifest import CLEAN, WATERMARKED
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.tables.dictionary.columns import CLIPS
from sealproof.harness.tables.rates import RULES
from sealproof.harness.tables.reading.run_folder import RunFolder

if TYPE_CHECKING:
    import pandas as pd

_TEXTS = ("attack", "params", "detector", "label", "clip_id", "group")
LABELS = (CLEAN, WATERMARKED)

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
        says: By threshold rule (cells, detectors, labels, clips) int8: 1 for watermarked, 0 for clean, or `ABSENT`.
    """

    cells: tuple[tuple[str, str], ...]
    detectors: tuple[str, ...]
    clip_ids: tuple[str, ...]
    group_of: dict[str, str]
    says: dict[str, NDArray[np.int8]]


def read_decisions(folder: RunFolder) -> RunDecisions:
    """Read a run's clips.csv, a part at a time.

    Raises:
        HarnessError: It is damaged.
    """
    import pandas as pd

    path = folder.root / CLIPS
    columns = [f"decision_{rule}" for rule in RULES]
    kinds: Any = {**dict.fromkeys(_TEXTS, "category"), **dict.fromkeys(columns, np.int8)}
    numbers = _Numbers({}, {}, {}, {})
    try:
        with pd.read_csv(
            path, usecols=[*_TEXTS, *columns], dtype=kinds, keep_default_na=False, chunksize=_CHUNK
        ) as chunks:
            parts = [(numbers.places(chunk), chunk[columns].to_numpy().T) for chunk in chunks]
    except (KeyError, ValueError, pd.errors.ParserError) as error:
        msg = f"{path} must be the clips.csv of its run ({error}): write it again with `sealproof run`."
        raise HarnessError(msg) from error
    shape = (len(numbers.cells), len(numbers.detectors), 2, len(numbers.clips))
    says = {rule: np.full(shape, ABSENT, dtype=np.int8) for rule in RULES}
    for places, values in parts:
        for rule, said in zip(RULES, values, strict=True):
            says[rule][tuple(places)] = said
    return RunDecisions(
        tuple(numbers.cells), tuple(numbers.detectors), tuple(numbers.clips), dict(numbers.group_of), says
    )


@dataclass
class _Numbers:
    """Names seen so far, and their numbers."""

    cells: dict[tuple[str, str], int]
    detectors: dict[str, int]
    clips: dict[str, int]
    group_of: dict[str, str]

    def places(self, chunk: "pd.DataFrame") -> NDArray[np.int32]:
        """Return each row's cell, detector, label and clip, (4, rows); new names are numbered on."""
        names = {column: list(chunk[column].cat.categories) for column in _TEXTS}
        codes = {column: chunk[column].cat.codes.to_numpy().astype(np.int64) for column in _TEXTS}
        pairs, cells = _joined(codes["attack"], codes["params"], len(names["params"]))
        own = [
            self.cells.setdefault((names["attack"][attack], names["params"][params]), len(self.cells))
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


@dataclass(frozen=True)
class ClipScores:
    """All scores of a run.

    Attributes:
        clip_ids: (clips,) names, sorted.
        scores: (cells, detectors, labels, clips) float32; NaN where a cell failed.
    """

    clip_ids: tuple[str, ...]
    scores: NDArray[np.float32]


def read_scores(folder: RunFolder) -> ClipScores:
    """Read clips.csv, a part at a time.

    Raises:
        HarnessError: It is damaged, or speaks of cells or detectors that the run does not have.
    """
    import pandas as pd

    path = folder.root / CLIPS
    texts = ("attack", "params", "clip_id", "label", "detector")
    known: dict[str, dict[Any, int]] = {
        "cell": {(cell.attack, cell.params): index for index, cell in enumerate(folder.cells)},
        "detector": {detector.name: index for index, detector in enumerate(folder.detectors)},
        "label": {label: index for index, label in enumerate(LABELS)},
    }
    kinds: Any = {**dict.fromkeys(texts, "category"), "score": np.float32}
    clips: dict[str, int] = {}
    try:
        with pd.read_csv(
            path,
            usecols=[*texts, "score"],
            dtype=kinds,
            keep_default_na=False,
            chunksize=_CHUNK,
        ) as chunks:
            parts = [(_places(chunk, known, clips), chunk["score"].to_numpy()) for chunk in chunks]
    except (KeyError, ValueError, pd.errors.ParserError) as error:
        msg = f"{path} must be the clips.csv of its run ({error}): write it again with `sealproof run`."
        raise HarnessError(msg) from error
    names = sorted(clips)
    rank = np.empty(len(names), dtype=np.int64)
    rank[[clips[name] for name in names]] = np.arange(len(names))
    shape = (len(folder.cells), len(folder.detectors), len(LABELS), len(names))
    scores = np.full(shape, np.nan, dtype=np.float32)
    for (cell, detector, label, clip), values in parts:
        scores[cell, detector, label, rank[clip]] = values
    return ClipScores(tuple(names), scores)


def _places(chunk: Any, known: dict[str, dict[Any, int]], clips: dict[str, int]) -> NDArray[np.int64]:
    """Return each row's cell, detector, label and clip as indices, (4, rows); new clips are numbered on."""
    columns = {name: chunk[name].cat for name in ("attack", "params", "detector", "label", "clip_id")}
    categories = {name: list(column.categories) for name, column in columns.items()}
    codes = {name: column.codes.to_numpy().astype(np.int64) for name, column in columns.items()}
    n_params = len(categories["params"])
    pairs, inverse = np.unique(codes["attack"] * n_params + codes["params"], return_inverse=True)
    named = [(categories["attack"][pair // n_params], categories["params"][pair % n_params]) for pair in pairs.tolist()]
    numbers = {
        "detector": [known["detector"][name] for name in categories["detector"]],
        "label": [known["label"][name] for name in categories["label"]],
        "clip_id": [clips.setdefault(name, len(clips)) for name in categories["clip_id"]],
    }
    cells = np.array([known["cell"][name] for name in named], dtype=np.int64)
    return np.stack([cells[inverse], *(np.array(own, dtype=np.int64)[codes[name]] for name, own in numbers.items())])
