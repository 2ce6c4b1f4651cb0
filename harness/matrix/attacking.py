"""Attacking clips and their twins, with seeds made of names: the same audio whoever asks for it."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from sealproof.attacks.contract.base import Attacked
from sealproof.detectors.base import Audio
from sealproof.harness.datasets.attacker_knowledge import KnowledgeBase
from sealproof.harness.datasets.dataset import Dataset, Pair
from sealproof.harness.datasets.manifest import CLEAN
from sealproof.harness.foundation.seeds import derive_seed
from sealproof.harness.matrix.cell import Cell

_TASK = 16
"""Clips that one thread attacks at a time."""

N_THREADS = 2


class AttackedPairs(NamedTuple):
    """Clips before and after an attack, label by label.

    Attributes:
        before: (labels x pairs, samples).
        after: (labels x pairs, samples') and what the attack says of itself.
        seconds: What the attack took.
    """

    before: Audio
    after: Attacked
    seconds: float


def attack_pairs(
    dataset: Dataset, known: KnowledgeBase, cell: Cell, pairs: Sequence[Pair], workers: ThreadPoolExecutor
) -> AttackedPairs:
    """Attack the clips of some pairs as a cell does: what becomes of a clip rests on that clip and its seed alone.

    Args:
        dataset: Where the clips are.
        known: What attacks may know besides.
        cell: Which attack, with which seed, on which labels.
        pairs: The pairs.
        workers: Attack so many clips at a time as they have threads.
    """
    rows = [getattr(pair, label) for label in cell.labels for pair in pairs]
    before = dataset.audio(rows)
    # A clip and its twin get the same seed, so that the watermark stays the only difference between them.
    seeds = [derive_seed(cell.seed, row.clip_id, cell.attack.id) for row in rows]
    rate = dataset.facts["sample_rate"]
    # The clean twin of a clip that carries no mark is the clip itself.
    clean = before.reshape(len(cell.labels), len(pairs), -1)[cell.labels.index(CLEAN)]
    twins = np.concatenate([clean] * len(cell.labels)) if cell.attack.needs_knowledge else before

    def attack(part: slice) -> Attacked:
        knowledge = known.about(twins[part]) if cell.attack.needs_knowledge else None
        return cell.attack.perform(before[part], rate, seeds[part], knowledge)

    started = time.perf_counter()
    parts = [slice(at, at + _TASK) for at in range(0, len(rows), _TASK)]
    after = Attacked.concatenate(list(workers.map(attack, parts)))
    return AttackedPairs(before, after, time.perf_counter() - started)
