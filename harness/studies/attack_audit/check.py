"""What an attack claims, held against what it did to clips at hand."""

import time
from dataclasses import dataclass

from sealproof.attacks.contract.base import Attack, Attacked, AttackError
from sealproof.attacks.contract.knowledge import Knowledge
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


def check(attack: Attack, clips: Clips, seed: int) -> Checked:
    """Attack clips as a run would and hold the attack's claims against them."""
    n = len(clips.audio)
    seeds = [clip_seed(attack, seed, index) for index in range(n)]
    started = time.perf_counter()
    try:
        parts = [
            attack.perform(clips.audio[part], clips.sample_rate, seeds[part], clips.knowledge.of(part))
            for part in (slice(at, at + _TASK) for at in range(0, n, _TASK))
        ]
        ms = 1000 * (time.perf_counter() - started) / n
        attacked = Attacked.concatenate(parts)
        verification = verify(attack, clips.audio, attacked, clips.sample_rate)
    except (AttackError, DetectorError) as error:
        return Checked(attack, None, str(error))
    return Checked(attack, verification.record(), None, ms)


def clip_seed(attack: Attack, seed: int, index: int) -> int:
    """Return what an attack draws from for one of the clips."""
    return derive_seed(seed, index, attack.id)
