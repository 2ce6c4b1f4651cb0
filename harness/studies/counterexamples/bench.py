"""Where chains are tried: clips of a split, attacked as a run would, and the rate that is left."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks import get_attack
from sealproof.attacks.contract.base import Attack
from sealproof.detectors.base import Audio, Detector
from sealproof.harness.datasets.attacker_knowledge import KnowledgeBase
from sealproof.harness.datasets.dataset import Dataset, Pair, clips_sha256
from sealproof.harness.datasets.manifest import CLEAN, WATERMARKED
from sealproof.harness.matrix.attacking import attack_pairs
from sealproof.harness.matrix.cell import Cell
from sealproof.harness.matrix.quality.waveform import log_spectral_distance_db
from sealproof.harness.studies.counterexamples.request import DETECTION

_BLOCK = 32


class Trial:
    """Tries attacks on the pairs of a split.

    Attributes:
        n_runs: How many were tried, each once.
        pairs: Those they are tried on: marked clips that are detected unattacked.
    """

    def __init__(
        self, dataset: Dataset, split: str, pairs: Sequence[Pair], detectors: Sequence[Detector], of: str, seed: int
    ) -> None:
        """Choose the pairs that count; the detector is asked about each once.

        Args:
            dataset: Where the clips are.
            split: Whose pairs these are.
            pairs: The pairs.
            detectors: The reference, and a mimic where agreement is what is looked at.
            of: What is looked at.
            seed: Of the attacks.
        """
        self._dataset, self._split, self._detectors, self._of, self._seed = dataset, split, detectors, of, seed
        self._knowledge = KnowledgeBase(dataset)
        self._workers = ThreadPoolExecutor(1)
        self._results: dict[str, tuple[NDArray[np.bool_], float]] = {}
        self.pairs = tuple(pairs)
        kept = self._hits(get_attack("identity"))[0]
        if of == DETECTION:
            self.pairs = tuple(pair for pair, hit in zip(self.pairs, kept, strict=True) if hit)
        self._results.clear()
        self.n_runs = 0

    def hits(self, attack: Attack) -> NDArray[np.bool_]:
        """Return which clips are still right under an attack: detected, or agreed about."""
        return self._known(attack)[0]

    def rate(self, attack: Attack) -> float:
        """Return their share."""
        return float(self.hits(attack).mean())

    def lsd_db(self, attack: Attack) -> float:
        """Return the median log-spectral distance that an attack makes; 0 where it moves audio in time."""
        return self._known(attack)[1]

    def has_tried(self, attack: Attack) -> bool:
        """Say whether an attack was tried already: to ask again costs nothing."""
        return attack.id in self._results

    def _known(self, attack: Attack) -> tuple[NDArray[np.bool_], float]:
        if attack.id not in self._results:
            self.n_runs += 1
            self._results[attack.id] = self._hits(attack)
        return self._results[attack.id]

    def _hits(self, attack: Attack) -> tuple[NDArray[np.bool_], float]:
        cell = Cell(
            self._dataset.scheme, attack, self._seed, self._split, (CLEAN, WATERMARKED), clips_sha256(self.pairs)
        )
        attacked = attack_pairs(self._dataset, self._knowledge, cell, self.pairs, self._workers)
        before, after = attacked.before, attacked.after.audio
        flagged = [_flagged(detector, after) for detector in self._detectors]
        n = len(self.pairs)
        is_detection = self._of == DETECTION
        hits = flagged[0][n:] if is_detection else (flagged[0] == flagged[1]).reshape(2, n).all(axis=0)
        is_measured = attack.keeps_alignment and after.shape == before.shape
        rate = int(self._dataset.facts["sample_rate"])
        distance = float(np.median(log_spectral_distance_db(before[n:], after[n:], rate))) if is_measured else 0.0
        return hits, distance


def _flagged(detector: Detector, audio: Audio) -> NDArray[np.bool_]:
    blocks = [detector.detect(audio[at : at + _BLOCK].copy()).score for at in range(0, len(audio), _BLOCK)]
    return np.asarray(np.concatenate(blocks) > detector.threshold)
