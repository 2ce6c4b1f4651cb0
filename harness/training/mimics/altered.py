"""Training clips as an imitator alters them before it asks a detector: attacked, or mixed with other music."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.base import Attack
from sealproof.attacks.selection import load_attacks
from sealproof.detectors.base import Audio
from sealproof.harness.datasets.attacker_knowledge import KnowledgeBase
from sealproof.harness.datasets.dataset import Dataset, Pair
from sealproof.harness.datasets.manifest import Row
from sealproof.harness.foundation.progress import progress
from sealproof.harness.foundation.seeds import derive_seed
from sealproof.harness.training.mimics.mixtures import mixed_clips

PRESET = "standard"
"""The attacks that are applied to training clips before the detector is asked."""

MIXTURE = "mixture"
"""Stands for an attack's id where a clip was mixed with other music."""

_NEEDS_THE_WATERMARKER = ("reembed", "collude")
"""An imitator has marked clips and a detector to ask; it cannot mark clips itself."""

MIXED_EVERY = 3
"""Every third altered clip is a mixture; the others are attacked."""

_BLOCK = 64
"""Clips that are attacked at a time."""


@dataclass(frozen=True)
class Altered:
    """Altered clips in random order: any first part of them is a fair sample, and the same whatever follows it.

    Attributes:
        audio: (n, samples) float16, which halves the memory and is finer than 16-bit PCM wherever the audio is soft.
        is_marked: (n,) whether the clip that was altered was watermarked.
        attacks: The id of each clip's attack, or `MIXTURE`.
    """

    audio: NDArray[np.float16]
    is_marked: NDArray[np.bool_]
    attacks: tuple[str, ...]

    def chosen(self, index: NDArray[np.intp]) -> "Altered":
        """Return some of them, in the order of the indices."""
        return Altered(self.audio[index], self.is_marked[index], tuple(self.attacks[each] for each in index))


def query_attacks() -> list[Attack]:
    """Return the attacks that an imitator alters clips with: those that can be done here, and without a watermarker."""
    return [each for each in load_attacks(PRESET) if each.name not in _NEEDS_THE_WATERMARKER]


def altered_clips(
    dataset: Dataset, pairs: Sequence[Pair], n: int, seed: int, attacks: Sequence[Attack] | None = None
) -> Altered:
    """Alter training clips as an imitator would: two of three attacked, one mixed with other music.

    Args:
        dataset: Where the clips are.
        pairs: Training pairs, at least one.
        n: How many.
        seed: Decides which clips are altered by what; the first of them are the same however many are asked for.
        attacks: Those to alter with; default `query_attacks`.
    """
    mixed_at = np.arange(MIXED_EVERY - 1, n, MIXED_EVERY)
    attacked_at = np.setdiff1d(np.arange(n), mixed_at)
    attacked = attacked_clips(dataset, pairs, len(attacked_at), seed, attacks)
    mixtures, is_marked = mixed_clips(dataset, pairs, len(mixed_at), seed)
    audio = np.empty((n, dataset.n_samples), dtype=np.float16)
    audio[attacked_at], audio[mixed_at] = attacked.audio, mixtures
    marked = np.zeros(n, dtype=np.bool_)
    marked[attacked_at], marked[mixed_at] = attacked.is_marked, is_marked
    names = np.full(n, MIXTURE, dtype=object)
    names[attacked_at] = attacked.attacks
    return Altered(audio, marked, tuple(names))


def attacked_clips(
    dataset: Dataset, pairs: Sequence[Pair], n: int, seed: int, attacks: Sequence[Attack] | None = None
) -> Altered:
    """Attack training clips as an imitator would, to ask the detector about them.

    They come in rounds: in each, every attack gets one clip and its watermarked twin, drawn at random, and the order
    is shuffled. An attack that changes the length is cut or padded with zeros at the end, as what is asked is one
    length.
    """
    chosen = query_attacks() if attacks is None else list(attacks)
    tasks = list(_tasks(chosen, pairs, n, seed))
    clips = np.zeros((n, dataset.n_samples), dtype=np.float16)
    is_marked = np.zeros(n, dtype=np.bool_)
    names = np.full(n, "", dtype=object)
    with ThreadPoolExecutor(2) as workers:
        knowledge = KnowledgeBase(dataset)
        done = workers.map(lambda task: _attacked(dataset, task, knowledge, seed), tasks)
        for task, audio in zip(tasks, progress(done, "attacking training clips", total=len(tasks)), strict=True):
            clips[task.places] = audio
            is_marked[task.places] = task.is_marked
            names[task.places] = task.attack.id
    return Altered(clips, is_marked, tuple(names))


@dataclass(frozen=True)
class _Task:
    attack: Attack
    pairs: Sequence[Pair]
    is_marked: NDArray[np.bool_]
    places: NDArray[np.intp]

    @property
    def rows(self) -> list[Row]:
        return [p.watermarked if marked else p.clean for p, marked in zip(self.pairs, self.is_marked, strict=True)]


def _tasks(attacks: Sequence[Attack], pairs: Sequence[Pair], n: int, seed: int) -> Iterator[_Task]:
    per_round = 2 * len(attacks)
    n_rounds = -(-n // per_round)
    drawn = np.empty((n_rounds, len(attacks)), dtype=np.intp)
    place = np.empty((n_rounds, per_round), dtype=np.intp)
    for number in range(n_rounds):
        rng = np.random.default_rng(derive_seed(seed, "queries", number))
        drawn[number] = rng.integers(len(pairs), size=len(attacks))
        place[number, rng.permutation(per_round)] = number * per_round + np.arange(per_round)
    for index, attack in enumerate(attacks):
        places = place[:, 2 * index : 2 * index + 2]
        rounds, labels = np.nonzero(places < n)
        for at in range(0, len(rounds), _BLOCK):
            numbers, marked = rounds[at : at + _BLOCK], labels[at : at + _BLOCK]
            yield _Task(
                attack, [pairs[drawn[number, index]] for number in numbers], marked == 1, places[numbers, marked]
            )


def _attacked(dataset: Dataset, task: _Task, knowledge: KnowledgeBase, seed: int) -> Audio:
    rows = task.rows
    clips = dataset.audio(rows)
    # A clip may be drawn twice for one attack, so its place counts too.
    seeds = [
        derive_seed(seed, "query", row.label, place, row.clip_id, task.attack.id)
        for place, row in zip(task.places, rows, strict=True)
    ]
    twins = dataset.audio([pair.clean for pair in task.pairs]) if task.attack.needs_knowledge else None
    known = None if twins is None else knowledge.about(twins)
    audio = task.attack.perform(clips, dataset.facts["sample_rate"], seeds, known).audio
    fitted = audio[:, : dataset.n_samples]
    return np.pad(fitted, ((0, 0), (0, dataset.n_samples - fitted.shape[1])))
