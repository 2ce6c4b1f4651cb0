"""The store of finished blocks: one small file each, found by the key of everything that can change a number in it."""

import io
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np

from sealproof.attacks import get_attack
from sealproof.harness.datasets.attacker_knowledge import other_recordings
from sealproof.harness.datasets.content_keys import attacks_sha256
from sealproof.harness.datasets.dataset import Dataset, Pair, clips_sha256
from sealproof.harness.foundation.code.identity import code_sha256
from sealproof.harness.foundation.files import sha256_json, write_atomically
from sealproof.harness.foundation.versions import package_versions
from sealproof.harness.matrix.subject import Subject
from sealproof.harness.studies.adversaries.arena import Arena
from sealproof.harness.studies.adversaries.cell import AdversaryCell, Fought
from sealproof.harness.studies.adversaries.target.passages import SURVIVED

FOLDER = "adversaries"
_REVISION = 1


class FoughtStore:
    """Finished blocks of a dataset; an entry is whole or absent."""

    def __init__(self, dataset: Dataset, subject: Subject) -> None:
        """Use the dataset's folder `adversaries`, which is made when the first entry is written."""
        self._root = dataset.root / FOLDER
        self._base = sha256_json(
            [
                _REVISION,
                subject.name,
                subject.version,
                clips_sha256(other_recordings(dataset)),
                attacks_sha256([get_attack(name) for name in SURVIVED]),
                code_sha256(Arena),
                sorted(package_versions().items()),
            ]
        )

    def key(self, cell: AdversaryCell, pairs: Sequence[Pair]) -> str:
        """Hash everything that can change what comes of a block: surrogate, access and limit of questions among it."""
        return sha256_json(
            [
                self._base,
                cell.id,
                cell.threshold,
                cell.seed,
                code_sha256(cell.adversary),
                "" if cell.surrogate is None else [cell.surrogate.access, cell.surrogate.version],
                clips_sha256(pairs),
            ]
        )

    def get(self, cell: AdversaryCell, pairs: Sequence[Pair]) -> Fought | None:
        """Return what came of a block, or None when it is not finished or what is kept of it cannot be true."""
        path = self._path(cell, pairs)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                fought = Fought(**{item.name: arrays[item.name] for item in fields(Fought)})
        except (EOFError, KeyError, OSError, RuntimeError, ValueError, zipfile.BadZipFile, zlib.error):
            fought = None
        if fought is None or not _is_whole(fought, len(cell.budgets), len(pairs)):
            path.unlink(missing_ok=True)
            return None
        return fought

    def put(self, cell: AdversaryCell, pairs: Sequence[Pair], fought: Fought) -> None:
        """Keep what came of a block."""
        arrays = {item.name: getattr(fought, item.name) for item in fields(Fought)}
        write_atomically(self._path(cell, pairs), lambda file: np.savez(file, **arrays))

    def _path(self, cell: AdversaryCell, pairs: Sequence[Pair]) -> Path:
        return self._root / cell.id / f"{self.key(cell, pairs)[:24]}.npz"


def _is_whole(fought: Fought, n_budgets: int, n_clips: int) -> bool:
    tables = [getattr(fought, item.name) for item in fields(Fought)]
    if any(table.dtype != np.float64 for table in tables):
        return False
    by_budget = (fought.success, fought.size, fought.snr_db, fought.nmr_db, fought.si_sdr_db, fought.first_question)
    by_clip = (fought.least_snr_db, fought.n_questions, fought.n_gradients, fought.spied)
    return (
        all(table.shape == (n_budgets, n_clips) for table in by_budget)
        and all(table.shape == (n_clips,) for table in by_clip)
        and bool(np.isin(fought.success, (0, 1)).all())
        and not np.isnan(fought.least_snr_db).any()
    )
