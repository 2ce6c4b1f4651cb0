"""Training a network that gives every frame a probability: twins as they are, and what the detector answered."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealproof.detectors.base import Audio
from sealproof.detectors.mimics.base import FrameRecipe
from sealproof.detectors.mimics.keras_runtime import import_keras
from sealproof.harness.foundation.progress import progress
from sealproof.harness.training.mimics.queries import Answers

_REPORT_EVERY = 250
"""Steps between two lines of the history."""

_CLIPNORM = 1.0

History = dict[str, list[float]]
"""A column each, a line for each few hundred steps."""


def fit_frames(
    recipe: FrameRecipe,
    twins: Answers,
    queries: Answers,
    *,
    steps: int,
    seed: int,
    validate: Callable[[Any], dict[str, float]] | None = None,
) -> tuple[Any, History]:
    """Train a network.

    Args:
        recipe: The network.
        twins: Clips (2 n, samples), each clean one followed by its watermarked twin, and their frames' targets.
        queries: Altered clips and the detector's answers; none for the access level `labels`.
        steps: Training steps.
        seed: Decides the initial weights and which clips are drawn.
        validate: Returns numbers for the history, given the whole network.

    Returns:
        The whole network, and loss and validation by step.
    """
    import tensorflow as tf

    keras = import_keras()
    keras.utils.set_random_seed(seed)
    frames = recipe.frames()
    optimizer = keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(recipe.peak_rate, steps), global_clipnorm=_CLIPNORM
    )
    optimizer.build(frames.trainable_variables)
    n_samples = twins.audio.shape[1]
    n_frames = twins.targets.shape[1]

    def step(waveforms: Any, targets: Any) -> Any:
        with tf.GradientTape() as tape:
            logits = frames(waveforms, training=True)
            loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits))
        gradients = tape.gradient(loss, frames.trainable_variables)
        optimizer.apply_gradients(zip(gradients, frames.trainable_variables, strict=True))
        return loss

    signature = [tf.TensorSpec((None, n_samples), tf.float32), tf.TensorSpec((None, n_frames), tf.float32)]
    compiled = tf.function(step, input_signature=signature)
    model = recipe.whole(frames)
    batches = _Batches(recipe, twins, queries, seed)
    history: History = {"step": [], "loss": []}
    losses: list[float] = []
    for number in progress(range(1, steps + 1), f"training {recipe.name}"):
        losses.append(float(compiled(*batches.draw())))
        if number % _REPORT_EVERY == 0 or number == steps:
            values = {"step": float(number), "loss": math.fsum(losses) / len(losses)}
            values |= validate(model) if validate is not None else {}
            for name, value in values.items():
                history.setdefault(name, []).append(value)
            losses.clear()
    return model, history


class _Batches:
    """Draws training steps; every clip comes up once before any comes up again."""

    def __init__(self, recipe: FrameRecipe, twins: Answers, queries: Answers, seed: int) -> None:
        self._twins, self._queries = twins, queries
        self._rng = np.random.default_rng(seed)
        self._pairs = _Deck(len(twins.audio) // 2, self._rng)
        self._asked = _Deck(len(queries.audio), self._rng)
        self._n_pairs = min(recipe.pairs_per_step, len(twins.audio) // 2)
        self._n_queries = min(recipe.queries_per_step, len(queries.audio))

    def draw(self) -> tuple[Audio, NDArray[np.float32]]:
        pairs = self._pairs.draw(self._n_pairs)
        both = np.stack([2 * pairs, 2 * pairs + 1], axis=1).ravel()
        asked = self._asked.draw(self._n_queries)
        audio = np.concatenate([self._twins.audio[both], self._queries.audio[asked].astype(np.float32)])
        return audio.astype(np.float32, copy=False), np.concatenate(
            [self._twins.targets[both], self._queries.targets[asked]]
        )


class _Deck:
    """Numbers below n, dealt from a shuffled deck that is shuffled anew when it runs out."""

    def __init__(self, n: int, rng: np.random.Generator) -> None:
        self._n, self._rng = n, rng
        self._left = np.zeros(0, dtype=np.intp)

    def draw(self, count: int) -> NDArray[np.intp]:
        while len(self._left) < count:
            self._left = np.concatenate([self._left, self._rng.permutation(self._n)])
        drawn, self._left = self._left[:count], self._left[count:]
        return drawn
