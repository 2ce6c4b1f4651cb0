"""One change for all clips."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sealproof.attacks.adversarial.contract.base import AdaptiveAttack, Asks, Knows
from sealproof.attacks.adversarial.contract.knowledge import Surrogate
from sealproof.attacks.adversarial.contract.oracle import Audio, Floats
from sealproof.attacks.adversarial.contract.search import Search
from sealproof.attacks.adversarial.gradients.steps import cosine, unit
from sealproof.attacks.contract.errors import AttackError
from sealproof.attacks.contract.parameters import parameter

_BATCH = 8
_MOMENTUM = 0.9


@dataclass(frozen=True, kw_only=True)
class Universal(AdaptiveAttack):
    """Learns on other recordings a single waveform that turns the surrogate's decisions, wherever in time it is added.

    It is added to every clip at the level that the budget allows.
    Source: Moosavi-Dezfooli et al., "Universal adversarial perturbations" (CVPR 2017); Neekhara et al., "Universal
    adversarial perturbations for speech recognition systems" (Interspeech 2019).
    """

    name: ClassVar[str] = "universal"
    summary: ClassVar[str] = "one waveform for all clips, learnt on other recordings with a surrogate; nothing is asked"
    knows: ClassVar[Knows] = "surrogate"
    asks: ClassVar[Asks] = "nothing"

    steps: int = parameter(unit="steps", kind=int, low=2, high=2000, default=60)

    def search(self, search: Search) -> None:
        """Learn the waveform and offer it for every clip."""
        task = search.task
        assert task.knowledge.surrogate is not None  # noqa: S101 - see `lacks`
        others = task.knowledge.clean if task.direction == "forgery" else task.knowledge.marked
        if not len(others):
            raise AttackError(f"{self.id} needs other recordings to learn from. Got none.")
        waveform = self._learn(search, task.knowledge.surrogate, others)
        alike = np.broadcast_to(waveform, search.clips.shape)
        search.guess(search.everybody, search.ball.steepest(search.everybody, alike))

    def _learn(self, search: Search, surrogate: Surrogate, others: Audio) -> Floats:
        """Return the waveform (samples,)."""
        # Of its own: the same for every clip, whichever others are attacked with it.
        rng = np.random.default_rng(0)
        ball = search.task.budget.ball(others, search.task.sample_rate)
        goal = search.sign * surrogate.goal(search.task.direction)
        waveform = unit(rng.standard_normal((1, others.shape[1])))[0] * 1e-3
        velocity = np.zeros_like(waveform)
        for step in range(self.steps):
            who = rng.choice(len(others), min(_BATCH, len(others)), replace=False)
            shifts = rng.integers(0, others.shape[1], len(who))
            turned = np.stack([np.roll(waveform, shift) for shift in shifts])
            added = ball.steepest(who, turned) * min(1.0, float(np.linalg.norm(waveform)))
            values, slopes = surrogate.slope((others[who] + added).astype(np.float32), search.task.direction)
            # Clips that the surrogate has long fallen for have no say.
            says = (search.sign * values < goal).astype(np.float64)
            back = np.stack([np.roll(row, -shift) for row, shift in zip(unit(slopes), shifts, strict=True)])
            velocity = _MOMENTUM * velocity + search.sign * np.tensordot(says, back, 1) / len(who)
            waveform = waveform + cosine(0.3, 0.03, step / self.steps) * unit(velocity[None])[0]
            waveform = waveform / max(1.0, float(np.linalg.norm(waveform)))
        return np.asarray(waveform)
