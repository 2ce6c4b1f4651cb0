"""The cell store: what a run has finished, one small file per cell and detector, found by content key."""

import io
import json
import zipfile
import zlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.files import write_atomically
from sealproof.harness.matrix import Cell, Subject


@dataclass(frozen=True)
class Measured:
    """What was measured on the attacked audio itself; arrays are (labels, clips).

    Attributes:
        snr_db: Audio before against what the attack added; NaN where the attack moves the audio in time.
        is_noop: The attack returned the clip bit for bit.
        verification: The attack's claims and what was measured, as JSON; see `harness.verify`.
        attack_s: Seconds the attack took, for all clips.
    """

    snr_db: NDArray[np.float64]
    is_noop: NDArray[np.bool_]
    verification: str
    attack_s: float


@dataclass(frozen=True)
class Scores:
    """What one detector said in one cell; arrays are (labels, clips).

    Attributes:
        score: Higher is surer.
        bits: (labels, clips, bits) decoded messages; no bits where the scheme has none.
        threshold: The detector's fixed threshold.
        detect_s: Seconds the detector took, for all clips.
    """

    score: NDArray[np.float32]
    bits: NDArray[np.uint8]
    threshold: float
    detect_s: float


class CellStore:
    """Finished cells in a folder; an entry is either whole or absent."""

    def __init__(self, root: Path) -> None:
        """Use `root`, which is made when the first entry is written."""
        self._root = root

    def measured(self, cell: Cell) -> Measured | None:
        """Return what was measured in a cell, or None when it is not finished."""
        arrays = self._read(self._path(cell, "attack", cell.key), Measured)
        if arrays is None:
            return None
        verification, attack_s = str(arrays["verification"]), float(arrays["attack_s"])
        return Measured(arrays["snr_db"], arrays["is_noop"], verification, attack_s)

    def scores(self, cell: Cell, subject: Subject) -> Scores | None:
        """Return a detector's scores in a cell, or None when they are not finished."""
        arrays = self._read(self._path(cell, subject.name, subject.key(cell)), Scores)
        if arrays is None:
            return None
        return Scores(arrays["score"], arrays["bits"], float(arrays["threshold"]), float(arrays["detect_s"]))

    def put_measured(self, cell: Cell, measured: Measured) -> None:
        """Keep what was measured in a cell."""
        self._write(self._path(cell, "attack", cell.key), measured.__dict__)

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

    def _failure_path(self, cell: Cell) -> Path:
        return self._root / f"{cell.split}-{cell.id}" / f"failed.{cell.key[:24]}.json"

    @staticmethod
    def _read(path: Path, kind: type[Measured] | type[Scores]) -> dict[str, NDArray[Any]] | None:
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            # From memory: whatever is raised below is about the content, and never about the disk.
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                return {field.name: arrays[field.name] for field in fields(kind)}
        except (EOFError, KeyError, OSError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error):
            # Damaged from outside: worth no more than a cell that was never run.
            path.unlink(missing_ok=True)
            return None

    @staticmethod
    def _write(path: Path, arrays: dict[str, object]) -> None:
        def write(file: BinaryIO) -> None:
            np.savez(file, **arrays)  # type: ignore[arg-type]  # scalars become 0-d arrays

        write_atomically(path, write)
