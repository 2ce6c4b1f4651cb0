"""Mimics that hear single lines: a spectrogram of long windows, each bin against its neighbours, frames of 20 ms."""

from typing import TYPE_CHECKING, Any, ClassVar

from sealproof.detectors.mimics.base import FrameRecipe, frame_logits, magnitude_spectrogram
from sealproof.detectors.mimics.keras_runtime import import_keras

if TYPE_CHECKING:
    import keras

WINDOW = 4096
"""Samples, 256 ms: bins of 3.9 Hz. Windows of 2,048 and 8,192 samples imitated less well on validation clips."""

_NEIGHBOURS = 17
"""Bins whose mean a bin is compared with: 66 Hz."""


class FineSpectrogramCnn(FrameRecipe):
    """A CNN over time on a fine log spectrogram, from labels alone.

    What a detector sums up in phase over half a second shows as a line in a spectrogram whose windows are long enough:
    there each bin stands out from its neighbours or does not, whatever the level. Every frame of 20 ms gets a window
    around its middle, and every bin is a channel of its own.
    """

    name = "fine_spectrogram_cnn"
    summary = "log STFT magnitudes (4096/320) against their neighbours, conv over time, a label for each frame"
    steps = 1500
    peak_rate = 2e-3
    pairs_per_step = 16
    channels: ClassVar[int] = 64

    def frames(self) -> "keras.Model":
        """Make the untrained network up to its logits."""
        keras = import_keras()
        from keras import layers, ops

        waveform = keras.Input((None,), name="waveform")
        # A frame starts every 320 samples from 0 on, the last one may be short: its window lies around its middle.
        before = (WINDOW - self.frame) // 2
        padded = ops.pad(waveform, [[0, 0], [before, before + self.frame - 1]])
        x = ops.log(magnitude_spectrogram(padded, WINDOW, self.frame, WINDOW) + 1e-3)
        x = x - _mean_of_neighbours(x)
        x = layers.Conv1D(self.channels, 1)(x)
        return keras.Model(waveform, frame_logits(x), name=f"{self.name}_frames")


class DistilledCnn(FineSpectrogramCnn):
    """The same network, taught by the detector: its probabilities over time, on training clips as they are and altered.

    Labels tell what the truth is; a detector's answers on attacked audio tell what the detector does, also where it
    fails, and those on mixtures of recordings what it does with hosts that are in no recording. Source of the idea:
    Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network" (2015); Jagielski et al., "High Accuracy
    and High Fidelity Extraction of Neural Networks" (USENIX Security 2020).
    """

    name = "distilled_cnn"
    summary = "the network of fine_spectrogram_cnn, taught by the detector on clips, attacked clips and mixtures"
    access = "scores"
    steps = 3000
    pairs_per_step = 10
    queries = 30_000
    queries_per_step = 32


def _mean_of_neighbours(x: "keras.KerasTensor") -> Any:
    """Average each bin with those around it, shape (n, frames, bins) as given; at the ends with those that exist."""
    import_keras()
    from keras import layers

    by_bin = layers.Permute((2, 1))(x)
    return layers.Permute((2, 1))(layers.AveragePooling1D(_NEIGHBOURS, 1, padding="same")(by_bin))
