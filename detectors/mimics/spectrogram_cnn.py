"""A first sound mimic: log magnitudes, normalisation, Adam, early stopping, twins in one batch."""

from typing import TYPE_CHECKING, Any

from sealproof.detectors.mimics.base import ClipRecipe, magnitude_spectrogram
from sealproof.detectors.mimics.keras_runtime import import_keras

if TYPE_CHECKING:
    import keras


class SpectrogramCnn(ClipRecipe):
    """A CNN over time on normalised log magnitudes, with every frequency as a channel of its own.

    A watermark lasts all through a clip but sits at certain frequencies: filters that slide over time only may treat
    each frequency in its own way, and they are far cheaper than filters that slide over frequency too.
    """

    name = "spectrogram_cnn"
    summary = "log STFT magnitudes (1024/256) normalised per clip, 1-D conv over time 64 x 5, Adam, early stopping"
    epochs = 30
    pair_batches = True
    patience = 4

    def build(self, n_samples: int) -> "keras.Model":
        """Make the untrained network."""
        keras = import_keras()
        from keras import layers, ops

        def convolution(x: Any, kernel: int) -> Any:
            x = layers.Conv1D(64, kernel, padding="same", use_bias=False)(x)
            return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))

        waveform = keras.Input((n_samples,), name="waveform")
        x = ops.log(magnitude_spectrogram(waveform, frame=1024, step=256, fft=1024) + 1e-3)
        # Per clip, so that loudness, which no detector should go by, is not there to be learned.
        x = x - ops.mean(x, axis=(1, 2), keepdims=True)
        # The term below the root keeps the gradient of a silent clip finite.
        x = x / ops.sqrt(ops.mean(x * x, axis=(1, 2), keepdims=True) + 1e-6)
        x = convolution(x, 1)
        for _ in range(4):
            x = convolution(x, 5)
        x = ops.concatenate([ops.mean(x, axis=1), ops.max(x, axis=1)], axis=-1)
        x = layers.Dropout(0.3)(x)
        return keras.Model(waveform, layers.Dense(1, activation="sigmoid")(x), name=self.name)

    def optimizer(self) -> "keras.optimizers.Optimizer":
        """Adam at 0.001."""
        return import_keras().optimizers.Adam(1e-3)
