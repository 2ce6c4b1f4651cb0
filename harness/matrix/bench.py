"""The one loop: attack a cell's clips, measure what the attack did, score with every detector, keep the result."""

import json
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks import get_attack
from sealproof.attacks.contract.base import AttackError
from sealproof.attacks.verification.verify import Verification
from sealproof.detectors.base import Audio, DetectorError
from sealproof.harness.corpora.base import interleave_groups
from sealproof.harness.datasets.attacker_knowledge import KnowledgeBase
from sealproof.harness.datasets.dataset import Dataset, Pair, clips_sha256
from sealproof.harness.datasets.manifest import CLEAN, WATERMARKED
from sealproof.harness.foundation.parallel import map_ahead
from sealproof.harness.foundation.seeds import derive_seed
from sealproof.harness.matrix.attacking import N_THREADS, attack_pairs
from sealproof.harness.matrix.cell import Cell
from sealproof.harness.matrix.outcome import Measured, Outcome, Scores
from sealproof.harness.matrix.quality.claims import N_VERIFIED, Sample, sample, verified
from sealproof.harness.matrix.quality.perceptual import N_PAIRS, QualityError, perceptual_quality
from sealproof.harness.matrix.quality.waveform import WAVEFORM_METRICS, waveform_quality
from sealproof.harness.matrix.scoring import Scored, Stretches, score, unmarked_stretches
from sealproof.harness.matrix.store import CellStore
from sealproof.harness.matrix.subject import Subject

_BLOCK = 128
"""Pairs in memory at a time: bounds memory whatever the dataset's size."""

_TASK = 16
"""Clips that one thread measures at a time."""


class Bench:
    """Everything that cells are run with.

    Attributes:
        dataset: Where the clips are.
        pairs: The pairs of the test split that are attacked.
        subjects: The reference detector and the mimics.
        store: What is finished already.
        perceptual: Slow metrics of the attacked audio that are measured too, some of `PERCEPTUAL_METRICS`.
    """

    def __init__(
        self,
        dataset: Dataset,
        pairs: Sequence[Pair],
        subjects: Sequence[Subject],
        store: CellStore,
        perceptual: Sequence[str] = (),
    ) -> None:
        """Put a bench together; nothing is loaded yet."""
        self.dataset = dataset
        self.pairs = pairs
        self.subjects = subjects
        self.store = store
        self.perceptual = tuple(perceptual)
        self._knowledge = KnowledgeBase(dataset)

    def finished(self, cell: Cell) -> Outcome | None:
        """Return a cell's outcome from the store, or None when something of it is still to be done."""
        n_clips = len(self._pairs(cell.split))
        measured = self.store.measured(cell, self._perceptual(cell), n_clips)
        scores = {subject.name: self.store.scores(cell, subject, n_clips) for subject in self.subjects}
        whole = {name: each for name, each in scores.items() if each is not None}
        if measured is None or len(whole) < len(scores):
            return None
        return Outcome(cell, None, measured, whole, was_finished=True)

    def run(self, cell: Cell) -> Outcome:
        """Return a cell's outcome; only what the store lacks is computed.

        A cell whose attack, detector or slow metric refuses its work or breaks at it has failed: the outcome says why,
        and it is run again next time. Anything else that goes wrong (a full disk, a damaged WAV, Ctrl-C) is raised, and
        ends the run.
        """
        done = self.finished(cell)
        if done is not None:
            return done
        try:
            return self._run(cell)
        except (AttackError, DetectorError, QualityError) as error:
            message = f"{type(error).__name__}: {error}"
            self.store.put_failure(cell, message)
            return Outcome(cell, message, None, {})

    def calibration_cell(self, seed: int) -> Cell:
        """Return the cell that thresholds come from: clean clips of the calibration split, not attacked."""
        sha256 = clips_sha256(self._pairs("calibration"))
        return Cell(self.dataset.scheme, get_attack("identity"), seed, "calibration", (CLEAN,), sha256)

    def _pairs(self, split: str) -> Sequence[Pair]:
        return self.pairs if split == "test" else self.dataset.split(split)

    def _perceptual(self, cell: Cell) -> Sequence[str]:
        """Name the slow metrics that are measured in a cell: of what was not attacked they say nothing."""
        return self.perceptual if cell.split == "test" else ()

    def _run(self, cell: Cell) -> Outcome:
        n_clips = len(self._pairs(cell.split))
        missing = [subject for subject in self.subjects if self.store.scores(cell, subject, n_clips) is None]
        blocks: list[_Block] = []
        verification: Verification | None = None
        scored: dict[str, list[Scored]] = {subject.name: [] for subject in missing}
        rate = self.dataset.facts["sample_rate"]
        for block in self._attacked_blocks(cell):
            if verification is None and block.sample.before.size:
                # Before a detector has heard anything: an attack that is broken is not scored to the end.
                verification = verified(cell.attack, [block.sample], rate, self._knowledge.about)
            n_pairs = len(block.audio) // len(cell.labels)
            is_watermarked = np.repeat([label == WATERMARKED for label in cell.labels], n_pairs)
            for subject in missing:
                scored[subject.name].append(
                    score(subject.name, subject.load, block.audio, is_watermarked, block.unmarked)
                )
            # The audio has been scored: keeping it would hold every clip of the cell in memory.
            blocks.append(block._replace(audio=block.audio[:0]))
        if verification is None or len(blocks) > 1:
            verification = verified(cell.attack, [block.sample for block in blocks], rate, self._knowledge.about)
        measured = _join_measured(blocks, len(cell.labels), verification)
        for subject in missing:
            self.store.put_scores(cell, subject, _join_scores(scored[subject.name], len(cell.labels), subject))
        self.store.put_measured(cell, measured)
        self.store.put_failure(cell, None)
        done = self.finished(cell)
        assert done is not None  # noqa: S101 - it has just been written
        return replace(done, was_finished=False)

    def _attacked_blocks(self, cell: Cell) -> "Iterator[_Block]":
        """Yield the attacked blocks; the next one is attacked while the detectors score this one."""
        pairs = self._pairs(cell.split)
        heard = _spread(pairs, "perceptual", N_PAIRS) if self._perceptual(cell) else set()
        measured = _spread(pairs, "verified", N_VERIFIED)
        with ThreadPoolExecutor(N_THREADS) as workers:

            def attack(start: int) -> "_Block":
                block = pairs[start : start + _BLOCK]
                return self._attack_block(cell, block, workers, heard, measured)

            yield from map_ahead(attack, range(0, len(pairs), _BLOCK), threads=1, ahead=1)

    def _attack_block(
        self,
        cell: Cell,
        pairs: Sequence[Pair],
        workers: ThreadPoolExecutor,
        heard: Collection[str],
        measured: Collection[str],
    ) -> "_Block":
        before, attacked, seconds = attack_pairs(self.dataset, self._knowledge, cell, pairs, workers)
        is_heard = np.array([pair.clip_id in heard for _ in cell.labels for pair in pairs])
        quality = self._quality(cell, before, attacked.audio, is_heard, workers)
        unmarked = unmarked_stretches(cell.attack, attacked)
        rate, clip_ids = self.dataset.facts["sample_rate"], [pair.clip_id for pair in pairs]
        taken = sample(cell.attack, before, attacked, rate, labels=cell.labels, clip_ids=clip_ids, chosen=measured)
        return _Block(attacked.audio, quality, seconds, taken, unmarked)

    def _quality(
        self, cell: Cell, before: Audio, after: Audio, is_heard: NDArray[np.bool_], workers: ThreadPoolExecutor
    ) -> dict[str, NDArray[np.float64]]:
        """Measure how far clips are from what they were; NaN throughout where the attack moved them in time."""
        perceptual, rate = self._perceptual(cell), self.dataset.facts["sample_rate"]
        quality = {name: np.full(len(before), np.nan) for name in (*WAVEFORM_METRICS, *perceptual)}
        if not cell.attack.keeps_alignment or after.shape != before.shape:
            return quality
        parts = [slice(at, at + _TASK) for at in range(0, len(before), _TASK)]
        tasks = [workers.submit(waveform_quality, before[part], after[part], rate) for part in parts]
        for part, task in zip(parts, tasks, strict=True):
            for name, values in task.result().items():
                quality[name][part] = values
        for name in perceptual:
            quality[name][is_heard] = perceptual_quality(name, before[is_heard], after[is_heard], rate)
        return quality


class _Block(NamedTuple):
    audio: Audio
    quality: dict[str, NDArray[np.float64]]
    seconds: float
    sample: Sample
    unmarked: Stretches | None


def _spread(pairs: Sequence[Pair], purpose: str, n_pairs: int) -> set[str]:
    """Choose the pairs that something slow is measured of, of as many groups as there are."""
    order = interleave_groups([pair.group for pair in pairs], derive_seed(purpose))
    return {pairs[index].clip_id for index in order[:n_pairs]}


_Scalar = TypeVar("_Scalar", bound=np.generic)


def _by_label(blocks: Sequence[NDArray[_Scalar]], n_labels: int) -> NDArray[_Scalar]:
    """Join blocks of (labels x clips) rows into one (labels, clips, ...) array."""
    parts = [block.reshape(n_labels, len(block) // n_labels, *block.shape[1:]) for block in blocks]
    return np.concatenate(parts, axis=1)


def _join_measured(blocks: list[_Block], n_labels: int, verification: Verification) -> Measured:
    return Measured(
        {name: _by_label([block.quality[name] for block in blocks], n_labels) for name in blocks[0].quality},
        _by_label([block.sample.is_noop for block in blocks], n_labels),
        json.dumps(verification.record()),
        sum(block.seconds for block in blocks),
    )


def _join_scores(parts: list[Scored], n_labels: int, subject: Subject) -> Scores:
    means = [part.mean_probability for part in parts if part.mean_probability is not None]
    return Scores(
        _by_label([part.score for part in parts], n_labels),
        _by_label([part.bits for part in parts], n_labels),
        subject.load().threshold,
        sum(part.seconds for part in parts),
        _by_label(means, n_labels) if means else np.zeros((n_labels, 0), dtype=np.float32),
        _by_label([part.frame_iou for part in parts], n_labels),
    )
