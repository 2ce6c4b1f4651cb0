"""The cell store: what a run has finished, one small file per cell and detector, found by content key."""

import io
import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.foundation.files import sha256_json, write_atomically
from sealproof.harness.matrix.cell import Cell
from sealproof.harness.matrix.outcome import Measured, Scores
from sealproof.harness.matrix.quality.perceptual import N_PAIRS, PERCEPTUAL_METRICS, metric_version
from sealproof.harness.matrix.quality.waveform import WAVEFORM_METRICS
from sealproof.harness.matrix.subject import Subject

_FACTS = ("is_noop", "verification", "attack_s")
"""What an entry of `Measured` holds beside its quality."""


class CellStore:
    """Finished cells in a folder; an entry is either whole or absent."""

    def __init__(self, root: Path) -> None:
        """Use `root`, which is made when the first entry is written."""
        self._root = root

    def measured(self, cell: Cell, perceptual: Sequence[str] = ()) -> Measured | None:
        """Return what was measured in a cell, or None when it is not finished.

        Args:
            cell: The cell.
            perceptual: The slow metrics that were asked for, some of `PERCEPTUAL_METRICS`. Others that the store holds
                from an earlier run are left out, so that what a run says depends on what it was asked for alone.
        """
        arrays = self._read(self._path(cell, "attack", cell.key), (*_FACTS, *WAVEFORM_METRICS))
        if arrays is None:
            return None
        quality = {metric: arrays[metric] for metric in WAVEFORM_METRICS}
        for metric in perceptual:
            slow = self._read(self._quality_path(cell, metric), ("values",))
            if slow is None:
                return None
            quality[metric] = slow["values"]
        return Measured(quality, arrays["is_noop"], str(arrays["verification"]), float(arrays["attack_s"]))

    def scores(self, cell: Cell, subject: Subject) -> Scores | None:
        """Return a detector's scores in a cell, or None when they are not finished."""
        names = tuple(field.name for field in fields(Scores))
        arrays = self._read(self._path(cell, subject.name, subject.key(cell)), names)
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
        """Keep a detector's scores in a cell."""
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
    def _read(path: Path, needed: Sequence[str]) -> dict[str, NDArray[Any]] | None:
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            # From memory: whatever is raised below is about the content, and never about the disk.
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                return {name: arrays[name] for name in needed}
        except (EOFError, KeyError, OSError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error):
            # Damaged from outside: worth no more than a cell that was never run.
            path.unlink(missing_ok=True)
            return None

    @staticmethod
    def _write(path: Path, arrays: dict[str, object]) -> None:
        def write(file: BinaryIO) -> None:
            np.savez(file, **arrays)  # type: ignore[arg-type]  # scalars become 0-d arrays

        write_atomically(path, write)
