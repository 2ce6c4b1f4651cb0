"""The one loop: attack a cell's clips, measure what the attack did, score with every detector, keep the result."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks import get_attack
from sealproof.attacks.base import AttackError
from sealproof.attacks.measure import is_noop, snr_db
from sealproof.detectors.base import Audio, DetectorError
from sealproof.harness.dataset import Dataset, Pair
from sealproof.harness.manifest import CLEAN
from sealproof.harness.matrix import Cell, Subject, clips_sha256
from sealproof.harness.seeds import derive_seed
from sealproof.harness.store import CellStore, Measured, Scores

_BLOCK = 128
"""Pairs in memory at a time: bounds memory whatever the dataset's size."""

_TASK = 16
"""Clips that one thread attacks at a time."""

_N_THREADS = 2


@dataclass(frozen=True)
class Outcome:
    """What a cell came to.

    Attributes:
        cell: The cell.
        error: Why it failed; None when it did not.
        measured: What was measured on the attacked audio; None when it failed.
        scores: By detector; empty when it failed.
    """

    cell: Cell
    error: str | None
    measured: Measured | None
    scores: dict[str, Scores]


class Bench:
    """Everything that cells are run with.

    Attributes:
        dataset: Where the clips are.
        pairs: The pairs of the test split that are attacked.
        subjects: The reference detector and the mimics.
        store: What is finished already.
    """

    def __init__(self, dataset: Dataset, pairs: Sequence[Pair], subjects: Sequence[Subject], store: CellStore) -> None:
        """Put a bench together; nothing is loaded yet."""
        self.dataset = dataset
        self.pairs = pairs
        self.subjects = subjects
        self.store = store

    def finished(self, cell: Cell) -> Outcome | None:
        """Return a cell's outcome from the store, or None when something of it is still to be done."""
        measured = self.store.measured(cell)
        scores = {subject.name: self.store.scores(cell, subject) for subject in self.subjects}
        whole = {name: found for name, found in scores.items() if found is not None}
        if measured is None or len(whole) < len(scores):
            return None
        return Outcome(cell, None, measured, whole)

    def run(self, cell: Cell) -> Outcome:
        """Return a cell's outcome; only what the store lacks is computed.

        A cell whose attack or detector refuses its work has failed: the outcome says why, and it is run again next
        time. Anything else that goes wrong (a full disk, a damaged WAV, Ctrl-C) is raised, and ends the run.
        """
        done = self.finished(cell)
        if done is not None:
            return done
        try:
            return self._run(cell)
        except (AttackError, DetectorError) as error:
            message = f"{type(error).__name__}: {error}"
            self.store.put_failure(cell, message)
            return Outcome(cell, message, None, {})

    def calibration_cell(self, seed: int) -> Cell:
        """Return the cell that thresholds come from: clean clips of the calibration split, not attacked."""
        sha256 = clips_sha256(self._pairs("calibration"))
        return Cell(self.dataset.scheme, get_attack("identity"), seed, "calibration", (CLEAN,), sha256)

    def _pairs(self, split: str) -> Sequence[Pair]:
        return self.pairs if split == "test" else self.dataset.split(split)

    def _run(self, cell: Cell) -> Outcome:
        missing = [subject for subject in self.subjects if self.store.scores(cell, subject) is None]
        measured: list[_Attacked] = []
        detected: dict[str, list[_Detected]] = {subject.name: [] for subject in missing}
        for attacked in self._attacked_blocks(cell):
            measured.append(attacked)
            for subject in missing:
                detected[subject.name].append(_detect(subject, attacked.audio))
            # The audio has been scored: keeping it would hold every clip of the cell in memory.
            measured[-1] = attacked._replace(audio=attacked.audio[:0])
        measure = _join_measured(measured, len(cell.labels))
        if cell.attack.name != "identity" and measure.is_noop.all():
            msg = (
                f"The attack {cell.attack.id} must change its input. "
                f"It returned all {measure.is_noop.size} clips as they were."
            )
            raise AttackError(msg)
        for subject in missing:
            self.store.put_scores(cell, subject, _join_scores(detected[subject.name], len(cell.labels), subject))
        self.store.put_measured(cell, measure)
        self.store.put_failure(cell, None)
        done = self.finished(cell)
        assert done is not None  # noqa: S101 - it has just been written
        return done

    def _attacked_blocks(self, cell: Cell) -> "Iterator[_Attacked]":
        """Yield the attacked blocks; the next one is attacked while the detectors score this one."""
        pairs = self._pairs(cell.split)
        starts = list(range(0, len(pairs), _BLOCK))
        with ThreadPoolExecutor(_N_THREADS) as workers, ThreadPoolExecutor(1) as ahead:

            def submit(start: int) -> "Future[_Attacked]":
                return ahead.submit(self._attack_block, cell, pairs[start : start + _BLOCK], workers)

            pending = submit(starts[0])
            for following in [*starts[1:], None]:
                block = pending.result()
                if following is not None:
                    pending = submit(following)
                yield block

    def _attack_block(self, cell: Cell, pairs: Sequence[Pair], workers: ThreadPoolExecutor) -> "_Attacked":
        rows = [getattr(pair, label) for label in cell.labels for pair in pairs]
        before = self.dataset.audio(rows)
        # A clip and its twin get the same seed, so that the watermark stays the only difference between them.
        seeds = [derive_seed(cell.seed, row.clip_id, cell.attack.id) for row in rows]
        started = time.perf_counter()
        tasks = [
            workers.submit(
                cell.attack, before[at : at + _TASK], self.dataset.facts["sample_rate"], seeds[at : at + _TASK]
            )
            for at in range(0, len(rows), _TASK)
        ]
        after = np.concatenate([task.result() for task in tasks])
        seconds = time.perf_counter() - started
        comparable = cell.attack.keeps_alignment and after.shape == before.shape
        snr = snr_db(before, after) if comparable else np.full(len(rows), np.nan)
        noop = is_noop(before, after) if after.shape == before.shape else np.zeros(len(rows), dtype=bool)
        return _Attacked(after, snr, noop, seconds)


class _Attacked(NamedTuple):
    audio: Audio
    snr_db: NDArray[np.float64]
    is_noop: NDArray[np.bool_]
    seconds: float


class _Detected(NamedTuple):
    score: NDArray[np.float32]
    bits: NDArray[np.uint8]
    seconds: float


def _detect(subject: Subject, audio: Audio) -> _Detected:
    detector = subject.load()
    started = time.perf_counter()
    detection = detector.detect(audio)
    bits = detection.bits if detection.bits is not None else np.zeros((len(audio), 0), dtype=np.uint8)
    return _Detected(detection.score, bits, time.perf_counter() - started)


_Scalar = TypeVar("_Scalar", bound=np.generic)


def _by_label(blocks: Sequence[NDArray[_Scalar]], n_labels: int) -> NDArray[_Scalar]:
    """Join blocks of (labels x clips) rows into one (labels, clips, ...) array."""
    parts = [block.reshape(n_labels, len(block) // n_labels, *block.shape[1:]) for block in blocks]
    return np.concatenate(parts, axis=1)


def _join_measured(blocks: list[_Attacked], n_labels: int) -> Measured:
    return Measured(
        _by_label([block.snr_db for block in blocks], n_labels),
        _by_label([block.is_noop for block in blocks], n_labels),
        sum(block.seconds for block in blocks),
    )


def _join_scores(blocks: list[_Detected], n_labels: int, subject: Subject) -> Scores:
    return Scores(
        _by_label([block.score for block in blocks], n_labels),
        _by_label([block.bits for block in blocks], n_labels),
        subject.load().threshold,
        sum(block.seconds for block in blocks),
    )
