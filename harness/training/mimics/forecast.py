"""What training a mimic will take, told before it begins: questions to the reference, and time."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sealproof.detectors import get_scheme
from sealproof.detectors.base import listen
from sealproof.detectors.mimics import get_mimic_recipe
from sealproof.detectors.mimics.base import ClipRecipe, FrameRecipe
from sealproof.detectors.mimics.keras_runtime import import_keras
from sealproof.harness.datasets.dataset import Dataset, Pair
from sealproof.harness.training.mimics.altered import MIXED_EVERY, attacked_clips, query_attacks
from sealproof.harness.training.mimics.fit_frames import fit_frames
from sealproof.harness.training.mimics.mixtures import mixed_clips
from sealproof.harness.training.mimics.queries import Answers
from sealproof.harness.training.mimics.train import TrainRequest, files_of, steps_of

_ASKED = 32
"""Clips that the detector is tried on, and mixtures that are tried."""

_WARM, _TIMED = 2, 6
"""Training steps before the clock starts, and steps by the clock."""

_VALIDATING = 1 / 3
"""What a clip costs in validation, against one that is learned from: no gradient is computed."""


@dataclass(frozen=True)
class Forecast:
    """What a training will take.

    Attributes:
        labels: Training clips whose truth the mimic is told.
        queries: Clips about which the reference is asked.
        altering_s: Seconds for attacking and mixing them, about.
        asking_s: Seconds for asking, about.
        learning_s: Seconds for the training steps, about.
        may_stop: Training ends early where nothing is gained any more: it takes so long at most.
    """

    labels: int
    queries: int
    altering_s: float
    asking_s: float
    learning_s: float
    may_stop: bool

    def text(self) -> str:
        """Write it as a sentence."""
        total = self.altering_s + self.asking_s + self.learning_s
        most = "at most " if self.may_stop else ""
        if not self.queries:
            return f"learns from {self.labels:,} labels and asks nothing; {most}about {_duration(total)}"
        parts = (("altering clips", self.altering_s), ("asking", self.asking_s), ("learning", self.learning_s))
        times = ", ".join(f"{name} {_duration(seconds)}" for name, seconds in parts)
        return f"asks the detector about {self.queries:,} clips; {most}about {_duration(total)} ({times})"


def forecast(dataset: Dataset, request: TrainRequest) -> Forecast:
    """Try a little of everything that a training does, and reckon up what all of it takes.

    Raises:
        sealproof.detectors.base.DetectorError: The name is unknown, or the scheme cannot run here.
        HarnessError: The dataset cannot be read.
    """
    recipe, pairs = get_mimic_recipe(request.mimic), dataset.split("train")
    if isinstance(recipe, ClipRecipe):
        files = files_of(dataset, request)
        n_train, n_other = len(files["train"]), len(files["validation"])
        epochs = request.epochs or recipe.epochs
        steps = epochs * (n_train + _VALIDATING * n_other) / recipe.batch_size
        seconds = steps * _clip_step_s(dataset, recipe)
        return Forecast(n_train, 0, 0.0, 0.0, seconds, may_stop=recipe.patience is not None)
    assert isinstance(recipe, FrameRecipe)  # noqa: S101 - there are two kinds
    learning_s = steps_of(recipe, request, len(pairs)) * _frame_step_s(dataset, pairs, recipe)
    if recipe.access == "labels":
        return Forecast(2 * len(pairs), 0, 0.0, 0.0, learning_s, may_stop=False)
    n_asked = 2 * len(pairs) + recipe.queries
    return Forecast(
        0,
        n_asked,
        _altering_s(dataset, pairs, recipe.queries, request.seed),
        n_asked * _asking_s(dataset, pairs),
        learning_s,
        may_stop=False,
    )


def _altering_s(dataset: Dataset, pairs: Sequence[Pair], n: int, seed: int) -> float:
    """Seconds for `n` altered clips, from a clip and its twin under every attack and a few mixtures."""
    tried = 2 * len(query_attacks())
    n_mixed = n // MIXED_EVERY
    attacking_s = _seconds(lambda: attacked_clips(dataset, pairs, tried, seed)) / tried
    mixing_s = _seconds(lambda: mixed_clips(dataset, pairs, _ASKED, seed)) / _ASKED
    return (n - n_mixed) * attacking_s + n_mixed * mixing_s


def _asking_s(dataset: Dataset, pairs: Sequence[Pair]) -> float:
    """Seconds that the detector takes for a clip, once it is loaded."""
    detector = get_scheme(dataset.scheme).detector
    audio = dataset.audio([row for pair in pairs[: _ASKED // 2] for row in (pair.clean, pair.watermarked)])
    listen(detector, audio)
    return _seconds(lambda: listen(detector, audio)) / len(audio)


def _clip_step_s(dataset: Dataset, recipe: ClipRecipe) -> float:
    import_keras()
    model = recipe.build(dataset.n_samples)
    model.compile(recipe.optimizer(), loss="binary_crossentropy", metrics=["accuracy"])
    batch = np.zeros((recipe.batch_size, dataset.n_samples), dtype=np.float32)
    truth = np.zeros((recipe.batch_size, 1), dtype=np.float32)

    def steps(n: int) -> None:
        for _ in range(n):
            model.train_on_batch(batch, truth)

    steps(_WARM)
    return _seconds(lambda: steps(_TIMED)) / _TIMED


def _frame_step_s(dataset: Dataset, pairs: Sequence[Pair], recipe: FrameRecipe) -> float:
    n_frames = -(-dataset.n_samples // recipe.frame)

    def silence(n: int) -> Answers:
        return Answers(np.zeros((n, dataset.n_samples), dtype=np.float32), np.zeros((n, n_frames), dtype=np.float32))

    twins = silence(2 * min(recipe.pairs_per_step, len(pairs)))
    queries = silence(recipe.queries_per_step)

    def training_s(steps: int) -> float:
        return _seconds(lambda: fit_frames(recipe, twins, queries, steps=steps, seed=0))

    # What is compiled first is in both.
    return max(0.0, training_s(_WARM + _TIMED) - training_s(_WARM)) / _TIMED


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _duration(seconds: float) -> str:
    """Write a time that is known to a third or so."""
    if seconds < 90:
        return f"{max(1, round(seconds)):,} s"
    return f"{round(seconds / 60):,} min" if seconds < 90 * 60 else f"{seconds / 3600:,.1f} h"
