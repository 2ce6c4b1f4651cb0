"""What an imitator asks a detector: training clips, as they are and altered, with the detector's answers."""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.base import Attack
from sealproof.attacks.selection import load_attacks
from sealproof.detectors import get_scheme
from sealproof.detectors.base import Audio, Detection, Detector, frames_are_probabilities
from sealproof.detectors.mimics.base import FrameRecipe
from sealproof.harness.datasets.attacker_knowledge import KnowledgeBase
from sealproof.harness.datasets.dataset import Dataset, Pair
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.progress import progress
from sealproof.harness.foundation.seeds import derive_seed
from sealproof.harness.training.mimics.mixtures import mixed_clips

ACCESS = ("labels", "decisions", "scores")
"""What an imitator is told: the truth of the training clips, the detector's yes or no, or its scores over time."""

PRESET = "standard"
"""The attacks that are applied to training clips before the detector is asked."""

_NEEDS_THE_WATERMARKER = ("reembed", "collude")
"""An imitator has marked clips and a detector to ask; it cannot mark clips itself."""

MIXED_SHARE = 1 / 3
"""Of the altered clips; the others are attacked."""

_SURE_PAIRS = 100
"""Pairs from which it is learnt how far from its threshold a detector's scores usually are."""

_BLOCK = 32
"""Clips that are attacked, and that the detector scores, at a time."""


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
        truth = np.tile(np.array([0, 1], dtype=np.float32), len(pairs))
        nothing = Answers(np.zeros((0, audio.shape[1]), np.float16), np.zeros((0, n_frames), np.float32))
        return Answers(audio, np.repeat(truth[:, None], n_frames, axis=1)), nothing
    detector = get_scheme(dataset.scheme).detector
    altered = _altered(dataset, pairs, n_queries, seed)
    scale = sure_distance(detector, audio[: 2 * _SURE_PAIRS])
    return tuple(  # type: ignore[return-value]  # two of them
        Answers(clips, ask(detector, clips, access, recipe.frame, scale)) for clips in (audio, altered)
    )


def _altered(dataset: Dataset, pairs: Sequence[Pair], n: int, seed: int) -> NDArray[np.float16]:
    n_mixed = round(n * MIXED_SHARE)
    attacked, _ = attacked_queries(dataset, pairs, n - n_mixed, seed)
    clips = np.concatenate([attacked, mixed_clips(dataset, pairs, n_mixed, seed)])
    return clips[np.random.default_rng(derive_seed(seed, "query order")).permutation(n)]


def ask(detector: Detector, audio: NDArray[np.floating], access: str, frame: int, scale: float) -> NDArray[np.float32]:
    """Ask the detector about clips.

    Args:
        detector: The reference.
        audio: (n, samples) float32.
        access: `decisions` or `scores`.
        frame: Samples in a frame of the imitator.
        scale: Where the detector has no probabilities, the distance of a score from the threshold that counts as sure;
            see `sure_distance`.

    Returns:
        (n, ceil(samples / frame)) float32: for `decisions` 0 or 1, alike for all frames of a clip; for `scores` the
        detector's mean probability in each frame where it has probabilities over time, else its score as one.
    """
    n_frames = -(-audio.shape[1] // frame)
    blocks = []
    for at in progress(range(0, len(audio), _BLOCK), "asking the detector"):
        detection = detector.detect(audio[at : at + _BLOCK].astype(np.float32))
        blocks.append(_targets(detector, detection, access, audio.shape[1] / frame, scale))
    return np.concatenate(blocks) if blocks else np.zeros((0, n_frames), dtype=np.float32)


def sure_distance(detector: Detector, audio: Audio) -> float:
    """Return the median distance of the detector's scores from its threshold, on clips that nobody attacked."""
    scores = np.concatenate([detector.detect(audio[at : at + _BLOCK]).score for at in range(0, len(audio), _BLOCK)])
    distance = float(np.median(np.abs(scores - detector.threshold)))
    if distance <= 0:
        raise HarnessError(f"The scores of {detector.name} must differ from its threshold on most clips. They do not.")
    return distance


def query_attacks() -> list[Attack]:
    """Return the attacks that an imitator alters clips with: those that can be done here, and without a watermarker."""
    return [each for each in load_attacks(PRESET) if each.name not in _NEEDS_THE_WATERMARKER]


def attacked_queries(
    dataset: Dataset, pairs: Sequence[Pair], n: int, seed: int
) -> tuple[NDArray[np.float16], list[str]]:
    """Attack training clips as an imitator would, to ask the detector about them.

    Every attack of the preset gets equally many clips, half of them watermarked, drawn at random from the pairs, and
    the clips come in random order: any first part of them is a fair sample.

    Returns:
        (n, samples) float16, and the id of each clip's attack. An attack that changes the length is cut or padded with
        zeros at the end, as what is asked is one length.
    """
    attacks = query_attacks()
    per_attack = -(-n // (2 * len(attacks)))
    rng = np.random.default_rng(derive_seed(seed, "queries"))
    order = rng.permutation(2 * per_attack * len(attacks))[:n]
    place = np.full(2 * per_attack * len(attacks), -1)
    place[order] = np.arange(n)
    clips = np.zeros((n, dataset.n_samples), dtype=np.float16)
    ids = [""] * n
    at = 0
    tasks = list(_tasks(attacks, pairs, per_attack, rng))
    with ThreadPoolExecutor(2) as workers:
        knowledge = KnowledgeBase(dataset)
        done = workers.map(lambda task: _attacked(dataset, task, knowledge, seed), tasks)
        for task, audio in zip(tasks, progress(done, "attacking training clips", total=len(tasks)), strict=True):
            places = place[at : at + len(audio)]
            at += len(audio)
            kept = places >= 0
            clips[places[kept]] = audio[kept]
            for index in places[kept]:
                ids[index] = task.attack.id
    return clips, ids


@dataclass(frozen=True)
class _Task:
    attack: Attack
    pairs: Sequence[Pair]


def _tasks(
    attacks: Sequence[Attack], pairs: Sequence[Pair], per_attack: int, rng: np.random.Generator
) -> Iterator[_Task]:
    for attack in attacks:
        for start in range(0, per_attack, _BLOCK):
            drawn = rng.integers(len(pairs), size=min(_BLOCK, per_attack - start))
            yield _Task(attack, [pairs[index] for index in drawn])


def _attacked(dataset: Dataset, task: _Task, knowledge: KnowledgeBase, seed: int) -> NDArray[np.float16]:
    clean = dataset.audio([pair.clean for pair in task.pairs])
    clips = np.concatenate([clean, dataset.audio([pair.watermarked for pair in task.pairs])])
    # A clip may be drawn twice for one attack, so its place counts too.
    seeds = [
        derive_seed(seed, "query", label, place, pair.clip_id, task.attack.id)
        for label in ("clean", "watermarked")
        for place, pair in enumerate(task.pairs)
    ]
    known = knowledge.about(np.concatenate([clean, clean])) if task.attack.needs_knowledge else None
    audio = task.attack.perform(clips, dataset.facts["sample_rate"], seeds, known).audio
    fitted = audio[:, : dataset.n_samples]
    return np.pad(fitted, ((0, 0), (0, dataset.n_samples - fitted.shape[1]))).astype(np.float16)


def _targets(detector: Detector, detection: Detection, access: str, length: float, scale: float) -> NDArray[np.float32]:
    """`length` is that of the clips, in frames of the imitator."""
    if access == "decisions":
        answer = (detection.score > detector.threshold).astype(np.float32)
    elif detection.frames is not None and frames_are_probabilities(detector):
        return _mean_over(detection.frames, length)
    else:
        # 0.98 at the distance at which the detector is usually sure.
        answer = 1 / (1 + np.exp(-4 * (detection.score - detector.threshold) / scale))
    return np.repeat(answer.astype(np.float32)[:, None], math.ceil(length), axis=1)


def _mean_over(frames: NDArray[np.float32], length: float) -> NDArray[np.float32]:
    """Average (n, t) probabilities over frames of t / length each; the last one may be shorter."""
    starts = np.round(np.arange(math.ceil(length)) * frames.shape[1] / length).astype(np.intp)
    sums = np.add.reduceat(frames, starts, axis=1, dtype=np.float64)
    return (sums / np.diff([*starts, frames.shape[1]])).astype(np.float32)
