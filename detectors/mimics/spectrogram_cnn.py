"""A first sound mimic: log magnitudes, normalisation, Adam, early stopping, twins in one batch."""

from typing import TYPE_CHECKING

from sealproof.detectors.keras_runtime import import_keras
from sealproof.detectors.mimics.base import MimicRecipe, magnitude_spectrogram

if TYPE_CHECKING:
    import keras


class SpectrogramCnn(MimicRecipe):
    """A CNN on normalised log magnitudes that keeps the frequency axis and averages over time."""

    name = "spectrogram_cnn"
    summary = "log STFT magnitudes (512/128) normalised per clip, conv 8-16-32-64 with batch norm, Adam, early stopping"
    epochs = 30
    pair_batches = True
    patience = 5

    def build(self, n_samples: int) -> "keras.Model":
        """Make the untrained network."""
        keras = import_keras()
        from keras import layers, ops

        waveform = keras.Input((n_samples,), name="waveform")
        x = ops.log(magnitude_spectrogram(waveform, frame=512, step=128, fft=512) + 1e-3)
        # Per clip, so that loudness, which no detector should go by, is not there to be learned.
        x = x - ops.mean(x, axis=(1, 2), keepdims=True)
        x = x / (ops.std(x, axis=(1, 2), keepdims=True) + 1e-3)
        x = x[..., None]
        for filters in (8, 16, 32, 64):
            x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
            x = layers.BatchNormalization(momentum=0.9)(x)
            x = layers.ReLU()(x)
            x = layers.MaxPooling2D()(x)
        # A watermark lasts all through the clip but sits at certain frequencies: average over time only.
        x = layers.Flatten()(ops.mean(x, axis=1))
        x = layers.Dropout(0.3)(x)
        x = layers.Dense(64, activation="relu")(x)
        return keras.Model(waveform, layers.Dense(1, activation="sigmoid")(x), name=self.name)

    def optimizer(self) -> "keras.optimizers.Optimizer":
        """Adam at 0.001."""
        keras = import_keras()

        return keras.optimizers.Adam(1e-3)
