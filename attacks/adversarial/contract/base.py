"""The template of an adversary: it writes `search`; what is counted, checked and kept is the same for all."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, Self, final

import numpy as np

from sealproof.attacks.adversarial.contract.oracle import DIRECTIONS, OutOfQueriesError
from sealproof.attacks.adversarial.contract.search import WITHIN, Attempt, Search, Task
from sealproof.attacks.contract.errors import AttackError
from sealproof.attacks.contract.parameters import Parameterised

Asks = Literal["nothing", "decisions", "scores", "frames", "gradients"]
Knows = Literal["nothing", "pairs", "surrogate", "weights"]

NO_FRAMES = "probabilities over time, which this detector does not give"


@dataclass(frozen=True, kw_only=True)
class AdaptiveAttack(Parameterised, ABC):
    """An attack that goes by what a detector answers, or by a copy of it.

    A subclass is a `@dataclass(frozen=True, kw_only=True)` that sets the class variables, declares its fields with
    `attacks.contract.parameters.parameter`, and writes `search`. It holds no other state.
    `sealproof.attacks.adversarial.testing.check_adversary` proves that it keeps the contract.

    Attributes:
        name: Lower-case name in the registry and first part of every id.
        summary: One line for a table.
        knows: What it must know besides the clips: `pairs` of other recordings, a `surrogate`, or the `weights`.
        asks: What it asks of the detector under attack.
        seeks_least: It looks for the least change that turns the decision, and so need not be run anew for a tighter
            budget of the same kind.
        needs_start: It starts from other clips: for forgery marked ones that are detected.
        most_questions: It never asks more than this of a clip, whatever is allowed; None for no bound of its own.
    """

    summary: ClassVar[str]
    knows: ClassVar[Knows] = "nothing"
    asks: ClassVar[Asks] = "nothing"
    seeks_least: ClassVar[bool] = False
    needs_start: ClassVar[bool] = False
    most_questions: ClassVar[int | None] = None

    @property
    def basis_name(self) -> str:
        """Of one that asks questions, where it looks: `all` samples or `low`, below 2 kHz; else empty."""
        return str(self.params.get("basis", ""))

    @classmethod
    def standard(cls) -> list[Self]:
        """Return it in each form that a full evaluation runs."""
        return [cls()]

    def lacks(self, task: Task) -> str | None:
        """Say what it needs and a task does not give, or None."""
        known = task.knowledge
        if self.knows == "surrogate" and known.surrogate is None:
            return "a surrogate: a detector of its own whose weights it has"
        if (self.knows == "pairs" or self.needs_start) and not (len(known.clean) and len(known.marked)):
            return "marked recordings and their originals"
        if self.asks == "gradients" and not task.oracle.has_gradient:
            return "gradients, which this detector does not give"
        if self.asks == "frames" and not task.oracle.has_frames:
            return NO_FRAMES
        return None

    @abstractmethod
    def search(self, search: Search) -> None:
        """Attack the clips of `search.task`, through `search` alone; the only method that an adversary must write.

        What turned a decision is kept as it is asked. It may run into `OutOfQueriesError`, which ends it: what was
        found until then stands.
        """

    @final
    def perform(self, task: Task) -> Attempt:
        """Attack clips, within the budget and the limit of questions.

        The result for a clip rests on that clip, its seed and the knowledge alone, neither on the others nor on their
        order, as far as the oracle's answers do.

        Raises:
            AttackError: The task breaks a rule or lacks what the adversary needs, the adversary fails, or it broke the
                budget or asked too often.
        """
        _check(self.name, task)
        missing = self.lacks(task)
        if missing is not None:
            raise AttackError(f"{self.id} needs {missing}.")
        search = Search(task)
        try:
            self.search(search)
        except OutOfQueriesError:
            pass  # what was found until then stands
        except AttackError:
            raise
        except Exception as error:
            # Whoever runs many adversaries must be able to go on with the others.
            raise AttackError(f"{self.id} failed: {type(error).__name__}: {error}") from error
        attempt = search.attempt()
        self._check_kept(search, attempt)
        return attempt

    def _check_kept(self, search: Search, attempt: Attempt) -> None:
        if not np.isfinite(attempt.audio).all():
            raise AttackError(f"{self.id} must return finite audio. It returned NaN or infinity.")
        sizes = search.ball.size(search.everybody, attempt.audio - search.clips)
        if (sizes > WITHIN).any():
            raise AttackError(f"{self.id} must stay within {search.task.budget.name}. It used {sizes.max():.3f} of it.")
        bounds = [search.task.oracle.limit, *([] if self.most_questions is None else [self.most_questions])]
        if len(attempt.n_questions) and attempt.n_questions.max() > min(bounds):
            raise AttackError(
                f"{self.id} must ask at most {min(bounds)} questions a clip. It asked {attempt.n_questions.max()}."
            )


def _check(name: str, task: Task) -> None:
    clips = task.clips
    if clips.dtype != np.float32 or clips.ndim != 2 or not clips.size or not np.isfinite(clips).all():
        raise AttackError(f"The clips of {name} must be finite float32 (n, samples). Got {clips.dtype} {clips.shape}.")
    if len(task.seeds) != len(clips):
        raise AttackError(f"{name} needs one seed a clip: {len(clips)} clips. Got {len(task.seeds)} seeds.")
    if task.direction not in DIRECTIONS:
        raise AttackError(f"The direction of {name} must be one of {', '.join(DIRECTIONS)}. Got {task.direction!r}.")
