"""What every imitator is: taught by a lesson, it says how likely the detector is to say "watermarked"."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sealproof.detectors.base import Audio, Scheme
from sealproof.harness.training.mimics.queries import Answers

FRAME = 320
"""Samples for which there is one target: 20 ms."""

CUT = 0.5
"""An imitator says "watermarked" above it."""

_BLOCK = 128

Judgement = Callable[[Audio], NDArray[np.floating]]
"""(n, samples) float32 to (n,) probabilities, for clips of any length."""


@dataclass(frozen=True)
class Lesson:
    """What an imitator learns from.

    Attributes:
        twins: Clips (2 n, samples) as they are, each clean one followed by its watermarked twin, and their frames'
            targets.
        altered: Altered clips and theirs; may be none.
    """

    twins: Answers
    altered: Answers

    @property
    def targets(self) -> NDArray[np.float32]:
        """One target a clip: the mean over its frames, of the twins and then of the altered clips."""
        return np.concatenate([part.targets.mean(axis=1) for part in (self.twins, self.altered)])

    def blocks(self) -> Iterator[Audio]:
        """Yield all clips in blocks, in the order of `targets`."""
        for part in (self.twins, self.altered):
            for at in range(0, len(part.audio), _BLOCK):
                yield part.audio[at : at + _BLOCK].astype(np.float32)

    def features(self, of: Callable[[Audio], NDArray[np.float64]]) -> NDArray[np.float64]:
        """Compute features of all clips, a block at a time."""
        return np.concatenate([of(block) for block in self.blocks()])


class Imitator(ABC):
    """Something that can be taught.

    Attributes:
        name: As in commands and tables.
        summary: One line for a table.
        knows: What it knows beyond clips and answers; empty for nothing.
        takes_steps: Whether it is trained in steps.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    knows: ClassVar[str] = ""
    takes_steps: ClassVar[bool] = False

    def __init__(self, scheme: Scheme) -> None:
        """Name the scheme that is imitated; only an imitator with something in `knows` looks at it."""
        self.scheme = scheme

    @abstractmethod
    def fit(self, lesson: Lesson, *, steps: int, seed: int) -> Judgement:
        """Learn.

        Args:
            lesson: What from; at least two pairs.
            steps: Training steps, where it is trained in steps.
            seed: Decides whatever is drawn.
        """


def of_length(audio: Audio, n_samples: int) -> Audio:
    """Cut clips at the end, or pad them there with zeros, for what takes one length."""
    cut = audio[:, :n_samples]
    return np.pad(cut, ((0, 0), (0, n_samples - cut.shape[1])))
