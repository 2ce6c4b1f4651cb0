"""Subjects: the detectors under test, each with a version that stands for all that can change its scores."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from sealproof.detectors.base import Detector, Scheme, require_sample_rate
from sealproof.detectors.mimics.mimic import Mimic
from sealproof.harness.datasets.content_keys import scheme_sha256
from sealproof.harness.foundation.audio.files import SAMPLE_RATE
from sealproof.harness.foundation.code.identity import code_sha256
from sealproof.harness.foundation.files import sha256_json
from sealproof.harness.matrix.cell import Cell
from sealproof.harness.matrix.scoring import score
from sealproof.harness.training.mimics.trained import TrainedMimic


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
        return sha256_json([cell.key, self.name, self.version, code_sha256(score)])


def subjects_of(scheme: Scheme, mimics: Sequence[TrainedMimic]) -> list[Subject]:
    """Return a scheme's reference detector and its mimics as subjects; leaky mimics are no subjects."""
    reference_version = f"{scheme.version}+{scheme_sha256(scheme)[:12]}"

    def load() -> Detector:
        require_sample_rate(scheme.name, "detector", scheme.detector.sample_rate, SAMPLE_RATE)
        return scheme.detector

    subjects = [Subject(scheme.name, "reference", reference_version, load)]
    for mimic in mimics:
        if not mimic.is_leaky:
            version = f"{mimic.detector().version}+{code_sha256(Mimic)[:12]}"
            subjects.append(Subject(mimic.name, "mimic", version, cache(mimic.detector)))
    return subjects
