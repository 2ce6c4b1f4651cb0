"""The contract that every adversary passes: call `check_adversary` in a test of your own."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.adversarial.contract.base import AdaptiveAttack
from sealproof.attacks.adversarial.contract.budget import SnrBudget, written
from sealproof.attacks.adversarial.contract.knowledge import AdversaryKnowledge, Passage, Surrogate
from sealproof.attacks.adversarial.contract.oracle import (
    Audio,
    Direction,
    Flags,
    Floats,
    Indices,
    OutOfQueriesError,
    Slope,
)
from sealproof.attacks.adversarial.contract.search import WITHIN, Attempt, Task
from sealproof.attacks.contract.errors import AttackError

SAMPLE_RATE = 16_000
N_SAMPLES = 800
N_FRAMES = 10


class LinearOracle:
    """A detector whose distance to every clip is known: `score = weights . clip - offset`, with weights of length 1.

    Frames are the logistic function of each part's contribution, scaled so that they are not saturated.

    Attributes:
        limit: Questions allowed for each clip.
        threshold: 0: a score above it is flagged.
        answered: (n,) what was answered about each clip, as a spy counts it.
    """

    threshold = 0.0
    has_frames = False

    def __init__(self, weights: Floats, offset: float, n_clips: int, limit: int, *, has_gradient: bool = True) -> None:
        """Begin to count.

        Args:
            weights: (samples,), not zero.
            offset: Added to what a clip must reach.
            n_clips: Clips that will be asked about.
            limit: Questions allowed for each.
            has_gradient: Whether it gives its weights away.
        """
        self.weights = weights / np.linalg.norm(weights)
        self.offset = offset
        self.limit = limit
        self.has_gradient = has_gradient
        self.answered = np.zeros(n_clips, np.int64)

    def decide(self, batch: Audio, clips: Indices) -> Flags:
        """Return (m,) decisions."""
        return np.asarray(self.score(batch, clips) > self.threshold)

    def score(self, batch: Audio, clips: Indices) -> Floats:
        """Return (m,) scores."""
        asked = np.bincount(clips, minlength=len(self.answered))
        if (self.answered + asked > self.limit).any():
            raise OutOfQueriesError
        self.answered += asked
        return self._value(batch)

    def frames(self, batch: Audio, clips: Indices) -> tuple[Floats, NDArray[np.float32]]:
        """Refuse: it has none."""
        raise AttackError("A linear detector has no frames.")

    def gradient(self, batch: Audio, clips: Indices, direction: Direction) -> Slope:
        """Return decisions, values and the weights."""
        del clips, direction
        values = self._value(batch)
        return Slope(values > self.threshold, values, np.tile(self.weights, (len(batch), 1)))

    def _value(self, batch: Audio) -> Floats:
        return np.asarray(written(batch.astype(np.float64)).astype(np.float64) @ self.weights - self.offset)


class StubbornOracle(LinearOracle):
    """A detector that says the same of everything and of every part of it: flagged, or not."""

    has_frames = True

    def __init__(self, n_clips: int, limit: int, *, flags: bool) -> None:
        """Begin to count."""
        super().__init__(np.ones(N_SAMPLES), 0.0, n_clips, limit)
        self._answer = 1.0 if flags else -1.0

    def frames(self, batch: Audio, clips: Indices) -> tuple[Floats, NDArray[np.float32]]:
        """Return scores and probabilities over time, which are all alike."""
        probability = 1 / (1 + np.exp(-self._answer))
        return self.score(batch, clips), np.full((len(batch), N_FRAMES), probability, np.float32)

    def _value(self, batch: Audio) -> Floats:
        return np.full(len(batch), self._answer)


class FramedOracle(LinearOracle):
    """A detector with frames: each part of a clip is held against its part of the weights; the score is their share."""

    threshold = 0.5
    has_frames = True

    def frames(self, batch: Audio, clips: Indices) -> tuple[Floats, NDArray[np.float32]]:
        """Return scores and probabilities over time."""
        scores = self.score(batch, clips)
        return scores, self._frames(batch).astype(np.float32)

    def gradient(self, batch: Audio, clips: Indices, direction: Direction) -> Slope:
        """Return decisions, the mean of the frames' odds, and its gradient."""
        del clips, direction
        odds = self._odds(batch)
        flagged = np.asarray((odds > 0).mean(axis=1) > self.threshold)
        slopes = np.tile(self.weights, (len(batch), 1)) * 200 / N_FRAMES
        return Slope(flagged, odds.mean(axis=1), slopes)

    def _value(self, batch: Audio) -> Floats:
        return np.asarray((self._odds(batch) > 0).mean(axis=1))

    def _frames(self, batch: Audio) -> Floats:
        return np.asarray(1 / (1 + np.exp(-self._odds(batch))))

    def _odds(self, batch: Audio) -> Floats:
        parts = (written(batch.astype(np.float64)) * self.weights).reshape(len(batch), N_FRAMES, -1)
        return np.asarray(200 * (parts.sum(axis=2) - self.offset / N_FRAMES))


def toy_task(
    direction: Direction = "removal", *, n: int = 4, limit: int = 400, snr_db: float = 10.0, framed: bool = False
) -> Task:
    """Return clips on one side of a toy detector's boundary, all else that an adversary may know, and the detector.

    The weights lie below 2 kHz, so that either basis can find them.
    """
    rng = np.random.default_rng(3)
    spectrum = np.zeros(N_SAMPLES // 2 + 1, np.complex128)
    spectrum[5:60] = rng.standard_normal(55) + 1j * rng.standard_normal(55)
    weights = np.fft.irfft(spectrum, N_SAMPLES)
    weights /= np.linalg.norm(weights)
    clips = 0.1 * rng.standard_normal((n + 8, N_SAMPLES))
    if framed:
        blocks = weights.reshape(N_FRAMES, -1)
        within = clips.reshape(len(clips), N_FRAMES, -1)
        within = within - (within * blocks).sum(axis=2, keepdims=True) * blocks / (blocks**2).sum(axis=1)[:, None]
        clips = within.reshape(clips.shape)
    else:
        clips -= (clips @ weights)[:, None] * weights
    clean, marked = (written(clips + side * 0.12 * weights) for side in (-1, 1))
    attacked = (marked if direction == "removal" else clean)[:n]
    oracle = (FramedOracle if framed else LinearOracle)(weights, 0.0, n, limit)

    def slope(batch: Audio, whither: Direction) -> tuple[Floats, Floats]:
        oracle_slope = oracle.gradient(batch, np.zeros(len(batch), np.intp), whither)
        return oracle_slope.value, oracle_slope.gradient

    usual = [float(np.median(slope(part[n:], direction)[0])) for part in (clean, marked)]
    knowledge = AdversaryKnowledge(
        Surrogate(slope, *usual),
        clean[n:],
        marked[n:],
        (Passage("offset", _turned, lambda gradient: np.roll(gradient, -5, axis=1)),),
    )
    return Task(attacked, SAMPLE_RATE, direction, oracle, SnrBudget(snr_db), range(n), knowledge)


def _turned(batch: Audio, seeds: Sequence[int]) -> Audio:
    del seeds
    return np.roll(batch, 5, axis=1)


def check_adversary(adversary: AdaptiveAttack) -> None:
    """Check that an adversary keeps the contract of `AdaptiveAttack`, in both directions, on toy detectors.

    Raises:
        AssertionError: It breaks it; the text says how.
    """
    assert type(adversary).from_id(adversary.id) == adversary, f"{adversary.id} is not rebuilt from its id"
    forms = type(adversary).standard()
    assert forms, f"{adversary.name} has no standard form"
    assert len({form.id for form in forms}) == len(forms), f"{adversary.name} has a standard form twice"
    for direction in ("removal", "forgery"):
        _check_counts(adversary, direction)
        _check_alone(adversary, direction)
        _check_stubborn(adversary, direction)


def _task(adversary: AdaptiveAttack, direction: Direction, limit: int = 150) -> Task:
    framed = adversary.params.get("answers") == "frames"
    return toy_task(direction, limit=limit, framed=framed)


def _check_counts(adversary: AdaptiveAttack, direction: Direction) -> None:
    """Nothing is exceeded, the spy counts the same, and the best so far never gets worse."""
    for limit in (1, 7, 150):
        task = _task(adversary, direction, limit)
        before = task.clips.copy()
        attempt = adversary.perform(task)
        assert np.array_equal(task.clips, before), f"{adversary.id} wrote into the clips"
        oracle = task.oracle
        assert isinstance(oracle, LinearOracle)
        assert np.array_equal(oracle.answered, attempt.n_questions), f"{adversary.id}: the spy counts otherwise"
        assert attempt.n_questions.max() <= limit, f"{adversary.id} asked too often"
        _check_sizes(adversary, task, attempt)


def _check_sizes(adversary: AdaptiveAttack, task: Task, attempt: Attempt) -> None:
    who = np.arange(len(task.clips))
    ball = task.budget.ball(task.clips, task.sample_rate)
    assert (ball.size(who, attempt.audio.astype(np.float64) - task.clips) <= WITHIN).all(), f"{adversary.id}: budget"
    assert np.array_equal(written(attempt.audio.astype(np.float64)), attempt.audio), f"{adversary.id}: not 16 bits"
    seen = np.isfinite(attempt.least_size)
    sizes = ball.size(who, attempt.least.astype(np.float64) - task.clips)
    assert np.allclose(sizes[seen], attempt.least_size[seen]), f"{adversary.id}: sizes"
    for clip in who:
        steps = [step for step in attempt.steps if step.clip == clip]
        assert [step.size for step in steps] == sorted((step.size for step in steps), reverse=True)
        assert all(step.n_questions <= task.oracle.limit for step in steps)


def _check_alone(adversary: AdaptiveAttack, direction: Direction) -> None:
    """A clip's result is the same in a batch and, a second time, alone."""
    task = _task(adversary, direction)
    together = adversary.perform(task)
    again = _task(adversary, direction)
    one = replace(again, clips=again.clips[2:3], seeds=list(again.seeds)[2:3])
    assert np.array_equal(adversary.perform(one).audio[0], together.audio[2]), f"{adversary.id}: alone and in a batch"


def _check_stubborn(adversary: AdaptiveAttack, direction: Direction) -> None:
    """Against a detector that never changes its mind it ends, asks no more than it may, and finds nothing."""
    task = _task(adversary, direction, limit=60)
    stubborn = StubbornOracle(len(task.clips), 60, flags=direction == "removal")
    attempt = adversary.perform(replace(task, oracle=stubborn))
    assert not np.isfinite(attempt.least_size).any(), f"{adversary.id} claims a success that there is not"
    assert np.isfinite(attempt.audio).all()
