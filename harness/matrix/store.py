"""The cell store: what a run has finished, one small file per cell and detector, found by content key."""

import io
import json
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from sealproof.detectors.base import DetectorError
from sealproof.harness.foundation.files import sha256_json, write_atomically
from sealproof.harness.matrix.cell import Cell
from sealproof.harness.matrix.entries import Arrays, wrong_measured, wrong_quality, wrong_scores
from sealproof.harness.matrix.outcome import Measured, Scores
from sealproof.harness.matrix.quality.perceptual import N_PAIRS, PERCEPTUAL_METRICS, metric_version
from sealproof.harness.matrix.quality.waveform import WAVEFORM_METRICS
from sealproof.harness.matrix.subject import Subject

_SCORES = tuple(field.name for field in fields(Scores))
_FACTS = ("is_noop", "verification", "attack_s")
"""What an entry of `Measured` holds beside its quality."""


class CellStore:
    """Finished cells in a folder; an entry is either whole or absent."""

    def __init__(self, root: Path) -> None:
        """Use `root`, which is made when the first entry is written."""
        self._root = root

    def measured(self, cell: Cell, perceptual: Sequence[str] = (), n_clips: int | None = None) -> Measured | None:
        """Return what was measured in a cell, or None when it is not finished or what is kept of it cannot be true.

        Args:
            cell: The cell.
            n_clips: How many clips of each label the cell has; None for any number.
            perceptual: The slow metrics that were asked for, some of `PERCEPTUAL_METRICS`. Others that the store holds
                from an earlier run are left out, so that what a run says depends on what it was asked for alone.
        """
        shape = None if n_clips is None else (len(cell.labels), n_clips)
        arrays = self._read(
            self._path(cell, "attack", cell.key),
            (*_FACTS, *WAVEFORM_METRICS),
            lambda held: wrong_measured(held, WAVEFORM_METRICS, shape),
        )
        if arrays is None:
            return None
        quality = {metric: arrays[metric] for metric in WAVEFORM_METRICS}
        for metric in perceptual:
            path, expected = self._quality_path(cell, metric), arrays["is_noop"].shape
            slow = self._read(path, ("values",), partial(_wrong_slow, metric, expected))
            if slow is None:
                return None
            quality[metric] = slow["values"]
        return Measured(quality, arrays["is_noop"], str(arrays["verification"]), float(arrays["attack_s"]))

    def scores(self, cell: Cell, subject: Subject, n_clips: int | None = None) -> Scores | None:
        """Return a detector's scores in a cell, or None when they are not finished or cannot be true.

        Args:
            cell: The cell.
            subject: The detector.
            n_clips: How many clips of each label the cell has; None for any number.
        """
        shape = None if n_clips is None else (len(cell.labels), n_clips)
        path = self._path(cell, subject.name, subject.key(cell))
        arrays = self._read(path, _SCORES, lambda held: wrong_scores(held, shape))
        if arrays is None:
            return None
        return Scores(
            arrays["score"],
            arrays["bits"],
            float(arrays["threshold"]),
            float(arrays["detect_s"]),
            arrays["mean_probability"],
            arrays["frame_iou"],
        )

    def put_measured(self, cell: Cell, measured: Measured) -> None:
        """Keep what was measured in a cell; each slow metric in an entry of its own, so that it can come later."""
        for metric in PERCEPTUAL_METRICS:
            if metric in measured.quality:
                self._write(self._quality_path(cell, metric), {"values": measured.quality[metric]})
        arrays: dict[str, object] = {metric: measured.quality[metric] for metric in WAVEFORM_METRICS}
        for name in _FACTS:
            arrays[name] = getattr(measured, name)
        self._write(self._path(cell, "attack", cell.key), arrays)

    def put_scores(self, cell: Cell, subject: Subject, scores: Scores) -> None:
        """Keep a detector's scores in a cell.

        Raises:
            DetectorError: They are none: a threshold of NaN, say, or frames that are called probabilities and are not.
        """
        wrong = wrong_scores({name: np.asarray(value) for name, value in scores.__dict__.items()})
        if wrong:
            raise DetectorError(f"{subject.name} must give scores that can be kept. Not so: {wrong}.")
        self._write(self._path(cell, subject.name, subject.key(cell)), scores.__dict__)

    def failure(self, cell: Cell) -> str | None:
        """Return why a cell failed when it was last run, or None."""
        path = self._failure_path(cell)
        return str(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None

    def put_failure(self, cell: Cell, error: str | None) -> None:
        """Keep why a cell failed, for the tables; None forgets it. A failed cell is run again every time."""
        if error is None:
            self._failure_path(cell).unlink(missing_ok=True)
        else:
            write_atomically(self._failure_path(cell), lambda file: file.write(json.dumps(error).encode()))

    def _path(self, cell: Cell, subject: str, key: str) -> Path:
        return self._root / f"{cell.split}-{cell.id}" / f"{subject}.{key[:24]}.npz"

    def _quality_path(self, cell: Cell, metric: str) -> Path:
        return self._path(cell, metric, sha256_json([cell.key, metric, metric_version(metric), N_PAIRS]))

    def _failure_path(self, cell: Cell) -> Path:
        return self._root / f"{cell.split}-{cell.id}" / f"failed.{cell.key[:24]}.json"

    @staticmethod
    def _read(path: Path, needed: Sequence[str], wrong: Callable[[Arrays], str | None]) -> Arrays | None:
        try:
            arrays = _load(path, needed)
        except FileNotFoundError:
            return None
        if arrays is None or wrong(arrays):
            # Damaged or made up outside: worth no more than a cell that was never run.
            path.unlink(missing_ok=True)
            return None
        return arrays

    @staticmethod
    def _write(path: Path, arrays: dict[str, object]) -> None:
        def write(file: BinaryIO) -> None:
            np.savez(file, **arrays)  # type: ignore[arg-type]  # scalars become 0-d arrays

        write_atomically(path, write)


def check_cells(root: Path) -> list[str]:
    """Return what is wrong with the entries of a store, one sentence each; `run` computes such cells again."""
    problems = []
    # A link is a fault of the dataset, told of elsewhere, and not followed.
    paths = [] if root.is_symlink() else sorted(root.rglob("*.npz"))
    for path in (path for path in paths if not path.is_symlink()):
        kind = path.name.split(".", 1)[0]
        names = ("values",) if kind in PERCEPTUAL_METRICS else _SCORES
        if kind == "attack":
            names = (*_FACTS, *WAVEFORM_METRICS)
        arrays = _load(path, names)
        if arrays is None:
            wrong: str | None = f"it must be an archive of {', '.join(names)}"
        elif kind == "attack":
            wrong = wrong_measured(arrays, WAVEFORM_METRICS)
        else:
            wrong = _wrong_slow(kind, None, arrays) if kind in PERCEPTUAL_METRICS else wrong_scores(arrays)
        if wrong:
            problems.append(f"{path.relative_to(root.parent).as_posix()} is no finished cell: {wrong}.")
    return problems


def _wrong_slow(metric: str, expected: tuple[int, ...] | None, arrays: Arrays) -> str | None:
    return wrong_quality(metric, arrays["values"], expected)


def _load(path: Path, needed: Sequence[str]) -> Arrays | None:
    """Read an entry, or return None where it is damaged.

    Raises:
        OSError: There is none, or it cannot be read.
    """
    content = path.read_bytes()
    try:
        # From memory: whatever is raised below is about the content, and never about the disk.
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return {name: arrays[name] for name in needed}
    except (EOFError, KeyError, OSError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error):
        return None
