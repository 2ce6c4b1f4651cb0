"""What adversaries share that ask for scores or frames: their parameters, and how near a change is to its goal."""

from dataclasses import dataclass
from typing import ClassVar, Self

from sealproof.attacks.adversarial.contract.base import NO_FRAMES, AdaptiveAttack, Asks
from sealproof.attacks.adversarial.contract.basis import BASES
from sealproof.attacks.adversarial.contract.objective import nearness_of_frames
from sealproof.attacks.adversarial.contract.oracle import Floats, Indices
from sealproof.attacks.adversarial.contract.search import Search, Task
from sealproof.attacks.contract.parameters import parameter

ANSWERS = ("scores", "frames")


@dataclass(frozen=True, kw_only=True)
class ScoreAttack(AdaptiveAttack):
    """An adversary that asks for scores, or for frames."""

    asks: ClassVar[Asks] = "scores"

    answers: str = parameter(unit="", kind=str, choices=ANSWERS, default="frames")
    basis: str = parameter(unit="", kind=str, choices=BASES, default="low")

    @classmethod
    def standard(cls) -> list[Self]:
        """Return it with either kind of answer, in either basis."""
        return [cls(answers=answers, basis=basis) for answers in ANSWERS for basis in BASES]

    def lacks(self, task: Task) -> str | None:
        """Say what a task does not give, or None."""
        if self.answers == "frames" and not task.oracle.has_frames:
            return NO_FRAMES
        return super().lacks(task)

    def nearness(self, search: Search, who: Indices, changes: Floats) -> Floats:
        """Ask about changes and return (m,) how near they are to their goal; higher is nearer. One question each."""
        oracle = search.task.oracle
        if self.answers == "scores":
            return search.sign * (search.score(who, changes) - oracle.threshold)
        return nearness_of_frames(search.frames(who, changes), oracle.threshold, search.sign)
