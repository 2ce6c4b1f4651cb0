"""A random walk along the boundary."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sealproof.attacks.adversarial.contract.basis import draw
from sealproof.attacks.adversarial.contract.budget import norms
from sealproof.attacks.adversarial.contract.oracle import Floats, Indices
from sealproof.attacks.adversarial.contract.search import Search
from sealproof.attacks.adversarial.questions.start import DecisionAttack

_SIDEWAYS, _TOWARDS = 0.2, 0.04
_GROWN, _SHRUNK = 1.06, 0.96
"""How a step sideways follows its success: both balance where two of five succeed."""


@dataclass(frozen=True, kw_only=True)
class Boundary(DecisionAttack):
    """Steps sideways at random and a little towards the clip, and keeps what still turns the decision.

    The sizes of both steps follow how often they succeed.
    Source: Brendel, Rauber and Bethge, "Decision-based adversarial attacks" (ICLR 2018).
    """

    name: ClassVar[str] = "boundary"
    summary: ClassVar[str] = "boundary attack: a random walk along the boundary, by decisions"

    def search(self, search: Search) -> None:
        """Attack all clips side by side, until no question is left."""
        who, changes = self.find_start(search)
        sideways, towards = np.full(len(who), _SIDEWAYS), np.full(len(who), _TOWARDS)
        while True:
            has_left = search.left[who] >= 2
            who, changes = who[has_left], changes[has_left]
            sideways, towards = sideways[has_left], towards[has_left]
            if not len(who):
                return
            lengths = norms(changes)
            moved = changes + (sideways * lengths)[:, None] * self._drawn(search, who, changes)
            # Back onto the sphere about the clip.
            moved *= (lengths / np.maximum(norms(moved), 1e-30))[:, None]
            turned = search.decide(who, moved)
            changes = np.where(turned[:, None], moved, changes)
            # On a flat boundary half of the small steps sideways succeed, and fewer of large ones.
            sideways = np.clip(sideways * np.where(turned, _GROWN, _SHRUNK), 0.01, 0.7)
            nearer = (1 - towards)[:, None] * changes
            turned = search.decide(who, nearer)
            changes = np.where(turned[:, None], nearer, changes)
            towards = np.clip(towards * np.where(turned, 1.3, 0.85), 1e-4, 0.3)

    def _drawn(self, search: Search, who: Indices, changes: Floats) -> Floats:
        """Return (m, samples) unit directions at a right angle to the changes."""
        n, rate = changes.shape[1], search.task.sample_rate
        drawn = np.stack([draw(search.rngs[clip], 1, n, self.basis, rate)[0] for clip in who])
        along = np.einsum("ms,ms->m", drawn, changes) / np.maximum((changes**2).sum(axis=1), 1e-30)
        across = drawn - along[:, None] * changes
        return np.asarray(across / np.maximum(norms(across), 1e-30)[:, None])
