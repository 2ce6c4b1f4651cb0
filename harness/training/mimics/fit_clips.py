"""Training a network on one label a clip, in epochs, with early stopping."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sealproof.detectors.mimics.base import ClipRecipe
from sealproof.detectors.mimics.keras_runtime import import_keras
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.datasets.manifest import WATERMARKED, Row
from sealproof.harness.foundation.progress import progress

if TYPE_CHECKING:
    import tensorflow as tf

_MIN_GAIN = 0.002
"""A validation loss lower by less than this is no progress; training on from there only sharpens the scores."""


def fit_clips(
    dataset: Dataset, files: dict[str, list[Row]], recipe: ClipRecipe, *, epochs: int, seed: int
) -> tuple[Any, dict[str, list[float]]]:
    """Train a network.

    Args:
        dataset: Where the clips are.
        files: The rows of `train` and `validation`, twin beside twin.
        recipe: The network.
        epochs: At most this many.
        seed: Decides the initial weights and the order of the clips.

    Returns:
        The network, and the losses and accuracies of every epoch.
    """
    keras = import_keras()

    keras.utils.set_random_seed(seed)
    model = recipe.build(dataset.n_samples)
    model.compile(recipe.optimizer(), loss="binary_crossentropy", metrics=["accuracy"])
    callbacks: list[Any] = []
    if recipe.patience is not None:
        callbacks.append(
            keras.callbacks.EarlyStopping(
                "val_loss", min_delta=_MIN_GAIN, patience=recipe.patience, restore_best_weights=True
            )
        )
    training = _batches(dataset.root, files["train"], recipe, seed)
    validation = _batches(dataset.root, files["validation"], recipe, None)
    n_steps = epochs * -(-len(files["train"]) // recipe.batch_size)
    callbacks.append(_progress_callback(n_steps, f"training {recipe.name}"))
    history = model.fit(
        training, validation_data=validation, epochs=epochs, callbacks=callbacks, shuffle=False, verbose=0
    )
    curves = {name: [float(value) for value in values] for name, values in history.history.items()}
    return model, {"epoch": [float(epoch + 1) for epoch in history.epoch], **curves}


def _progress_callback(n_steps: int, what: str) -> Any:
    """Return a callback that moves a bar on by one for every training step.

    It also makes Keras wait for each step. Without a callback per step it queues them all, and on two cores the queued
    steps get in each other's way: an epoch then takes twice as long.
    """
    steps = iter(progress(range(n_steps), what))

    def advance(batch: int, logs: dict[str, float]) -> None:
        next(steps, None)

    return import_keras().callbacks.LambdaCallback(on_train_batch_end=advance)


def _batches(root: Path, rows: list[Row], recipe: ClipRecipe, seed: int | None) -> "tf.data.Dataset":
    """Stream (waveforms, labels) batches from the WAVs; `seed` None keeps the order."""
    import tensorflow as tf

    paths = np.array([str(root / row.path) for row in rows])
    labels = np.array([row.label == WATERMARKED for row in rows], dtype=np.float32)
    if not recipe.pair_batches:
        order = np.random.default_rng(seed).permutation(len(rows)) if seed is not None else np.arange(len(rows))
        files = tf.data.Dataset.from_tensor_slices((paths[order], labels[order])).map(_read, tf.data.AUTOTUNE)
        return files.batch(recipe.batch_size).cache().prefetch(tf.data.AUTOTUNE)
    twins = tf.data.Dataset.from_tensor_slices((paths.reshape(-1, 2), labels.reshape(-1, 2)))
    if seed is not None:
        twins = twins.shuffle(len(rows) // 2, seed=seed, reshuffle_each_iteration=True)
    files = twins.unbatch().map(_read, tf.data.AUTOTUNE)
    return files.batch(recipe.batch_size).prefetch(tf.data.AUTOTUNE)


def _read(path: "tf.Tensor", label: "tf.Tensor") -> "tuple[tf.Tensor, tf.Tensor]":
    import tensorflow as tf

    return tf.audio.decode_wav(tf.io.read_file(path))[0][:, 0], label
