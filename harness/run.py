"""The one loop: attack a cell's clips, measure what the attack did, score with every detector, keep the result."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks import get_attack
from sealproof.attacks.base import Attacked, AttackError
from sealproof.attacks.measure import is_noop, snr_db
from sealproof.attacks.verification import Verification, verify
from sealproof.detectors.base import Audio, DetectorError
from sealproof.harness.dataset import Dataset, Pair
from sealproof.harness.knowledge import KnowledgeBase
from sealproof.harness.manifest import CLEAN
from sealproof.harness.matrix import Cell, Subject, clips_sha256
from sealproof.harness.seeds import derive_seed
from sealproof.harness.store import CellStore, Measured, Scores
from sealproof.harness.verify import as_json, join_attacked

_BLOCK = 128
"""Pairs in memory at a time: bounds memory whatever the dataset's size."""

_TASK = 16
"""Clips that one thread attacks at a time."""

_N_THREADS = 2

_VERIFIED = 32
"""Pairs of a cell on which the attack's claims are verified."""


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
        self._knowledge = KnowledgeBase(dataset)

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
                block = pairs[start : start + _BLOCK]
                return ahead.submit(self._attack_block, cell, block, workers, first=start == 0)

            pending = submit(starts[0])
            for following in [*starts[1:], None]:
                block = pending.result()
                if following is not None:
                    pending = submit(following)
                yield block

    def _attack_block(
        self, cell: Cell, pairs: Sequence[Pair], workers: ThreadPoolExecutor, *, first: bool
    ) -> "_Attacked":
        rows = [getattr(pair, label) for label in cell.labels for pair in pairs]
        before = self.dataset.audio(rows)
        # A clip and its twin get the same seed, so that the watermark stays the only difference between them.
        seeds = [derive_seed(cell.seed, row.clip_id, cell.attack.id) for row in rows]
        knows = cell.attack.needs_knowledge
        # Of a clip that carries no mark the twin is the clip itself.
        twins = self.dataset.audio([pair.clean for _ in cell.labels for pair in pairs]) if knows else before
        started = time.perf_counter()
        tasks = [
            workers.submit(
                self._attack_task, cell, before[at : at + _TASK], twins[at : at + _TASK], seeds[at : at + _TASK]
            )
            for at in range(0, len(rows), _TASK)
        ]
        attacked = join_attacked([task.result() for task in tasks])
        seconds = time.perf_counter() - started
        after = attacked.audio
        comparable = cell.attack.keeps_alignment and after.shape == before.shape
        snr = snr_db(before, after) if comparable else np.full(len(rows), np.nan)
        verification = self._verified(cell, before, attacked, len(pairs)) if first else None
        return _Attacked(after, snr, is_noop(before, after), seconds, verification)

    def _attack_task(self, cell: Cell, before: Audio, twins: Audio, seeds: Sequence[int]) -> Attacked:
        knowledge = self._knowledge.about(twins) if cell.attack.needs_knowledge else None
        return cell.attack.perform(before, self.dataset.facts["sample_rate"], seeds, knowledge)

    def _verified(self, cell: Cell, before: Audio, attacked: Attacked, n_pairs: int) -> Verification:
        """Hold the attack's claims against the first clips of either label."""
        chosen = [
            label * n_pairs + clip for label in range(len(cell.labels)) for clip in range(min(n_pairs, _VERIFIED))
        ]
        facts = {name: values[chosen] for name, values in attacked.facts.items()}
        sample = Attacked(attacked.audio[chosen], facts)
        verification = verify(cell.attack, before[chosen], sample, self.dataset.facts["sample_rate"])
        if verification.broken:
            complaints = " ".join(verdict.complaint for verdict in verification.broken)
            raise AttackError(f"{cell.attack.id} does not do what it claims: {complaints}")
        return verification


class _Attacked(NamedTuple):
    audio: Audio
    snr_db: NDArray[np.float64]
    is_noop: NDArray[np.bool_]
    seconds: float
    verification: Verification | None


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
    verification = blocks[0].verification
    assert verification is not None  # noqa: S101 - the first block is verified
    return Measured(
        _by_label([block.snr_db for block in blocks], n_labels),
        _by_label([block.is_noop for block in blocks], n_labels),
        as_json(verification),
        sum(block.seconds for block in blocks),
    )


def _join_scores(blocks: list[_Detected], n_labels: int, subject: Subject) -> Scores:
    return Scores(
        _by_label([block.score for block in blocks], n_labels),
        _by_label([block.bits for block in blocks], n_labels),
        subject.load().threshold,
        sum(block.seconds for block in blocks),
    )
