"""The network of the Breaking-AudioSeal-Watermark study, as the baseline."""

from typing import TYPE_CHECKING

from sealproof.detectors.mimics.base import ClipRecipe, magnitude_spectrogram
from sealproof.detectors.mimics.keras_runtime import import_keras

if TYPE_CHECKING:
    import keras


class SeedCnn(ClipRecipe):
    """The study's CNN: linear STFT magnitudes, three small convolutions, plain SGD.

    For clips of 1 s its spectrogram is 124 x 129 and it has 196,229 parameters. Source of the figures: the notebook
    `NN_mimic_final.ipynb` of github.com/AnonymousUserName123/Breaking-AudioSeal-Watermark.
    """

    name = "seed_cnn"
    summary = "the study's CNN: linear STFT magnitudes (255/128), conv 4-8-16, SGD, 10 epochs"
    epochs = 10
    pair_batches = False
    patience = None

    def build(self, n_samples: int) -> "keras.Model":
        """Make the untrained network."""
        keras = import_keras()
        from keras import layers

        waveform = keras.Input((n_samples,), name="waveform")
        x = self.spectrogram(waveform)[..., None]
        for filters in (4, 8, 16):
            x = layers.Conv2D(filters, 5, padding="same", activation="relu")(x)
            x = layers.MaxPooling2D()(x)
        x = layers.Flatten()(x)
        x = layers.Dense(50, activation="relu", kernel_regularizer=keras.regularizers.L2(0.01))(x)
        return keras.Model(waveform, layers.Dense(1, activation="sigmoid")(x), name=self.name)

    def spectrogram(self, waveform: "keras.KerasTensor") -> "keras.KerasTensor":
        """What the convolutions see of a waveform, (n, samples) -> (n, frames, bins)."""
        return magnitude_spectrogram(waveform, frame=255, step=128, fft=256)

    def optimizer(self) -> "keras.optimizers.Optimizer":
        """Plain SGD at Keras' default rate, 0.01."""
        keras = import_keras()

        return keras.optimizers.SGD(0.01)
