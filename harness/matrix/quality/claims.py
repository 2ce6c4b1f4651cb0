"""The claims of a cell's attack, held against clips of all recordings, each label on its own."""

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.base import Attack, Attacked, AttackError
from sealproof.attacks.contract.knowledge import Knowledge
from sealproof.attacks.verification.verify import Verification, judged_noops, unchanged, verify
from sealproof.detectors.base import Audio
from sealproof.harness.datasets.manifest import WATERMARKED

N_VERIFIED = 32
"""Pairs of a cell, of as many recordings as there are, on which the attack's claims are verified."""


class Sample(NamedTuple):
    """What a block of pairs gives to the verification of their attack; rows are labels x pairs, label by label.

    Attributes:
        before: Those of the clips that are measured: (m, samples).
        attacked: What came out of them.
        is_marked: (m,) which of them carry a mark.
        is_noop: Of all clips of the block, which came back as they were.
        noops: Of all clips, whether they count as left alone: see `judged_noops`.
    """

    before: Audio
    attacked: Attacked
    is_marked: NDArray[np.bool_]
    is_noop: NDArray[np.bool_]
    noops: dict[str, NDArray[np.float64]]


def sample(
    attack: Attack,
    before: Audio,
    attacked: Attacked,
    sample_rate: int,
    *,
    labels: Sequence[str],
    clip_ids: Sequence[str],
    chosen: Collection[str],
) -> Sample:
    """Take from a block what its attack is verified on.

    Args:
        attack: The attack.
        before: (labels x pairs, samples), label by label.
        attacked: What came out of it.
        sample_rate: In Hz.
        labels: Of the clips.
        clip_ids: Of the pairs.
        chosen: The pairs whose clips are measured.
    """
    n_pairs = len(clip_ids)
    came_back = unchanged(attack, before, attacked.audio)
    noops = {}
    for at, label in enumerate(labels):
        part = slice(at * n_pairs, (at + 1) * n_pairs)
        noops[label] = judged_noops(attack, before[part], came_back[part], sample_rate, label=label)
    measured = np.array([clip_id in chosen for _ in labels for clip_id in clip_ids], dtype=np.bool_)
    is_marked = np.repeat([label == WATERMARKED for label in labels], n_pairs)
    return Sample(before[measured], attacked.of(measured), is_marked[measured], came_back, noops)


def verified(
    attack: Attack,
    samples: Sequence[Sample],
    sample_rate: int,
    known: Callable[[Audio], Knowledge],
) -> Verification:
    """Hold the attack's claims against the clips of some blocks.

    Args:
        attack: The attack.
        samples: What the blocks gave.
        sample_rate: In Hz.
        known: What an attack knows of clips whose unmarked twins these are.

    Raises:
        AttackError: A claim is broken, or cannot be measured for a mistake of the attack.
    """
    before, is_marked = (
        np.concatenate(parts) for parts in zip(*((s.before, s.is_marked) for s in samples), strict=True)
    )
    attacked = Attacked.concatenate([each.attacked for each in samples])
    try:
        knowledge = known(_twins(samples)) if attack.needs_knowledge else None
        verification = verify(attack, before, attacked, sample_rate, is_marked=is_marked, knowledge=knowledge)
    except Exception as error:  # what measures a claim may be a plug-in's code: it takes its own cell with it
        raise AttackError(f"{attack.id} cannot be verified: {type(error).__name__}: {error}") from error
    noops = {label: np.concatenate([each.noops[label] for each in samples]) for label in samples[0].noops}
    verification = verification.with_noops(noops)
    if verification.broken:
        complaints = " ".join(verdict.complaint for verdict in verification.broken)
        raise AttackError(f"{attack.id} does not do what it claims: {complaints}")
    return verification


def _twins(samples: Sequence[Sample]) -> Audio:
    """Return the clean twin of every clip: a block's clean clips, once for each label, as all have the same pairs."""
    return np.concatenate([clip for each in samples for clip in [each.before[~each.is_marked]] * len(each.noops)])
