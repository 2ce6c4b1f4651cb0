"""What an adversary sees of a detector: one interface of numpy arrays, whatever stands behind it."""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.float32]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Indices = NDArray[np.intp]

Direction = Literal["removal", "forgery"]
"""`removal`: a clip that is flagged shall not be; `forgery`: one that is not flagged shall be."""

DIRECTIONS: tuple[Direction, ...] = ("removal", "forgery")


class OutOfQueriesError(Exception):
    """A question was asked for a clip that has none left; none of the batch was answered."""


@dataclass(frozen=True)
class Slope:
    """What a detector with weights says of clips.

    Attributes:
        flagged: (n,) its decision.
        value: (n,) a smooth quantity before any saturation; the higher the nearer to being flagged. Its zero is the
            threshold, or close to it.
        gradient: (n, samples) of `value` by the samples.
    """

    flagged: Flags
    value: Floats
    gradient: Floats


class Oracle(Protocol):
    """A detector that answers about clips, and counts.

    Every method takes a batch (m, samples) and, for each of its rows, the number of the attacked clip that the question
    belongs to. What is answered is what a file would be: the audio is written as 16-bit PCM first.
    """

    @property
    def limit(self) -> int:
        """Questions allowed for each clip: decisions, scores and frames together."""
        ...

    @property
    def threshold(self) -> float:
        """A score above it means flagged: that of the rule which is attacked."""
        ...

    @property
    def has_frames(self) -> bool:
        """Whether `frames` answers: probabilities over time."""
        ...

    @property
    def has_gradient(self) -> bool:
        """Whether `gradient` answers: without weights there is no white box."""
        ...

    def decide(self, batch: Audio, clips: Indices) -> Flags:
        """Return (m,) whether each is flagged; one question each.

        Raises:
            OutOfQueriesError: A clip has no question left.
        """
        ...

    def score(self, batch: Audio, clips: Indices) -> Floats:
        """Return (m,) scores; one question each.

        Raises:
            OutOfQueriesError: A clip has no question left.
        """
        ...

    def frames(self, batch: Audio, clips: Indices) -> tuple[Floats, NDArray[np.float32]]:
        """Return (m,) scores and (m, t) probabilities over time; one question each.

        Raises:
            OutOfQueriesError: A clip has no question left.
        """
        ...

    def gradient(self, batch: Audio, clips: Indices, direction: Direction) -> Slope:
        """Return values and gradients, counted apart from questions: who has the weights asks nobody.

        Args:
            batch: (m, samples).
            clips: (m,) the attacked clip of each.
            direction: Whither: the value is of that part of a clip that must turn for the decision to turn.
        """
        ...


def sign(direction: Direction) -> float:
    """Return -1 for removal and +1 for forgery: which way a value must go."""
    return 1.0 if direction == "forgery" else -1.0
