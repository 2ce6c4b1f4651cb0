"""Trial and error: random pieces are added, and stay where they help."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sealproof.attacks.adversarial.contract.basis import LOW_HZ
from sealproof.attacks.adversarial.contract.oracle import Floats
from sealproof.attacks.adversarial.contract.search import Search
from sealproof.attacks.adversarial.questions.answers import ScoreAttack

_LOWEST_HZ = 50.0


@dataclass(frozen=True, kw_only=True)
class RandomSearch(ScoreAttack):
    """Adds short tones of random pitch, place, length and phase within the budget, and keeps what comes nearer.

    Pieces get shorter and softer as questions run out. A clip whose decision has turned is left alone.
    Source: Andriushchenko et al., "Square attack: a query-efficient black-box adversarial attack via random search"
    (ECCV 2020), with tones in place of squares.
    """

    name: ClassVar[str] = "random_search"
    summary: ClassVar[str] = "random search with short tones, by scores or frames"

    def search(self, search: Search) -> None:
        """Attack all clips side by side."""
        change = np.zeros_like(search.clips)
        who = search.everybody
        near = np.full(len(change), -np.inf)
        near[who] = self.nearness(search, who, change[who])
        limit = search.task.oracle.limit
        while True:
            inside = search.attempt_sizes() <= 1.0
            who = who[~inside[who] & (search.left[who] > 0)]
            if not len(who):
                return
            used = 1 - search.left[who] / limit
            pieces = np.stack([self._piece(search, clip, at) for clip, at in zip(who, used, strict=True)])
            moved = change[who] + (0.5 * (1 - used) + 0.1)[:, None] * search.ball.steepest(who, pieces)
            moved = 0.998 * search.ball.project(who, moved / 0.998)
            moved_near = self.nearness(search, who, moved)
            # As near is kept, too: on a plateau that is the only way on.
            better = moved_near >= near[who]
            change[who[better]], near[who[better]] = moved[better], moved_near[better]
            search.guess(who, change[who])

    def _piece(self, search: Search, clip: int, used: float) -> Floats:
        """Return (samples,) one tone; longer at first."""
        rng, n, rate = search.rngs[clip], search.clips.shape[1], search.task.sample_rate
        highest = LOW_HZ if self.basis == "low" else 0.45 * rate
        hz = np.exp(rng.uniform(np.log(_LOWEST_HZ), np.log(max(highest, 2 * _LOWEST_HZ))))
        length = max(8, int(n * rng.uniform(0.3, 1.0) * (1 - 0.8 * used)))
        start = int(rng.integers(0, max(1, n - length + 1)))
        time = np.arange(length)
        piece = np.zeros(n)
        window = np.sin(np.pi * (time + 0.5) / length)
        piece[start : start + length] = window * np.sin(2 * np.pi * (hz / rate * time + rng.random()))
        return piece
