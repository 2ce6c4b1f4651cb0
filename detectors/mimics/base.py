"""What a mimic network states: its layers, and how it is trained."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import keras


class MimicRecipe(ABC):
    """A network and its training: a `ClipRecipe` or a `FrameRecipe`.

    The network's input is a waveform of shape (n, samples), float32 in [-1, 1], so that a saved model holds its own
    preprocessing; its output is the probability that the clip is watermarked, shape (n, 1). It is made of Keras'
    own layers and operations only, so that `keras.models.load_model` reads it in safe mode without sealproof.

    Attributes:
        name: As in commands and tables.
        summary: One line for a table.
        access: What it is told about the detector: `labels` (which clips are watermarked, as in the study), `decisions`
            (the detector's yes or no on any audio) or `scores` (its probabilities over time, where it has them).
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    access: ClassVar[str] = "labels"

    @abstractmethod
    def build(self, n_samples: int) -> "keras.Model":
        """Make the untrained network for clips of `n_samples`."""


class ClipRecipe(MimicRecipe):
    """A network that learns one label a clip, in epochs over the training clips.

    Attributes:
        epochs: At most this many passes over the training clips.
        batch_size: Clips in a training step.
        pair_batches: A clip and its twin are always in one batch, and pairs are shuffled anew for every epoch;
            otherwise single clips are shuffled once and their order is kept.
        patience: Stop after so many epochs without a lower validation loss and keep the best weights; None to train
            all epochs and keep the last weights.
    """

    epochs: ClassVar[int]
    batch_size: ClassVar[int] = 32
    pair_batches: ClassVar[bool]
    patience: ClassVar[int | None]

    @abstractmethod
    def optimizer(self) -> "keras.optimizers.Optimizer":
        """Make the optimiser."""


class FrameRecipe(MimicRecipe):
    """A network that learns a probability for every frame, in a fixed number of steps.

    A watermark that is there all the time can be learnt from every frame, which is some fifty labels a clip instead of
    one. The clip's score is the mean over its frames, so the network takes clips of any length.

    Attributes:
        frame: Samples in a frame.
        steps: Training steps.
        peak_rate: Adam's learning rate at the start; it falls to zero along half a cosine.
        pairs_per_step: Twins in a training step, as they are in the dataset.
        queries: Altered clips on which the reference is asked; 0 with the access level `labels`.
        queries_per_step: Of these in a training step.
    """

    frame: ClassVar[int] = 320
    steps: ClassVar[int]
    peak_rate: ClassVar[float]
    pairs_per_step: ClassVar[int]
    queries: ClassVar[int] = 0
    queries_per_step: ClassVar[int] = 0

    @abstractmethod
    def frames(self) -> "keras.Model":
        """Make the untrained network up to its logits, (n, samples) -> (n, ceil(samples / frame))."""

    def build(self, n_samples: int) -> "keras.Model":
        """Make the untrained network; it takes any length."""
        del n_samples
        return self.whole(self.frames())

    def whole(self, frames: "keras.Model") -> "keras.Model":
        """Complete a network of frames, trained or not: the mean of the frames' probabilities."""
        from sealproof.detectors.mimics.keras_runtime import import_keras

        keras = import_keras()
        from keras import ops

        waveform = keras.Input((None,), name="waveform")
        score = ops.mean(ops.sigmoid(frames(waveform)), axis=1, keepdims=True)
        return keras.Model(waveform, score, name=self.name)


_DILATIONS = (1, 3, 9)
"""Of the residual convolutions: half a second to each side, as a recurrent detector hears more than a frame, too."""


def frame_logits(x: "keras.KerasTensor") -> "keras.KerasTensor":
    """Look at the frames around each, (n, frames, channels), by residual convolutions: its logit, (n, frames)."""
    from keras import layers

    for dilation in _DILATIONS:
        context = layers.Conv1D(x.shape[-1], 5, padding="same", dilation_rate=dilation)
        x = x + context(layers.Activation("elu")(x))
    logits = layers.Conv1D(1, 1)(layers.Activation("elu")(x))
    return logits[..., 0]


def magnitude_spectrogram(waveform: "keras.KerasTensor", frame: int, step: int, fft: int) -> "keras.KerasTensor":
    """Return STFT magnitudes, (n, samples) -> (n, frames, bins), Hann window, no padding: as `tf.signal.stft`."""
    from keras import ops

    real, imaginary = ops.stft(waveform, frame, step, fft, window="hann", center=False)
    # The tiny term keeps the gradient with respect to a silent input finite.
    return ops.sqrt(real * real + imaginary * imaginary + 1e-12)
