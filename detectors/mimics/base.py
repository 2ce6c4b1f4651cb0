"""What a mimic network states: its layers, and how it is trained."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import keras


class MimicRecipe(ABC):
    """A network and its training.

    The network's input is a waveform of shape (n, samples), float32 in [-1, 1], so that a saved model holds its own
    preprocessing; its output is the probability that the clip is watermarked, shape (n, 1). It is made of Keras'
    own layers and operations only, so that `keras.models.load_model` reads it in safe mode without sealproof.

    Attributes:
        name: As in commands and tables.
        summary: One line for a table.
        epochs: At most this many passes over the training clips.
        batch_size: Clips in a training step.
        pair_batches: A clip and its twin are always in one batch, and pairs are shuffled anew for every epoch;
            otherwise single clips are shuffled once and their order is kept.
        patience: Stop after so many epochs without a lower validation loss and keep the best weights; None to train
            all epochs and keep the last weights.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    epochs: ClassVar[int]
    batch_size: ClassVar[int] = 32
    pair_batches: ClassVar[bool]
    patience: ClassVar[int | None]

    @abstractmethod
    def build(self, n_samples: int) -> "keras.Model":
        """Make the untrained network for clips of `n_samples`."""

    @abstractmethod
    def optimizer(self) -> "keras.optimizers.Optimizer":
        """Make the optimiser."""


def magnitude_spectrogram(waveform: "keras.KerasTensor", frame: int, step: int, fft: int) -> "keras.KerasTensor":
    """Return STFT magnitudes, (n, samples) -> (n, frames, bins), Hann window, no padding: as `tf.signal.stft`."""
    from keras import ops

    real, imaginary = ops.stft(waveform, frame, step, fft, window="hann", center=False)
    # The tiny term keeps the gradient with respect to a silent input finite.
    return ops.sqrt(real * real + imaginary * imaginary + 1e-12)
