"""Cells: scheme x attack, each with the key of everything that can change one of its numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

from sealproof.attacks.contract.base import Attack
from sealproof.attacks.verification.profile import bands_sha256
from sealproof.harness.datasets.attacker_knowledge import KnowledgeBase
from sealproof.harness.datasets.content_keys import attacks_sha256
from sealproof.harness.datasets.dataset import Dataset, Pair, clips_sha256
from sealproof.harness.datasets.manifest import CLEAN, WATERMARKED
from sealproof.harness.foundation.code.identity import code_sha256
from sealproof.harness.foundation.files import sha256_json
from sealproof.harness.foundation.versions import package_versions
from sealproof.harness.matrix.quality.claims import verified
from sealproof.harness.matrix.quality.waveform import waveform_quality

_REVISION = 2
"""Raised when the run itself changes so that stored numbers no longer hold."""

_NO_EFFECT = {"pandas", "sealproof"}
"""Packages that touch no number; sealproof's own code is hashed module by module instead."""


@dataclass(frozen=True)
class Cell:
    """One attack on one dataset: attacked once, scored by every detector of the scheme.

    Attributes:
        scheme: Name of the watermark scheme.
        attack: The attack.
        seed: The run's seed.
        split: Which split's pairs are attacked.
        labels: Which of clean and watermarked clips are attacked.
        clips_sha256: Hash of the audio that is attacked.
        knowledge: Hash of what the attack knows besides the clips; empty for one that need not know more.
    """

    scheme: str
    attack: Attack
    seed: int
    split: str
    labels: tuple[str, ...]
    clips_sha256: str
    knowledge: str = ""

    @property
    def id(self) -> str:
        """Name for tests, tables and files: `spread_spectrum-mp3.64kbps`."""
        return f"{self.scheme}-{self.attack.id}"

    @cached_property
    def key(self) -> str:
        """Hash of everything that can change the attacked audio, or what is measured of it."""
        return sha256_json(
            [
                _REVISION,
                self.clips_sha256,
                self.knowledge,
                self.labels,
                self.seed,
                attacks_sha256([self.attack]),
                code_sha256(verified, waveform_quality),
                bands_sha256(),
                _environment(),
            ]
        )


def matrix(dataset: Dataset, attacks: Sequence[Attack], pairs: Sequence[Pair], *, seed: int) -> list[Cell]:
    """Return the cells of a run on the test split."""
    sha256, labels = clips_sha256(pairs), (CLEAN, WATERMARKED)
    knowledge = KnowledgeBase(dataset).sha256 if any(attack.needs_knowledge for attack in attacks) else ""
    return [
        Cell(dataset.scheme, attack, seed, "test", labels, sha256, knowledge if attack.needs_knowledge else "")
        for attack in attacks
    ]


@cache
def _environment() -> tuple[tuple[str, str], ...]:
    return tuple(sorted(item for item in package_versions().items() if item[0] not in _NO_EFFECT))
