"""What an adversary may know besides the clips that it attacks and the answers to its questions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from sealproof.attacks.adversarial.contract.oracle import Audio, Direction, Floats

SlopeFunction = Callable[[Audio, Direction], tuple[Floats, Floats]]
"""Of a batch (m, samples): values (m,), higher is nearer to being flagged, and their gradients (m, samples)."""


@dataclass(frozen=True)
class Surrogate:
    """A detector of the adversary's own, whose weights it has: a mimic, say.

    Attributes:
        slope: Its values and gradients.
        clean_value: What its value usually is on clean clips: their median.
        marked_value: The same on marked clips.
    """

    slope: SlopeFunction
    clean_value: float
    marked_value: float

    def goal(self, direction: Direction) -> float:
        """Return the value at which it takes a clip for one of the other kind, as surely as for a real one."""
        return self.marked_value if direction == "forgery" else self.clean_value


class Passage(NamedTuple):
    """Something that audio goes through: a codec, a shift.

    Attributes:
        name: Its id.
        through: Of a batch (m, samples) and a seed for each, what comes out: (m, samples).
        back: Of a gradient by what comes out, one by what goes in; for a codec the same (straight-through).
    """

    name: str
    through: Callable[[Audio, Sequence[int]], Audio]
    back: Callable[[Floats], Floats]


def _nothing() -> Audio:
    return np.zeros((0, 0), np.float32)


@dataclass(frozen=True)
class AdversaryKnowledge:
    """What an adversary knows.

    Attributes:
        surrogate: A detector of its own; None where it has none.
        clean: (k, samples) other recordings without a mark.
        marked: (k, samples) the same, marked.
        passages: What its result shall withstand.
    """

    surrogate: Surrogate | None = None
    clean: Audio = field(default_factory=_nothing)
    marked: Audio = field(default_factory=_nothing)
    passages: tuple[Passage, ...] = ()
