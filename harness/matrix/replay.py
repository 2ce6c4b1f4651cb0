"""Clips of a run attacked once more, to be listened to: the audio of a run is not kept."""

from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sealproof.attacks import get_attack
from sealproof.attacks.contract.base import AttackError
from sealproof.detectors.base import Audio, DetectorError
from sealproof.harness.datasets.attacker_knowledge import KnowledgeBase
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.matrix.attacking import N_THREADS, attack_pairs
from sealproof.harness.matrix.cell import matrix


@dataclass(frozen=True)
class Replayed:
    """A clip and its twin before and after an attack.

    Attributes:
        before: (2, samples) the clean and the watermarked clip.
        after: (2, samples') both attacked.
        key: The key of the cell as it would be run here and now: that of the run, where what is heard is what was
            scored, bit for bit.
    """

    before: Audio
    after: Audio
    key: str


def replay(
    dataset: Dataset, clip_ids: Collection[str], seed: int, wanted: Iterable[tuple[str, str]]
) -> "list[Replayed | str]":
    """Attack clips of a run again, with the run's own seeds.

    Args:
        dataset: The run's.
        clip_ids: All clips of the run.
        seed: The run's.
        wanted: Of each example the attack's id and the clip's.

    Returns:
        For each the clips, or why its attack cannot be done here.

    Raises:
        HarnessError: The dataset lacks a clip that the run scored, or a WAV is damaged.
    """
    pairs = tuple(pair for pair in dataset.pairs if pair.clip_id in clip_ids)
    if len(pairs) != len(clip_ids):
        raise HarnessError(
            f"{dataset.root} must hold all {len(clip_ids)} clips of the run's clips.csv. It holds {len(pairs)} of them."
        )
    by_id, known = {pair.clip_id: pair for pair in pairs}, KnowledgeBase(dataset)
    replayed: list[Replayed | str] = []
    with ThreadPoolExecutor(N_THREADS) as workers:
        for attack_id, clip_id in wanted:
            try:
                (cell,) = matrix(dataset, [get_attack(attack_id)], pairs, seed=seed)
                before, after, _ = attack_pairs(dataset, known, cell, [by_id[clip_id]], workers)
                replayed.append(Replayed(before, after.audio, cell.key))
            except (AttackError, DetectorError) as error:
                replayed.append(str(error))
    return replayed
