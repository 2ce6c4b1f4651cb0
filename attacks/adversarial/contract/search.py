"""One attack under way: the clips, the questions asked, and the best that was found so far."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.adversarial.contract.budget import Ball, Budget, written
from sealproof.attacks.adversarial.contract.knowledge import AdversaryKnowledge
from sealproof.attacks.adversarial.contract.oracle import (
    Audio,
    Direction,
    Flags,
    Floats,
    Indices,
    Oracle,
    Slope,
    sign,
)

WITHIN = 1.0 + 1e-9
"""A size up to this is within the budget."""


@dataclass(frozen=True)
class Task:
    """What an adversary is asked to do.

    Attributes:
        clips: (n, samples) float32 on the 16-bit grid; for removal flagged ones, for forgery ones that are not.
        sample_rate: In Hz.
        direction: Which way decisions shall turn.
        oracle: The detector, as it may be asked.
        budget: What may be changed at most.
        seeds: One a clip.
        knowledge: What else is known.
    """

    clips: Audio
    sample_rate: int
    direction: Direction
    oracle: Oracle
    budget: Budget
    seeds: Sequence[int]
    knowledge: AdversaryKnowledge = field(default_factory=AdversaryKnowledge)


@dataclass(frozen=True)
class Step:
    """A smaller change that turned the decision: its `size`, once `n_questions` had been asked about `clip`."""

    clip: int
    n_questions: int
    size: float


@dataclass(frozen=True)
class Attempt:
    """What an adversary came to.

    Attributes:
        audio: (n, samples) float32 on the 16-bit grid, within the budget: the least change within it that was seen to
            turn the decision; where none was, the best guess, or the clip itself.
        least: (n, samples) the least change that was seen to turn the decision, however large it is.
        least_size: (n,) its size, of which 1 is the budget; infinite where none was seen.
        n_questions: (n,) decisions, scores and frames that were asked for.
        n_gradients: (n,) gradients that were taken of the detector itself.
        steps: Every improvement, in order.
    """

    audio: Audio
    least: Audio
    least_size: Floats
    n_questions: NDArray[np.int64]
    n_gradients: NDArray[np.int64]
    steps: tuple[Step, ...]


class Search:
    """Asks on an adversary's behalf, counts, and keeps the best so far; that can be had at any time.

    Candidates are written as 16-bit PCM before they are measured or asked about, so what is kept is what a file holds.

    Attributes:
        clips: (n, samples), float64, those that are attacked.
        rngs: A generator for each; the only source of chance, so that a clip's result rests on that clip alone.
        ball: The budget about the clips.
        sign: -1 for removal, +1 for forgery.
        task: What was asked for.
    """

    def __init__(self, task: Task) -> None:
        """Begin; nothing is asked yet."""
        self.task = task
        self.clips: Floats = task.clips.astype(np.float64)
        self.rngs = [np.random.default_rng(int(seed)) for seed in task.seeds]
        self.ball: Ball = task.budget.ball(task.clips, task.sample_rate)
        self.sign = sign(task.direction)
        n = len(task.clips)
        self._questions = np.zeros(n, np.int64)
        self._gradients = np.zeros(n, np.int64)
        self._least, self._least_size = task.clips.copy(), np.full(n, np.inf)
        self._within, self._within_size = task.clips.copy(), np.full(n, np.inf)
        self._guess = task.clips.copy()
        self._settled = np.zeros(n, np.bool_)
        self._steps: list[Step] = []

    @property
    def everybody(self) -> Indices:
        """(n,) the numbers of all clips."""
        return np.arange(len(self.clips))

    @property
    def left(self) -> NDArray[np.int64]:
        """(n,) questions that are left for each clip."""
        return self.task.oracle.limit - self._questions

    @property
    def least_size(self) -> Floats:
        """(n,) the size of the least change that turned the decision so far; infinite where none did."""
        return self._least_size.copy()

    @property
    def has_turned(self) -> Flags:
        """(n,) whether some change, however large, turned the decision."""
        return np.asarray(np.isfinite(self._least_size))

    def attempt_sizes(self) -> Floats:
        """Return (n,) sizes of the least changes within the budget that turned decisions; infinite where none did."""
        return self._within_size.copy()

    def least_change(self, who: Indices) -> Floats:
        """Return the least changes (m, samples) that turned the decision; zero where none did."""
        return np.asarray(self._least[who] - self.clips[who])

    def decide(self, who: Indices, changes: Floats) -> Flags:
        """Ask whether changes (m, samples) of clips turn the decision; one question each."""
        candidates = self._written(who, changes)
        flagged = self.task.oracle.decide(candidates, who)
        self._count(who)
        return self._seen(who, candidates, flagged)

    def score(self, who: Indices, changes: Floats) -> Floats:
        """Ask for scores; one question each. A score above the oracle's threshold is a decision, too."""
        candidates = self._written(who, changes)
        scores = self.task.oracle.score(candidates, who)
        self._count(who)
        self._seen(who, candidates, scores > self.task.oracle.threshold)
        return scores

    def frames(self, who: Indices, changes: Floats) -> NDArray[np.float32]:
        """Ask for probabilities over time; one question each. Scores, and so decisions, come with them."""
        candidates = self._written(who, changes)
        scores, frames = self.task.oracle.frames(candidates, who)
        self._count(who)
        self._seen(who, candidates, scores > self.task.oracle.threshold)
        return frames

    def shrink(self, who: Indices, changes: Floats, rounds: int) -> Floats:
        """Shrink changes that turn the decision along their ray, by halving; as far as there are questions.

        Returns:
            Changes that turn the decision, close to where it turns.
        """
        holds, fails = np.ones(len(who)), np.zeros(len(who))
        for _ in range(rounds):
            asked = np.flatnonzero(self.left[who] > 0)
            if not len(asked):
                break
            middle = (holds[asked] + fails[asked]) / 2
            turned = self.decide(who[asked], middle[:, None] * changes[asked])
            holds[asked] = np.where(turned, middle, holds[asked])
            fails[asked] = np.where(turned, fails[asked], middle)
        return np.asarray(holds[:, None] * changes)

    def gradient(self, who: Indices, changes: Floats) -> Slope:
        """Take the detector's own gradient, and note where the decision turned."""
        candidates = self._written(who, changes)
        slope = self.task.oracle.gradient(candidates, who, self.task.direction)
        np.add.at(self._gradients, who, 1)
        self._seen(who, candidates, slope.flagged)
        return slope

    def gradient_of(self, who: Indices, audio: Audio) -> Slope:
        """Take the detector's gradient at what became of candidates: no change of a clip, so nothing is noted."""
        slope = self.task.oracle.gradient(audio, who, self.task.direction)
        np.add.at(self._gradients, who, 1)
        return slope

    def settle(self, who: Indices, changes: Floats) -> None:
        """Hand over these changes, although smaller ones may have turned the decision: they withstand less."""
        self.guess(who, changes)
        self._settled[who] = True

    def guess(self, who: Indices, changes: Floats) -> None:
        """Offer changes unasked, in place of earlier ones: what an adversary hands over that may ask nothing."""
        self._guess[who] = self._fitted(who, changes)

    def attempt(self) -> Attempt:
        """Return the best so far."""
        is_known = (np.isfinite(self._within_size) & ~self._settled)[:, None]
        return Attempt(
            np.where(is_known, self._within, self._guess),
            self._least.copy(),
            self._least_size.copy(),
            self._questions.copy(),
            self._gradients.copy(),
            tuple(self._steps),
        )

    def _written(self, who: Indices, changes: Floats) -> Audio:
        return written(self.clips[who] + changes)

    def _fitted(self, who: Indices, changes: Floats) -> Audio:
        """Write changes so that what is written lies within the budget: rounding adds a little."""
        fitted = self.ball.project(who, changes)
        candidates = self._written(who, fitted)
        for shrink in (0.999, 0.99, 0.97, 0.9, 0.7, 0.5):
            too_large = self.ball.size(who, candidates - self.clips[who]) > WITHIN
            if not too_large.any():
                return candidates
            candidates[too_large] = self._written(who[too_large], shrink * fitted[too_large])
        too_large = self.ball.size(who, candidates - self.clips[who]) > WITHIN
        # Of a clip so soft that rounding alone is more than is allowed, nothing can be changed.
        return np.where(too_large[:, None], self.task.clips[who], candidates)

    def _count(self, who: Indices) -> None:
        np.add.at(self._questions, who, 1)

    def _seen(self, who: Indices, candidates: Audio, flagged: Flags) -> Flags:
        turned: Flags = flagged == (self.sign > 0)
        sizes = self.ball.size(who, candidates - self.clips[who])
        for row in np.flatnonzero(turned):
            clip, size = int(who[row]), float(sizes[row])
            if size < self._least_size[clip]:
                self._least_size[clip], self._least[clip] = size, candidates[row]
                self._steps.append(Step(clip, int(self._questions[clip]), size))
            if size <= WITHIN and size < self._within_size[clip]:
                self._within_size[clip], self._within[clip] = size, candidates[row]
        return turned
