"""Gradients estimated from scores or frames."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sealproof.attacks.adversarial.contract.basis import draw
from sealproof.attacks.adversarial.contract.budget import STEP, norms
from sealproof.attacks.adversarial.contract.oracle import Floats, Indices
from sealproof.attacks.adversarial.contract.search import Search
from sealproof.attacks.adversarial.questions.answers import ScoreAttack

_PAIRS = 20
_MOMENTUM = 0.8
_PACE = 0.15
_CHUNK = 8


@dataclass(frozen=True, kw_only=True)
class Nes(ScoreAttack):
    """Asks about pairs of opposite probes, weighs them by the difference, and climbs within the budget.

    A clip whose decision has turned is left alone. With scores it starts blind where they are saturated.
    Source: Ilyas, Engstrom, Athalye and Lin, "Black-box adversarial attacks with limited queries and information"
    (ICML 2018).
    """

    name: ClassVar[str] = "nes"
    summary: ClassVar[str] = "natural evolution strategies: gradients estimated from scores or frames"

    def search(self, search: Search) -> None:
        """Attack all clips side by side."""
        change, velocity = np.zeros_like(search.clips), np.zeros_like(search.clips)
        who = search.everybody
        while True:
            inside = search.attempt_sizes() <= 1.0
            who = who[~inside[who] & (search.left[who] > 2 * _PAIRS)]
            if not len(who):
                return
            uphill = search.ball.steepest(who, self._estimate(search, who, change[who]))
            velocity[who] = _MOMENTUM * velocity[who] + uphill
            moved = change[who] + _PACE * search.ball.steepest(who, velocity[who])
            change[who] = 0.998 * search.ball.project(who, moved / 0.998)
            self.nearness(search, who, change[who])
            search.guess(who, change[who])

    def _estimate(self, search: Search, who: Indices, changes: Floats) -> Floats:
        n = changes.shape[1]
        total = np.zeros_like(changes)
        full = norms(search.ball.steepest(who, np.ones_like(changes)))
        lengths = np.maximum(0.3 * full, STEP * np.sqrt(n))
        for start in range(0, _PAIRS, _CHUNK):
            count = min(_CHUNK, _PAIRS - start)
            rate = search.task.sample_rate
            drawn = np.stack([draw(search.rngs[clip], count, n, self.basis, rate) for clip in who])
            probes = lengths[:, None, None] * drawn
            both = np.concatenate([changes[:, None] + probes, changes[:, None] - probes], axis=1)
            asked = np.repeat(who, 2 * count)
            near = self.nearness(search, asked, both.reshape(-1, n)).reshape(len(who), 2, count)
            total += np.einsum("mc,mcs->ms", near[:, 0] - near[:, 1], drawn)
        return total
