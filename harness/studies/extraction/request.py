"""What the extraction study is asked for: every combination of what an attacker may have."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.matrix.request import RunRequest
from sealproof.harness.studies.extraction.imitators.catalogue import IMITATORS
from sealproof.harness.training.mimics.queries import ACCESS

BUDGETS = (100, 300, 1000, 3000, 10_000)
"""Answers that are paid for, by default."""

PLAIN, ALTERED = "plain", "altered"
"""Which clips the attacker knows of: all as they are, or half of them and half altered; `altered:noise+codec` alters
with the attacks of some families only."""

SELECTIONS = ("random", "knockoff", "active")
"""How altered clips are chosen: by chance; families of attacks by what they taught before; by the imitator's doubt."""

TRAIN, UNHEARD, WITHOUT = "train", "unheard", "without:"
"""Whose clips: those of the training split; those that neither the detector's training nor its choice has heard; those
of the training split but for one source, on which it is then judged. Anything else is the folder of a dataset."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One imitation.

    Attributes:
        imitator: What is taught.
        access: What it is told of each clip.
        augment: `plain`, `altered`, or `altered:FAMILY+FAMILY`.
        select: How altered clips are chosen.
        data: Whose clips.
        budget: Clips whose label or answer it gets.
        steps: Training steps.
        seed: Of everything that is drawn.
    """

    imitator: str
    access: str
    augment: str
    select: str
    data: str
    budget: int
    steps: int
    seed: int

    @property
    def families(self) -> tuple[str, ...] | None:
        """Families of attacks that it alters with; None for all."""
        _, colon, names = self.augment.partition(":")
        return tuple(names.split("+")) if colon else None

    @property
    def is_altered(self) -> bool:
        """Whether half of the clips are altered."""
        return self.augment != PLAIN

    def shares(self, n_train: int) -> tuple[int, int]:
        """Return how many of so many pairs and how many altered clips the budget buys."""
        n_pairs = min(n_train, self.budget // (4 if self.is_altered else 2))
        return n_pairs, self.budget - 2 * n_pairs if self.is_altered else 0


@dataclass(frozen=True, kw_only=True)
class ExtractRequest:
    """What the study is asked for; each combination of the lists is a case.

    Attributes:
        imitators: Names of what is taught.
        access: Some of `ACCESS`.
        augment: `plain`, `altered`, or `altered:FAMILY+FAMILY`.
        select: Some of `SELECTIONS`; other than `random` for altered clips only.
        data: `train`, `unheard`, `without:SOURCE`, or folders of datasets.
        budgets: Numbers of clips whose label or answer the imitator gets.
        seeds: Each is a case of its own.
        steps: Training steps, alike for all.
        attacks: On which imitations are judged: a preset's name, a TOML file or ids.
        n_clips: Pairs on which they are judged.
        judge: Folder of another dataset of the same scheme to judge on; None for the dataset's own held-out clips.
        yardsticks: Also judge what needs no learning: oracles, the detector itself moved by a sample, and mimics.
    """

    imitators: tuple[str, ...] = ("distilled_cnn",)
    access: tuple[str, ...] = ("labels", "decisions", "scores")
    augment: tuple[str, ...] = (ALTERED,)
    select: tuple[str, ...] = ("random",)
    data: tuple[str, ...] = (TRAIN,)
    budgets: tuple[int, ...] = BUDGETS
    seeds: tuple[int, ...] = (0,)
    steps: int = 1500
    attacks: str = RunRequest.attacks
    n_clips: int = 100
    judge: Path | None = None
    yardsticks: bool = False

    def __post_init__(self) -> None:
        """Refuse unknown names and impossible numbers."""
        for option, given, known in (
            ("imitators", self.imitators, tuple(IMITATORS)),
            ("access", self.access, ACCESS),
            ("select", self.select, SELECTIONS),
            ("augment", tuple(each.partition(":")[0] for each in self.augment), (PLAIN, ALTERED)),
        ):
            unknown = sorted(set(given) - set(known))
            if unknown or not given:
                raise HarnessError(
                    f"--{option} must be some of {', '.join(known)}. Got {', '.join(unknown) or 'none'}."
                )
        if not self.budgets or min(self.budgets) < 4:
            raise HarnessError(
                f"--budget must be numbers of clips of at least 4, joined by commas. Got {self.budgets}."
            )
        if not self.data or not self.seeds:
            raise HarnessError("--data and --seeds must name at least one each. Got none.")
        for name, value in (("clips", self.n_clips), ("steps", self.steps)):
            if value < 1:
                raise HarnessError(f"--{name} must be at least 1. Got {value}.")

    def cases(self) -> Iterator[Case]:
        """Yield every combination; a choice among altered clips makes none of clips as they are."""
        for data, augment, seed, imitator, access, select, budget in product(
            self.data, self.augment, self.seeds, self.imitators, self.access, self.select, sorted(set(self.budgets))
        ):
            case = Case(
                imitator=imitator,
                access=access,
                augment=augment,
                select=select,
                data=data,
                budget=budget,
                steps=self.steps if IMITATORS[imitator].takes_steps else 0,
                seed=seed,
            )
            if case.is_altered or select == SELECTIONS[0]:
                yield case


def without_seed(case: Case) -> Case:
    """Return what a case has in common with those of other seeds."""
    return replace(case, seed=-1)
