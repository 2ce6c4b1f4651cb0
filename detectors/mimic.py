"""A trained Keras model as a detector."""

import hashlib
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from sealproof.detectors.base import Audio, Detection, DetectorError, check_batch
from sealproof.detectors.keras_runtime import import_keras

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
            sha256: What the file's hash must be.
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

        The network takes one length; longer clips are cut at the end and shorter ones are padded there with zeros, as
        the study did.

        Args:
            batch: Float32 of shape (n, samples).

        Raises:
            DetectorError: The batch is no audio, or the model's file is missing or not the one that was trained.
        """
        check_batch(batch, self.name)
        n_samples: int = self._model.input_shape[1]
        fitted = batch[:, :n_samples]
        fitted = np.pad(fitted, ((0, 0), (0, n_samples - fitted.shape[1])))
        scores = [self._forward(fitted[first : first + _BLOCK]) for first in range(0, len(fitted), _BLOCK)]
        return Detection(np.concatenate(scores))

    @cached_property
    def _model(self) -> Any:
        try:
            content = self._path.read_bytes()
        except OSError as error:
            msg = f"The model of {self.name} cannot be read ({error}): run `sealproof train` again."
            raise DetectorError(msg) from error
        found = hashlib.sha256(content).hexdigest()
        if found != self._sha256:
            msg = (
                f"The model {self._path} must have the sha256 of its card, {self._sha256[:12]}... "
                f"Got {found[:12]}...: run `sealproof train --force`."
            )
            raise DetectorError(msg)
        keras = import_keras()

        return keras.models.load_model(self._path, compile=False, safe_mode=True)

    @cached_property
    def _function(self) -> Any:
        import tensorflow as tf

        model = self._model
        signature = tf.TensorSpec((None, model.input_shape[1]), tf.float32)

        def forward(waveforms: Any) -> Any:
            return model(waveforms, training=False)

        return tf.function(forward, input_signature=[signature])

    def _forward(self, waveforms: Audio) -> Audio:
        scores: Audio = self._function(waveforms).numpy()[:, 0]
        return scores
