"""A trained Keras model as a detector."""

from collections.abc import Callable
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from sealproof.detectors.base import Audio, Detection, DetectorError, check_batch
from sealproof.detectors.mimics.keras_runtime import import_keras
from sealproof.detectors.mimics.model_file import model_sha256
from sealproof.detectors.mimics.slopes import slopes
from sealproof.detectors.slopes import Slope

_BLOCK = 64
"""Clips in one forward pass: bounds memory."""


class Mimic:
    """A learned imitation of a detector: the probability that a clip is watermarked.

    Attributes:
        name: As in tables.
        sample_rate: 16,000 Hz.
        threshold: 0.5: the model was trained to say which class is likelier.
    """

    sample_rate = 16_000
    threshold = 0.5

    def __init__(self, path: Path, *, name: str, sha256: str) -> None:
        """Name a model; it is loaded at the first use.

        Args:
            path: A `.keras` file.
            name: As in tables.
            sha256: What `model_sha256` of the file must be.
        """
        self.name = name
        self._path = path
        self._sha256 = sha256

    @property
    def version(self) -> str:
        """What can change a score: the model's hash and tensorflow's version."""
        return f"{self._sha256[:12]}-tensorflow-{version('tensorflow')}"

    def detect(self, batch: Audio) -> Detection:
        """Score clips.

        See `forward` for clips of another length than the network takes.

        Args:
            batch: Float32 of shape (n, samples).

        Raises:
            DetectorError: The batch is no audio, or the model's file is missing or not the one that was trained.
        """
        check_batch(batch, self.name)
        return Detection(self._forward(batch))

    def slope(self, batch: Audio, threshold: float, is_to_flag: bool) -> Slope:
        """Return how the network's logits hang on the audio, whichever way: see `slopes`."""
        del threshold, is_to_flag
        check_batch(batch, self.name)
        return self._slopes(batch)

    @cached_property
    def _slopes(self) -> Callable[[Audio], Slope]:
        return slopes(self._model)

    @cached_property
    def _model(self) -> Any:
        try:
            sha256 = model_sha256(self._path)
        except OSError as error:
            raise DetectorError(
                f"The model of {self.name} cannot be read ({error}): run `sealproof train` again."
            ) from error
        if sha256 != self._sha256:
            raise DetectorError(
                f"The model {self._path} must have the sha256 of its card, {self._sha256[:12]}... "
                f"Got {sha256[:12]}...: run `sealproof train --force`."
            )
        keras = import_keras()

        return keras.models.load_model(self._path, compile=False, safe_mode=True)

    @cached_property
    def _forward(self) -> Callable[[Audio], Audio]:
        return forward(self._model)


def forward(model: Any) -> Callable[[Audio], Audio]:
    """Return what scores clips with a Keras model: (n, samples) float32 -> (n,) float32.

    A model that takes one length gets longer clips cut at the end and shorter ones padded there with zeros, as the
    study did; one that takes any length gets them as they are.
    """
    import tensorflow as tf

    n_samples: int | None = model.input_shape[1]

    block = tf.function(
        lambda waveforms: model(waveforms, training=False),
        input_signature=[tf.TensorSpec((None, n_samples), tf.float32)],
    )

    def score(batch: Audio) -> Audio:
        if n_samples is not None:
            batch = batch[:, :n_samples]
            batch = np.pad(batch, ((0, 0), (0, n_samples - batch.shape[1])))
        blocks = [block(batch[at : at + _BLOCK]).numpy()[:, 0] for at in range(0, len(batch), _BLOCK)]
        return np.concatenate(blocks)

    return score
