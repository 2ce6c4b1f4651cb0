"""Cells: scheme x attack, each with the key of everything that can change one of its numbers."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from sealproof.attacks.base import Attack
from sealproof.detectors.base import Detector, Scheme
from sealproof.detectors.mimic import Mimic
from sealproof.harness.dataset import Dataset, Pair
from sealproof.harness.files import sha256_file, sha256_json
from sealproof.harness.knowledge import known_schemes, other_recordings
from sealproof.harness.manifest import CLEAN, WATERMARKED
from sealproof.harness.train_mimic import TrainedMimic
from sealproof.harness.versions import package_versions

_REVISION = 2
"""Raised when the run itself changes so that stored numbers no longer hold."""

_NO_EFFECT = {"pandas", "sealproof"}
"""Packages that touch no number; sealproof's own code is hashed file by file instead."""


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
        """Hash of everything that can change the attacked audio."""
        return sha256_json(
            [
                _REVISION,
                self.clips_sha256,
                self.knowledge,
                self.labels,
                self.attack.id,
                self.seed,
                _code(type(self.attack)),
                _environment(),
            ]
        )


@dataclass(frozen=True)
class Subject:
    """A detector under test.

    Attributes:
        name: As in tables: the scheme's name for its reference detector, or the mimic's.
        role: `reference` or `mimic`.
        version: Everything that can change its scores.
        load: Returns the detector; called only when there is something to score, as it may import torch or tensorflow.
    """

    name: str
    role: str
    version: str
    load: Callable[[], Detector]

    def key(self, cell: Cell) -> str:
        """Hash of everything that can change its scores in a cell."""
        return sha256_json([cell.key, self.name, self.version])


def subjects_of(scheme: Scheme, mimics: Sequence[TrainedMimic]) -> list[Subject]:
    """Return a scheme's reference detector and its mimics as subjects; leaky mimics are no subjects."""
    reference_version = f"{scheme.version}+{_code(type(scheme))[:12]}"
    subjects = [Subject(scheme.name, "reference", reference_version, lambda: scheme.detector)]
    for mimic in mimics:
        if not mimic.is_leaky:
            version = f"{mimic.detector().version}+{_code(Mimic)[:12]}"
            subjects.append(Subject(mimic.name, "mimic", version, cache(mimic.detector)))
    return subjects


def clips_sha256(pairs: Sequence[Pair]) -> str:
    """Hash which audio is attacked, and under which ids: the ids seed the attacks."""
    return sha256_json([(pair.clip_id, pair.clean.sha256, pair.watermarked.sha256) for pair in pairs])


def matrix(dataset: Dataset, attacks: Sequence[Attack], pairs: Sequence[Pair], *, seed: int) -> list[Cell]:
    """Return the cells of a run on the test split."""
    sha256, labels = clips_sha256(pairs), (CLEAN, WATERMARKED)
    knowledge = knowledge_sha256(dataset) if any(attack.needs_knowledge for attack in attacks) else ""
    return [
        Cell(dataset.scheme, attack, seed, "test", labels, sha256, knowledge if attack.needs_knowledge else "")
        for attack in attacks
    ]


def knowledge_sha256(dataset: Dataset) -> str:
    """Hash what watermark-aware attacks know: the recordings they draw from, and whose watermarks they add."""
    schemes = [(scheme.name, scheme.version, _code(type(scheme))) for scheme in known_schemes(dataset.scheme)]
    return sha256_json([schemes, clips_sha256(other_recordings(dataset))])


def params_text(params: Mapping[str, object]) -> str:
    """Write parameters as `name=value` joined by `;`; a whole number has no decimals, as in ids."""
    texts = {name: f"{value:.12g}" if isinstance(value, float) else str(value) for name, value in params.items()}
    return ";".join(f"{name}={text}" for name, text in texts.items())


@cache
def _code(cls: type) -> str:
    """Hash the code behind a class, so that changed code is never hidden by stored numbers.

    That is every file of its package, as a class rests on the files beside its own; of a module outside any package it
    is the one file.
    """
    module = sys.modules[cls.__module__]
    if not module.__package__ or module.__file__ is None:
        return sha256_file(Path(module.__file__)) if module.__file__ else f"{cls.__module__}.{cls.__qualname__}"
    folders = [Path(folder) for folder in sys.modules[module.__package__].__path__]
    files = sorted(path for folder in folders for path in folder.glob("*.py"))
    return sha256_json([(path.name, sha256_file(path)) for path in files])


@cache
def _environment() -> tuple[tuple[str, str], ...]:
    return tuple(sorted(item for item in package_versions().items() if item[0] not in _NO_EFFECT))
