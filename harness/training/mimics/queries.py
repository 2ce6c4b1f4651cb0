"""What an imitator asks a detector: training clips, as they are and altered, with the detector's answers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealproof.detectors import get_scheme
from sealproof.detectors.base import Audio, Detector, frames_are_probabilities, listen
from sealproof.detectors.mimics.base import FrameRecipe
from sealproof.harness.datasets.dataset import Dataset, Pair
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.progress import progress
from sealproof.harness.training.mimics.altered import altered_clips

ACCESS = ("labels", "decisions", "clip_scores", "scores")
"""What an imitator is told: the truth of the clips, the detector's yes or no, its score, or its scores over time."""

_SURE_PAIRS = 100
"""Pairs from which it is learnt how far from its threshold a detector's scores usually are."""

_BLOCK = 32
"""Clips that the detector scores at a time."""


@dataclass(frozen=True)
class Answers:
    """Clips and what the detector says of them.

    Attributes:
        audio: (n, samples); float16 for altered clips, which halves the memory and is finer than 16-bit PCM wherever
            the audio is soft.
        targets: (n, frames) float32, the probability that each frame is watermarked.
    """

    audio: NDArray[np.floating]
    targets: NDArray[np.float32]

    def first(self, n: int) -> "Answers":
        """Return the first n of them."""
        return Answers(self.audio[:n], self.targets[:n])


@dataclass(frozen=True)
class Replies:
    """What the detector says of clips, in every form that an imitator may be told it.

    Attributes:
        decisions: (n,) its yes or no.
        clip_scores: (n,) float32, its score as a probability: 0.5 at its threshold.
        scores: (n, frames) float32, its mean probability in each frame where it has probabilities over time, else its
            score, alike for all frames.
    """

    decisions: NDArray[np.bool_]
    clip_scores: NDArray[np.float32]
    scores: NDArray[np.float32]

    def targets(self, access: str) -> NDArray[np.float32]:
        """Return what is learnt from, (n, frames): the answers of an access level but `labels`."""
        if access == "scores":
            return self.scores
        answers = self.decisions if access == "decisions" else self.clip_scores
        return over_frames(answers, self.scores.shape[1])

    def first(self, n: int) -> "Replies":
        """Return the first n of them."""
        return self.chosen(slice(n))

    def chosen(self, which: NDArray[np.intp] | slice) -> "Replies":
        """Return some of them."""
        return Replies(self.decisions[which], self.clip_scores[which], self.scores[which])


def over_frames(answers: NDArray[np.generic], n_frames: int) -> NDArray[np.float32]:
    """Say the same of every frame: (n,) to (n, frames)."""
    return np.repeat(answers.astype(np.float32)[:, None], n_frames, axis=1)


def gather_answers(
    dataset: Dataset, pairs: Sequence[Pair], recipe: FrameRecipe, access: str, n_queries: int, seed: int
) -> tuple[Answers, Answers]:
    """Return what an imitator of an access level learns from.

    Args:
        dataset: Where the clips are.
        pairs: Training pairs.
        recipe: Whose frames the targets are for.
        access: One of `ACCESS`.
        n_queries: Altered clips, two of three attacked and one mixed with other music; none with `labels`.
        seed: Decides which clips are altered by what.

    Returns:
        The pairs' clips, twin beside twin, with the truth (`labels`) or the detector's answers; and the altered clips
        with the detector's answers, in random order: any first part of them is a fair sample.
    """
    audio = dataset.audio([row for pair in pairs for row in (pair.clean, pair.watermarked)])
    n_frames = -(-audio.shape[1] // recipe.frame)
    if access == "labels":
        nothing = Answers(np.zeros((0, audio.shape[1]), np.float16), np.zeros((0, n_frames), np.float32))
        return Answers(audio, over_frames(np.tile([False, True], len(pairs)), n_frames)), nothing
    detector = get_scheme(dataset.scheme).detector
    altered = altered_clips(dataset, pairs, n_queries, seed).audio
    scale = sure_distance(detector, audio[: 2 * _SURE_PAIRS])
    return tuple(  # type: ignore[return-value]  # two of them
        Answers(clips, ask(detector, clips, recipe.frame, scale).targets(access)) for clips in (audio, altered)
    )


def ask(detector: Detector, audio: NDArray[np.floating], frame: int, scale: float) -> Replies:
    """Ask the detector about clips.

    Args:
        detector: The reference.
        audio: (n, samples) float32.
        frame: Samples in a frame of the imitator.
        scale: Distance of a score from the threshold that counts as sure; see `sure_distance`.
    """
    n_frames = -(-audio.shape[1] // frame)
    has_frames = frames_are_probabilities(detector)
    score, frames = np.empty(len(audio), np.float32), np.empty((len(audio), n_frames), np.float32)
    for at in progress(range(0, len(audio), _BLOCK), "asking the detector"):
        part = slice(at, at + _BLOCK)
        detection = listen(detector, audio[part].astype(np.float32))
        score[part] = detection.score
        if has_frames and detection.frames is not None:
            frames[part] = _mean_over(detection.frames, audio.shape[1] / frame)
    # 0.98 at the distance at which the detector is usually sure.
    sure = (1 / (1 + np.exp(-4 * (score - detector.threshold) / scale))).astype(np.float32)
    return Replies(score > detector.threshold, sure, frames if has_frames else over_frames(sure, n_frames))


def sure_distance(detector: Detector, audio: Audio) -> float:
    """Return the median distance of the detector's scores from its threshold, on clips that nobody attacked."""
    scores = np.concatenate([listen(detector, audio[at : at + _BLOCK]).score for at in range(0, len(audio), _BLOCK)])
    distance = float(np.median(np.abs(scores - detector.threshold)))
    if distance <= 0:
        raise HarnessError(f"The scores of {detector.name} must differ from its threshold on most clips. They do not.")
    return distance


def _mean_over(frames: NDArray[np.float32], length: float) -> NDArray[np.float32]:
    """Average (n, t) probabilities over frames of t / length each; the last one may be shorter."""
    starts = np.round(np.arange(math.ceil(length)) * frames.shape[1] / length).astype(np.intp)
    sums = np.add.reduceat(frames, starts, axis=1, dtype=np.float64)
    return (sums / np.diff([*starts, frames.shape[1]])).astype(np.float32)
