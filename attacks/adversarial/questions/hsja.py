"""The boundary's own direction, estimated from yes and no."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sealproof.attacks.adversarial.contract.basis import draw
from sealproof.attacks.adversarial.contract.budget import STEP, norms
from sealproof.attacks.adversarial.contract.oracle import Floats, Indices
from sealproof.attacks.adversarial.contract.search import Search
from sealproof.attacks.adversarial.questions.start import DecisionAttack

_FIRST_PROBES = 40
_PULLS = 6
_HALVINGS = 5
_PROBE_SHARE = 0.25
"""Length of a probe against that of the change: 16 bits swallow smaller ones, larger ones leave the boundary."""

_CHUNK = 16
"""Probes of each clip in one batch: bounds memory."""


@dataclass(frozen=True, kw_only=True)
class HopSkipJump(DecisionAttack):
    """From a change that turns the decision: probe around it, step along the mean of what turned, pull back, again.

    Source: Chen, Jordan and Wainwright, "HopSkipJumpAttack: a query-efficient decision-based attack" (IEEE S&P 2020);
    in this form probes are long enough for 16 bits, and are drawn in a basis.
    """

    name: ClassVar[str] = "hsja"
    summary: ClassVar[str] = "HopSkipJump: the boundary's direction, estimated from decisions"

    def search(self, search: Search) -> None:
        """Attack all clips side by side, until no question is left."""
        who, changes = self.find_start(search)
        rounds = 0
        while len(who):
            rounds += 1
            probes = round(_FIRST_PROBES * rounds**0.5)
            has_left = search.left[who] >= probes + _HALVINGS + _PULLS
            who, changes = who[has_left], changes[has_left]
            if not len(who):
                return
            direction = self._estimate(search, who, changes, probes)
            changes = self._step(search, who, changes, direction, rounds)
            changes = search.shrink(who, changes, _PULLS)

    def _estimate(self, search: Search, who: Indices, changes: Floats, probes: int) -> Floats:
        """Return (m, samples) unit directions into what turns the decision."""
        n = changes.shape[1]
        # A probe of less than a step in most samples is rounded away.
        lengths = np.maximum(_PROBE_SHARE * norms(changes), STEP * np.sqrt(n))
        total, mean_draw = np.zeros_like(changes), np.zeros_like(changes)
        yes = np.zeros(len(who))
        done = 0
        while done < probes:
            count = min(_CHUNK, probes - done)
            drawn = np.stack([draw(search.rngs[clip], count, n, self.basis, search.task.sample_rate) for clip in who])
            around = changes[:, None] + lengths[:, None, None] * drawn
            turned = search.decide(np.repeat(who, count), around.reshape(-1, n)).reshape(len(who), count)
            signs = np.where(turned, 1.0, -1.0)
            total += np.einsum("mc,mcs->ms", signs, drawn)
            mean_draw += drawn.sum(axis=1)
            yes += signs.sum(axis=1)
            done += count
        # Signs that are mostly alike say little: their mean is taken off, but for those that are all alike.
        offset = np.where(np.abs(yes) < probes, yes / probes, 0.0)
        directions = total - offset[:, None] * mean_draw
        return np.asarray(directions / np.maximum(norms(directions), 1e-30)[:, None])

    @staticmethod
    def _step(search: Search, who: Indices, changes: Floats, direction: Floats, rounds: int) -> Floats:
        """Step along directions, half as far each time until the decision stays turned; where it never does, stay."""
        pace = norms(changes) / np.sqrt(rounds)
        open_ones = np.arange(len(who))
        after_step = changes.copy()
        for _ in range(_HALVINGS):
            stepped = changes[open_ones] + pace[open_ones, None] * direction[open_ones]
            turned = search.decide(who[open_ones], stepped)
            after_step[open_ones[turned]] = stepped[turned]
            open_ones = open_ones[~turned]
            pace[open_ones] /= 2
            if not len(open_ones):
                break
        return after_step
