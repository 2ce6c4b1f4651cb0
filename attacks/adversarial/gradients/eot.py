"""A change that holds after codecs and shifts, found with the detector's own gradients."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sealproof.attacks.adversarial.contract.base import AdaptiveAttack, Asks, Knows
from sealproof.attacks.adversarial.contract.knowledge import Passage
from sealproof.attacks.adversarial.contract.oracle import Floats, Indices
from sealproof.attacks.adversarial.contract.search import Search, Task
from sealproof.attacks.adversarial.gradients.steps import cosine, unit
from sealproof.attacks.contract.parameters import parameter

_MOMENTUM = 0.75


@dataclass(frozen=True, kw_only=True)
class WhiteBoxEot(AdaptiveAttack):
    """Projected gradient ascent on the mean over what the audio may go through afterwards.

    Through a codec the gradient goes straight: nobody can differentiate it, and what comes out is close to what goes
    in. Source: Athalye et al., "Synthesizing robust adversarial examples" (ICML 2018); Bengio, Leonard and Courville,
    "Estimating or propagating gradients through stochastic neurons" (2013).
    """

    name: ClassVar[str] = "white_box_eot"
    summary: ClassVar[str] = "gradient ascent through codecs and shifts, so that the change outlives them"
    knows: ClassVar[Knows] = "weights"
    asks: ClassVar[Asks] = "gradients"

    steps: int = parameter(unit="steps", kind=int, low=2, high=2000, default=25)

    def lacks(self, task: Task) -> str | None:
        """Say what a task does not give, or None."""
        return super().lacks(task) or (None if task.knowledge.passages else "passages: what it shall withstand")

    def search(self, search: Search) -> None:
        """Attack all clips side by side; the end result is what is best on the mean."""
        who = search.everybody
        change, velocity = np.zeros_like(search.clips), np.zeros_like(search.clips)
        for step in range(self.steps):
            value = search.gradient(who, change)
            total = unit(search.sign * value.gradient)
            for passage in search.task.knowledge.passages:
                total += unit(self._through(search, who, change, passage))
            velocity = _MOMENTUM * velocity + search.ball.steepest(who, total)
            moved = change + cosine(0.4, 0.05, step / self.steps) * search.ball.steepest(who, velocity)
            change = 0.998 * search.ball.project(who, moved / 0.998)
        search.settle(who, change)

    @staticmethod
    def _through(search: Search, who: Indices, change: Floats, passage: Passage) -> Floats:
        seeds = [int(search.rngs[clip].integers(2**31)) for clip in who]
        heard = passage.through((search.clips[who] + change).astype(np.float32), seeds)
        slope = search.gradient_of(who, heard)
        return np.asarray(search.sign * passage.back(slope.gradient))
