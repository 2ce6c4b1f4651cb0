"""Mimics that hear the waveform itself: convolutions that step down to frames of 20 ms."""

from typing import TYPE_CHECKING, ClassVar

from sealproof.detectors.mimics.base import FrameRecipe, frame_logits
from sealproof.detectors.mimics.keras_runtime import import_keras

if TYPE_CHECKING:
    import keras

_STRIDES = (2, 4, 5, 8)


class WaveformCnn(FrameRecipe):
    """A CNN on the waveform, from labels alone: 262,577 parameters.

    A spectrogram's magnitudes throw away how the mark lies against its host in phase; the waveform has it. Strided
    convolutions shrink the clip by 2, 4, 5 and 8 to frames of 20 ms, as encoders of speech codecs do; three
    residual convolutions, more and more dilated, look at the frames around, and every frame gets a logit.
    """

    name = "waveform_cnn"
    summary = "the waveform, strided convolutions to frames of 20 ms, a label for each, Adam, clip and twin together"
    steps = 1500
    peak_rate = 3e-3
    pairs_per_step = 16
    channels: ClassVar[tuple[int, ...]] = (12, 16, 32, 64, 96)

    def frames(self) -> "keras.Model":
        """Make the untrained network up to its logits."""
        keras = import_keras()
        from keras import layers

        waveform = keras.Input((None,), name="waveform")
        x = layers.Conv1D(self.channels[0], 7, padding="same")(waveform[..., None])
        for channels, stride in zip(self.channels[1:], _STRIDES, strict=True):
            x = layers.Conv1D(channels, 2 * stride, strides=stride, padding="same")(layers.Activation("elu")(x))
        return keras.Model(waveform, frame_logits(x), name=f"{self.name}_frames")
