"""A detector as an oracle: what is asked is written as 16-bit PCM first, and every answer is counted by clip."""

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.adversarial.contract.oracle import Audio, Direction, Flags, Floats, Indices, OutOfQueriesError
from sealproof.attacks.adversarial.contract.oracle import Slope as OracleSlope
from sealproof.detectors.base import Detection, Detector, DetectorError, frames_are_probabilities
from sealproof.detectors.slopes import slope_of
from sealproof.harness.foundation.audio.files import from_pcm, to_pcm

_BLOCK = 64
"""Clips that a detector hears at a time: bounds memory."""


def heard(audio: Audio) -> Audio:
    """Return what a file of this audio holds."""
    return from_pcm(to_pcm(audio))


def detect(detector: Detector, audio: Audio) -> Detection:
    """Score what files of this audio hold, in blocks."""
    parts = [detector.detect(heard(audio[at : at + _BLOCK])) for at in range(0, len(audio), _BLOCK)]
    return Detection.concatenate(parts)


class DetectorOracle:
    """What an adversary sees of a detector under attack.

    Attributes:
        limit: Questions allowed for each clip.
        threshold: Of the score, by the rule that is attacked.
        answered: (n,) questions answered so far.
    """

    def __init__(self, detector: Detector, threshold: float, n_clips: int, limit: int) -> None:
        """Begin to count; nothing is asked yet."""
        self._detector, self._slope = detector, slope_of(detector)
        self.threshold = threshold
        self.limit = limit
        self.answered: NDArray[np.int64] = np.zeros(n_clips, np.int64)

    @property
    def has_frames(self) -> bool:
        """Whether the detector gives probabilities over time."""
        return frames_are_probabilities(self._detector)

    @property
    def has_gradient(self) -> bool:
        """Whether the detector gives gradients."""
        return self._slope is not None

    def decide(self, batch: Audio, clips: Indices) -> Flags:
        """Return (m,) whether each is flagged."""
        return np.asarray(self._asked(batch, clips).score > self.threshold)

    def score(self, batch: Audio, clips: Indices) -> Floats:
        """Return (m,) scores."""
        return self._asked(batch, clips).score.astype(np.float64)

    def frames(self, batch: Audio, clips: Indices) -> tuple[Floats, NDArray[np.float32]]:
        """Return (m,) scores and (m, t) probabilities."""
        detection = self._asked(batch, clips)
        if detection.frames is None:
            raise DetectorError(f"{self._detector.name} says that it has probabilities over time. It gives none.")
        return detection.score.astype(np.float64), detection.frames

    def gradient(self, batch: Audio, clips: Indices, direction: Direction) -> OracleSlope:
        """Return decisions, values and gradients."""
        del clips
        if self._slope is None:
            raise DetectorError(f"{self._detector.name} gives no gradients.")
        slope = self._slope(heard(batch), self.threshold, direction == "forgery")
        return OracleSlope(np.asarray(slope.score > self.threshold), slope.value, slope.gradient.astype(np.float64))

    def _asked(self, batch: Audio, clips: Indices) -> Detection:
        asked = np.bincount(clips, minlength=len(self.answered))
        if (self.answered + asked > self.limit).any():
            raise OutOfQueriesError
        self.answered += asked
        return detect(self._detector, batch)
