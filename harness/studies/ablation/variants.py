"""The study's network with some of its properties changed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from sealproof.detectors.mimics.base import ClipRecipe, magnitude_spectrogram
from sealproof.detectors.mimics.keras_runtime import import_keras
from sealproof.detectors.mimics.seed_cnn import SeedCnn
from sealproof.harness.foundation.errors import HarnessError

if TYPE_CHECKING:
    import keras

STUDY = "study"
"""Name of the network with nothing changed."""

CHANGES: dict[str, dict[str, Any]] = {
    "adam": {"adam": True},
    "twins": {"pair_batches": True},
    "log": {"log": True},
    "window_1024": {"frame": 1024, "step": 128, "fft": 1024},
    "window_4096": {"frame": 4096, "step": 1024, "fft": 4096},
    "window_8192": {"frame": 8192, "step": 1024, "fft": 8192},
}
"""By name: Adam at 1e-3 for plain SGD; a clip and its twin always in one batch; logarithms of magnitudes; longer
windows. Of windows a variant has one."""

SPLITS = ("leaky", "group")


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One training.

    Attributes:
        changes: Names of what is changed, some of `CHANGES`.
        split: `leaky`, by file as in the study, or `group`, by recording.
        epochs: Passes over the training clips; the weights of the last are judged.
        seed: Of weights, order of clips and, where it is leaky, the split.
    """

    changes: tuple[str, ...]
    split: str
    epochs: int
    seed: int

    def __post_init__(self) -> None:
        """Refuse unknown names."""
        unknown = sorted(set(self.changes) - set(CHANGES))
        if unknown:
            raise HarnessError(f"Changes must be some of {', '.join(CHANGES)}. Got {', '.join(unknown)}.")
        if self.split not in SPLITS or self.epochs < 1:
            raise HarnessError(f"A split must be one of {', '.join(SPLITS)}, epochs 1 or more. Got {self}.")

    @property
    def name(self) -> str:
        """As in tables: the changes joined by `+`."""
        return "+".join(self.changes) or STUDY

    def recipe(self) -> ClipRecipe:
        """Return the network and its training."""
        settings: dict[str, Any] = {}
        for change in self.changes:
            settings |= CHANGES[change]
        return type("Changed", (_Changed,), settings)()  # type: ignore[no-any-return]


def combined(changes: Sequence[str], most: int) -> Iterator[tuple[str, ...]]:
    """Yield nothing changed, and every combination of up to so many changes with no more than one window."""
    for count in range(min(most, len(changes)) + 1):
        for chosen in combinations(changes, count):
            if sum(name.startswith("window") for name in chosen) <= 1:
                yield chosen


class _Changed(SeedCnn):
    patience = None
    adam = False
    log = False
    frame, step, fft = 255, 128, 256

    def spectrogram(self, waveform: "keras.KerasTensor") -> "keras.KerasTensor":
        """Magnitudes as in the study, or their logarithm."""
        from keras import ops

        magnitudes = magnitude_spectrogram(waveform, frame=self.frame, step=self.step, fft=self.fft)
        return ops.log(magnitudes + 1e-3) if self.log else magnitudes

    def optimizer(self) -> "keras.optimizers.Optimizer":
        """Plain SGD as in the study, or Adam."""
        optimizers = import_keras().optimizers
        return optimizers.Adam(1e-3) if self.adam else optimizers.SGD(0.01)
