"""Held-out clips under attack with the detector's decisions: attacked once, kept on disk, heard by all alike."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.base import Attack, AttackError
from sealproof.detectors import get_scheme
from sealproof.detectors.base import Audio, Detector
from sealproof.harness.datasets.attacker_knowledge import KnowledgeBase
from sealproof.harness.datasets.content_keys import attacks_sha256, scheme_sha256
from sealproof.harness.datasets.dataset import Dataset, Pair, clips_sha256
from sealproof.harness.foundation.files import read_json, sha256_json, write_atomically, write_json
from sealproof.harness.foundation.progress import progress
from sealproof.harness.matrix.attacking import N_THREADS, attack_pairs
from sealproof.harness.matrix.cell import matrix
from sealproof.harness.statistics.estimation.resamples import Resamples
from sealproof.harness.studies.extraction.imitators.base import CUT, Judgement
from sealproof.harness.tables.resamples import resamples_of

IDENTITY = "identity"

_BLOCK = 64

Decisions = NDArray[np.bool_]
"""(cells, 2 n): who says "watermarked" of the clean clips of each cell, and then of their twins."""


@dataclass(frozen=True)
class ExamCell:
    """One attack: the clips that came out of it, and what the detector says of them.

    Attributes:
        attack: The attack.
        path: Where the clips are, (2 n, samples'): clean clips and then their twins.
        reference: (2 n,) the detector's decisions.
    """

    attack: Attack
    path: Path
    reference: NDArray[np.bool_]

    def blocks(self) -> Iterator[Audio]:
        """Yield the clips a block at a time."""
        audio = np.load(self.path, mmap_mode="r")
        for at in range(0, len(audio), _BLOCK):
            yield np.asarray(audio[at : at + _BLOCK], dtype=np.float32)


@dataclass(frozen=True)
class Exam:
    """What imitations are judged on.

    Attributes:
        groups: The recording of each of the n held-out pairs.
        cells: One for each attack that worked, `identity` first.
        failed: Why others did not, by id.
        dataset_seed: From which intervals are drawn.
        key: Hash of all that can change the clips or the detector's decisions.
    """

    groups: Sequence[str]
    cells: Sequence[ExamCell]
    failed: dict[str, str]
    dataset_seed: int
    key: str

    @property
    def truth(self) -> NDArray[np.bool_]:
        """Which clips of a cell are watermarked, (2 n,)."""
        return np.repeat([False, True], len(self.groups))

    @cached_property
    def reference(self) -> Decisions:
        """The detector's decisions."""
        return np.stack([cell.reference for cell in self.cells])

    @cached_property
    def resamples(self) -> Resamples:
        """Of the 2 n clips of a cell, by recording."""
        return resamples_of(self.groups, self.dataset_seed).twice()

    def decisions(self, judge: Judgement, cut: float = CUT) -> Decisions:
        """Ask somebody about all clips."""
        return np.stack(
            [
                np.concatenate([judge(block) > cut for block in cell.blocks()])
                for cell in progress(self.cells, "judging")
            ]
        )


def hold_exam(dataset: Dataset, pairs: Sequence[Pair], attacks: Sequence[Attack], seed: int, out: Path) -> Exam:
    """Attack clips and ask the detector, or take what of it is there already.

    Clips are kept in half precision, which is finer than 16-bit PCM wherever the audio is soft; those that nobody
    attacked, in single. Everybody hears what was kept, the detector too.

    Args:
        dataset: Where the pairs are.
        pairs: Held-out pairs.
        attacks: `identity` first.
        seed: Of random attacks.
        out: Folder to keep them in.

    Raises:
        OSError: The folder cannot be written.
    """
    scheme = get_scheme(dataset.scheme)
    key = sha256_json([dataset.sha256, clips_sha256(pairs), seed, scheme.version, scheme_sha256(scheme)])
    knowledge = KnowledgeBase(dataset)
    detector = scheme.detector
    cells, failed = [], {}
    for cell in progress(matrix(dataset, attacks, pairs, seed=seed), "attacking held-out clips"):
        stem = out / sha256_json([key, attacks_sha256([cell.attack])])[:24]
        path = stem.with_suffix(".npy")
        if not stem.with_suffix(".json").is_file():
            try:
                with ThreadPoolExecutor(N_THREADS) as workers:
                    audio = attack_pairs(dataset, knowledge, cell, pairs, workers).after.audio
            except AttackError as error:
                failed[cell.attack.id] = str(error)
                continue
            kept = audio if cell.attack.id == IDENTITY else audio.astype(np.float16)
            write_atomically(path, partial(_save, kept), durable=False)
            says = flags(detector, kept)
            # Last: what has an answer has its clips.
            write_json(stem.with_suffix(".json"), {"attack": cell.attack.id, "flagged": np.flatnonzero(says).tolist()})
        reference = np.zeros(2 * len(pairs), dtype=np.bool_)
        reference[read_json(stem.with_suffix(".json"))["flagged"]] = True
        cells.append(ExamCell(cell.attack, path, reference))
    worked = sha256_json([key, attacks_sha256([cell.attack for cell in cells])])
    return Exam([pair.group for pair in pairs], cells, failed, int(dataset.facts["seed"]), worked)


def _save(audio: NDArray[np.floating], file: BinaryIO) -> None:
    np.save(file, audio)


def flags(detector: Detector, audio: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Say which clips a detector flags at its own threshold, (n, samples) to (n,)."""
    scores = [
        detector.detect(np.asarray(audio[at : at + _BLOCK], dtype=np.float32)).score
        for at in range(0, len(audio), _BLOCK)
    ]
    return np.concatenate(scores) > detector.threshold
