"""What an attack claims, held against what it did to clips at hand."""

import time
from dataclasses import dataclass, replace

import numpy as np

from sealproof.attacks.contract.base import Attack, Attacked, AttackError
from sealproof.attacks.contract.knowledge import Knowledge
from sealproof.attacks.testing import check_attack
from sealproof.attacks.verification.verify import verify
from sealproof.detectors.base import Audio, DetectorError
from sealproof.harness.foundation.seeds import derive_seed
from sealproof.harness.tables.attacks import Checked

_TASK = 16
"""Clips that are attacked at a time."""


@dataclass(frozen=True)
class Clips:
    """What attacks are verified on.

    Attributes:
        audio: (n, samples) float32, marked.
        sample_rate: In Hz.
        knowledge: What watermark-aware attacks know; its twins are those of `audio`.
    """

    audio: Audio
    sample_rate: int
    knowledge: Knowledge


def check(attack: Attack, clips: Clips, seed: int, *, contract: bool = False) -> Checked:
    """Attack clips and their unmarked twins as a run would, and hold the attack's claims against both.

    Args:
        attack: The attack.
        clips: What it is verified on.
        seed: Of what it draws; a clip and its twin get the same.
        contract: Also run `check_attack`, which holds it against the contract of all attacks.
    """
    n = len(clips.audio)
    before = np.concatenate([clips.knowledge.twins, clips.audio])
    knowledge = replace(clips.knowledge, twins=np.concatenate([clips.knowledge.twins] * 2))
    seeds = [clip_seed(attack, seed, index) for index in range(n)] * 2
    started = time.perf_counter()
    try:
        parts = [
            attack.perform(before[part], clips.sample_rate, seeds[part], knowledge.of(part))
            for part in (slice(at, at + _TASK) for at in range(0, 2 * n, _TASK))
        ]
        ms = 1000 * (time.perf_counter() - started) / (2 * n)
        is_marked = np.arange(2 * n) >= n
        verification = verify(
            attack,
            before,
            Attacked.concatenate(parts),
            clips.sample_rate,
            is_marked=is_marked,
            knowledge=knowledge if attack.needs_knowledge else None,
        )
    except (AttackError, DetectorError) as error:
        return Checked(attack, None, str(error))
    return Checked(attack, verification.record(), _refused(attack, clips.sample_rate) if contract else None, ms)


def _refused(attack: Attack, sample_rate: int) -> str | None:
    """Say why `check_attack` refuses an attack, or return None."""
    try:
        check_attack(attack, sample_rate)
    except AssertionError as error:
        return f"It breaks the contract of attacks: {error}"
    except Exception as error:  # a plug-in may break wherever it is looked at
        return f"It breaks the contract of attacks: {type(error).__name__}: {error}"
    return None


def clip_seed(attack: Attack, seed: int, index: int) -> int:
    """Return what an attack draws from for one of the clips."""
    return derive_seed(seed, index, attack.id)
