"""What watermark-aware attacks know in a run: other recordings of the dataset, and watermarkers."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property

import numpy as np

from sealproof.attacks.contract.errors import AttackError
from sealproof.attacks.contract.knowledge import EmbedFunction, Knowledge
from sealproof.detectors import get_scheme
from sealproof.detectors.base import Audio, Scheme, UnavailableError, Watermarker, check_marked
from sealproof.harness.corpora.base import interleave_groups
from sealproof.harness.datasets.content_keys import scheme_sha256
from sealproof.harness.datasets.dataset import Dataset, Pair, clips_sha256
from sealproof.harness.foundation.files import sha256_json
from sealproof.harness.foundation.seeds import derive_seed

N_OTHERS = 16
"""Other recordings that an attack draws from, of as many groups as there are."""

_SCHEMES = ("spread_spectrum", "perth")
"""Schemes that need no weights from elsewhere, to mark audio over."""


@dataclass(frozen=True)
class KnowledgeBase:
    """Reads what the attacks may know when the first of them asks.

    The other recordings are training clips, so that no clip under test is ever told of.

    Attributes:
        dataset: The dataset whose clips are attacked.
    """

    dataset: Dataset
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @cached_property
    def sha256(self) -> str:
        """Hash of what is known: the recordings that attacks draw from, and whose watermarks they add."""
        schemes = [
            (scheme.name, _version(scheme), scheme_sha256(scheme)) for scheme in known_schemes(self.dataset.scheme)
        ]
        return sha256_json([schemes, clips_sha256(other_recordings(self.dataset))])

    def about(self, twins: Audio) -> Knowledge:
        """Return what is known when clips with these twins, shape (n, samples), are attacked.

        Raises:
            sealproof.attacks.contract.errors.AttackError: The dataset has no training clips to draw from.
            sealproof.detectors.base.DetectorError: A scheme cannot run here.
        """
        with self._lock:
            clean, marked = self._others
            return Knowledge(twins, clean, marked, self._watermarkers)

    @cached_property
    def _others(self) -> tuple[Audio, Audio]:
        chosen = other_recordings(self.dataset)
        if not chosen:
            raise AttackError(
                f"A watermark-aware attack needs training clips to draw from. {self.dataset.root} has none."
            )
        return self.dataset.audio([pair.clean for pair in chosen]), self.dataset.audio(
            [pair.watermarked for pair in chosen]
        )

    @cached_property
    def _watermarkers(self) -> Mapping[str, EmbedFunction]:
        return watermarkers(self.dataset.scheme)


def other_recordings(dataset: Dataset) -> list[Pair]:
    """Return the pairs that attacks draw from; none where the dataset has no training clips."""
    pairs = dataset.split("train")
    order = interleave_groups([pair.group for pair in pairs], derive_seed(dataset.sha256, "others"))
    return [pairs[index] for index in sorted(order[:N_OTHERS])]


def known_schemes(scheme: str) -> list[Scheme]:
    """Return the schemes that an attacker of a scheme can mark with, that scheme first."""
    return [get_scheme(name) for name in (scheme, *_SCHEMES)]


def _version(scheme: Scheme) -> str:
    try:
        return scheme.version
    except UnavailableError as error:
        # One that is not installed takes those cells with it that mark with it, and not the whole run.
        return f"not here: {error}"


def watermarkers(scheme: str) -> dict[str, EmbedFunction]:
    """Return what an attacker of a scheme can mark with: the scheme itself as `same`, and others by name."""
    return {"same": _watermarker(scheme), **{name: _watermarker(name) for name in _SCHEMES}}


def _watermarker(scheme_name: str) -> EmbedFunction:
    lock = threading.Lock()

    @cache
    def watermarker() -> Watermarker:
        return get_scheme(scheme_name).watermarker

    def mark(batch: Audio, seeds: Sequence[int]) -> Audio:
        with lock:  # a scheme loads its networks at its first call
            message_bits = watermarker().message_bits
            # Alone, as a network's last digits depend on the batch.
            marked = []
            for clip, seed in zip(batch, seeds, strict=True):
                message = np.random.default_rng(seed).integers(0, 2, (1, message_bits), np.uint8)
                marked.append(watermarker().embed(clip[None], message))
                check_marked(marked[-1], clip[None], scheme_name)
        return np.concatenate(marked) if marked else batch.copy()

    return mark
