"""A sine, or a stack of its harmonics, where marks are strongest."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from sealproof.attacks.adversarial.contract.base import AdaptiveAttack, Asks, Knows
from sealproof.attacks.adversarial.contract.oracle import Floats
from sealproof.attacks.adversarial.contract.search import Search
from sealproof.attacks.contract.parameters import parameter


@dataclass(frozen=True, kw_only=True)
class Tone(AdaptiveAttack):
    """Adds a sine at the frequency at which marks carry most energy, or a harmonic stack above it.

    For forgery it may pass for the mark, if that is little more than a tone; for removal it may drown it.
    """

    name: ClassVar[str] = "tone"
    summary: ClassVar[str] = "a sine, or a harmonic stack, where marks are strongest; nothing is asked"
    knows: ClassVar[Knows] = "pairs"
    asks: ClassVar[Asks] = "nothing"

    shape: str = parameter(unit="", kind=str, choices=("sine", "stack"), default="sine")

    @classmethod
    def standard(cls) -> list[Self]:
        """Return both shapes."""
        return [cls(shape="sine"), cls(shape="stack")]

    def search(self, search: Search) -> None:
        """Offer the sound at the budget's level."""
        task = search.task
        marks = task.knowledge.marked.astype(np.float64) - task.knowledge.clean
        frequency = strongest_hz(marks, task.sample_rate)
        n = search.clips.shape[1]
        count = max(1, int(0.45 * task.sample_rate / frequency)) if self.shape == "stack" else 1
        angle = 2 * np.pi * frequency * np.arange(n) / task.sample_rate
        sound = np.sum([np.sin(harmonic * angle) for harmonic in range(1, min(count, 40) + 1)], axis=0)
        search.guess(search.everybody, search.ball.steepest(search.everybody, np.tile(sound, (len(search.clips), 1))))


def strongest_hz(marks: Floats, sample_rate: int) -> float:
    """Return the frequency at which marks (k, samples) carry most energy together, above 40 Hz."""
    power = (np.abs(np.fft.rfft(marks)) ** 2).sum(axis=0)
    hz = np.fft.rfftfreq(marks.shape[1], 1 / sample_rate)
    power[hz < 40] = 0
    return float(hz[int(np.argmax(power))])
