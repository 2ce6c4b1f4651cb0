"""Imitators that are networks in TensorFlow: the mimic that ships, a larger one, and spectrograms of three windows."""

from typing import TYPE_CHECKING, ClassVar

from sealproof.detectors.mimics.base import FrameRecipe, magnitude_spectrogram
from sealproof.detectors.mimics.fine_spectrogram_cnn import DistilledCnn
from sealproof.detectors.mimics.keras_runtime import import_keras
from sealproof.detectors.mimics.mimic import forward
from sealproof.detectors.mimics.waveform_cnn import WaveformCnn
from sealproof.harness.studies.extraction.imitators.base import FRAME, Imitator, Judgement, Lesson
from sealproof.harness.training.mimics.fit_frames import fit_frames

if TYPE_CHECKING:
    import keras

_ALONE = DistilledCnn.pairs_per_step + DistilledCnn.queries_per_step // 2
"""Pairs in a step without altered clips: as many clips as with them."""


class NetworkImitator(Imitator):
    """A network that gives every frame a probability, trained as `distilled_cnn` is."""

    takes_steps: ClassVar[bool] = True
    recipe: ClassVar[type[FrameRecipe]]

    def fit(self, lesson: Lesson, *, steps: int, seed: int) -> Judgement:
        """Train."""
        recipe = self.recipe()
        if not len(lesson.altered.audio):
            recipe = type(recipe.name, (self.recipe,), {"pairs_per_step": _ALONE, "queries_per_step": 0})()
        # Keras numbers layers through a process, and keeps what it has made.
        import_keras().utils.clear_session()
        model, _ = fit_frames(recipe, lesson.twins, lesson.altered, steps=steps, seed=seed)
        return forward(model)


class ShippedCnn(NetworkImitator):
    """The network of the mimic that ships."""

    name: ClassVar[str] = "distilled_cnn"
    summary: ClassVar[str] = "the CNN that ships as mimic: windows of 256 ms every 20 ms, 192,897 parameters"
    recipe = DistilledCnn


class _WideCnn(DistilledCnn):
    name = "wide_cnn"
    channels = 168


class WideCnn(NetworkImitator):
    """The same with more channels."""

    name: ClassVar[str] = "wide_cnn"
    summary: ClassVar[str] = "the same CNN with 168 channels for 64: four times the parameters"
    recipe = _WideCnn


class _Waveform(WaveformCnn):
    pairs_per_step = DistilledCnn.pairs_per_step
    queries_per_step = DistilledCnn.queries_per_step


class WaveformImitator(NetworkImitator):
    """The network of the mimic `waveform_cnn`."""

    name: ClassVar[str] = "waveform_cnn"
    summary: ClassVar[str] = "CNN on the waveform, 262,577 parameters: the mimic that shipped before"
    recipe = _Waveform


class _Spectrogram(FrameRecipe):
    """Log magnitudes, every frequency a channel of its own, convolutions over time, a logit for every 20 ms.

    It learns from clips of whole spectra: with `frames_per_spectrum` of 5, of a multiple of 100 ms.

    Attributes:
        window: Samples in a spectrum.
        frames_per_spectrum: Frames of 20 ms from one spectrum to the next, which get the same logit.
    """

    peak_rate = 2e-3
    pairs_per_step = DistilledCnn.pairs_per_step
    queries_per_step = DistilledCnn.queries_per_step
    window: ClassVar[int]
    frames_per_spectrum: ClassVar[int] = 5

    def frames(self) -> "keras.Model":
        """Make the untrained network up to its logits."""
        keras = import_keras()
        from keras import layers, ops

        hop = self.frames_per_spectrum * FRAME
        waveform = keras.Input((None,), name="waveform")
        # So much silence at the ends that there are as many spectra as hops begin, each around the middle of its own.
        before = (self.window - hop) // 2
        padded = ops.pad(waveform, ((0, 0), (before, self.window - 1 - before)))
        fft = 1 << (self.window - 1).bit_length()
        x = ops.log(magnitude_spectrogram(padded, frame=self.window, step=hop, fft=fft) + 1e-3)
        # Per clip, so that loudness, which no detector should go by, is not there to be learned.
        x = x - ops.mean(x, axis=(1, 2), keepdims=True)
        x = x / ops.sqrt(ops.mean(x * x, axis=(1, 2), keepdims=True) + 1e-6)
        x = layers.Conv1D(64, 1)(x)
        for _ in range(3):
            x = x + layers.Conv1D(64, 5, padding="same")(layers.Activation("elu")(x))
        logits = layers.Conv1D(1, 1)(layers.Activation("elu")(x))
        if self.frames_per_spectrum > 1:
            logits = layers.UpSampling1D(self.frames_per_spectrum)(logits)
        return keras.Model(waveform, logits[..., 0], name=f"{self.name}_frames")


class _Spectrogram1024(_Spectrogram):
    name = "spectrogram_1024"
    window = 1024
    frames_per_spectrum = 1


class _Spectrogram4096(_Spectrogram):
    name = "spectrogram_4096"
    window = 4096


class _Spectrogram16000(_Spectrogram):
    name = "spectrogram_16000"
    window = 16_000


class Spectrogram1024(NetworkImitator):
    """A spectrogram network with windows of 64 ms."""

    name: ClassVar[str] = "spectrogram_1024"
    summary: ClassVar[str] = "CNN over time on log magnitudes, windows of 1,024 samples"
    recipe = _Spectrogram1024


class Spectrogram4096(NetworkImitator):
    """A spectrogram network with windows of 256 ms."""

    name: ClassVar[str] = "spectrogram_4096"
    summary: ClassVar[str] = "CNN over time on log magnitudes, windows of 4,096 samples"
    recipe = _Spectrogram4096


class Spectrogram16000(NetworkImitator):
    """A spectrogram network with windows of a second."""

    name: ClassVar[str] = "spectrogram_16000"
    summary: ClassVar[str] = "CNN over time on log magnitudes, windows of 16,000 samples"
    recipe = _Spectrogram16000
