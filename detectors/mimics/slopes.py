"""Gradients of a mimic, from its logits."""

from collections.abc import Callable
from typing import Any

import numpy as np

from sealproof.detectors.base import Audio, DetectorError
from sealproof.detectors.mimics.keras_runtime import import_keras
from sealproof.detectors.slopes import Slope

_BLOCK = 16
"""Clips in one pass: bounds memory."""


def slopes(model: Any) -> Callable[[Audio], Slope]:
    """Return what gives values and gradients of clips with a Keras model, (n, samples) float32.

    The value is the mean over frames of l / (1 + |l|), l the logit of a frame, or of the clip where the network has one
    for it alone: probabilities are saturated, and have no slope to follow.

    Raises:
        DetectorError: The network ends in something else than a sigmoid of logits.
    """
    import tensorflow as tf

    logits = _logits(model)
    n_samples: int | None = model.input_shape[1]

    def both(waveforms: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(waveforms)
            frame_logits = logits(waveforms)
            value = tf.reduce_mean(frame_logits / (1 + tf.abs(frame_logits)), axis=1)
            total = tf.reduce_sum(value)
        return value, tape.gradient(total, waveforms), model(waveforms, training=False)[:, 0]

    block = tf.function(both, input_signature=[tf.TensorSpec((None, n_samples), tf.float32)])

    def slope(batch: Audio) -> Slope:
        heard = batch
        if n_samples is not None:
            heard = np.pad(batch[:, :n_samples], ((0, 0), (0, max(0, n_samples - batch.shape[1]))))
        parts = [block(heard[at : at + _BLOCK]) for at in range(0, len(heard), _BLOCK)]
        value, gradient, score = (np.concatenate([part[index].numpy() for part in parts]) for index in range(3))
        # What is not heard has no slope.
        whole = np.zeros_like(batch)
        common = min(batch.shape[1], gradient.shape[1])
        whole[:, :common] = gradient[:, :common]
        return Slope(score.astype(np.float32), value.astype(np.float64), whole)

    return slope


def _logits(model: Any) -> Callable[[Any], Any]:
    """Return what gives a model's logits, (n, samples) -> (n, frames) or (n, 1)."""
    keras = import_keras()
    within = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    if len(within) == 1:
        # A network of frames and, on top of it, the mean of their probabilities.
        return lambda waveforms: within[0](waveforms, training=False)
    last = model.layers[-1]
    if isinstance(last, keras.layers.Dense) and last.activation is keras.activations.sigmoid:
        below = keras.Model(model.inputs, last.input)
        return lambda waveforms: below(waveforms, training=False) @ last.kernel + last.bias
    raise DetectorError(f"The network {model.name} must end in a sigmoid of logits, or of its frames' logits.")
