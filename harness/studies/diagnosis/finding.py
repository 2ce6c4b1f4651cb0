"""What a probe brings back: numbers with intervals and limits, and curves for the picture."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.statistics.estimation.estimate import Estimate

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Limit:
    """What a number should be.

    Attributes:
        low: It should be at least this, or None.
        high: It should be at most this, or None.
        is_goal: Whether it is merely aimed at; a scheme that misses a floor must not ship, one that misses a goal may.
    """

    low: float | None = None
    high: float | None = None
    is_goal: bool = False

    def holds(self, value: float) -> bool:
        """Say whether a number keeps the limit; NaN does not."""
        return bool((self.low is None or value >= self.low) and (self.high is None or value <= self.high))

    @property
    def text(self) -> str:
        """The limit in signs, as `>= 0.95`."""
        signs = [f"{sign} {end:g}" for sign, end in ((">=", self.low), ("<=", self.high)) if end is not None]
        return " and ".join(signs) + (" (goal)" if self.is_goal else "")


@dataclass(frozen=True)
class Finding:
    """One number of a diagnosis.

    Attributes:
        family: The question it belongs to.
        name: Its id within the diagnosis, `family.what`: letters, digits and `. _ -`.
        meaning: What was asked, in words.
        unit: `share`, `auc`, `db`, `hz`, ...
        value: The answer; NaN where there is none.
        ci_low: Lower end of its 95 % interval, NaN where none is known.
        ci_high: Upper end.
        n_clips: Clips that it is taken over.
        n_groups: Recordings that these come from.
        detail: Where or for what it was found, as the frequency of the worst sine.
        limit: What it should be, where something is set.
    """

    family: str
    name: str
    meaning: str
    unit: str
    value: float
    ci_low: float = math.nan
    ci_high: float = math.nan
    n_clips: int = 0
    n_groups: int = 0
    detail: str = ""
    limit: Limit | None = None

    @property
    def passes(self) -> bool | None:
        """Whether the value keeps its limit; None where no limit is set or there is no value."""
        return None if self.limit is None or math.isnan(self.value) else self.limit.holds(self.value)

    @classmethod
    def of(
        cls, name: str, meaning: str, unit: str, estimate: Estimate, detail: str = "", limit: Limit | None = None
    ) -> "Finding":
        """Make a finding of an estimate; the family is the first part of the name."""
        return cls(
            family=name.partition(".")[0],
            name=name,
            meaning=meaning,
            unit=unit,
            value=estimate.value,
            ci_low=estimate.ci_low,
            ci_high=estimate.ci_high,
            n_clips=estimate.n_clips,
            n_groups=estimate.n_groups,
            detail=detail,
            limit=limit,
        )

    @classmethod
    def bare(cls, name: str, meaning: str, unit: str, value: float, detail: str = "") -> "Finding":
        """Make a finding that is no estimate over clips, as a frequency."""
        return cls(name.partition(".")[0], name, meaning, unit, value, detail=detail)


@dataclass(frozen=True)
class Curve:
    """A series for the picture and curves.csv: values over something, each over `n_clips` clips."""

    name: str
    x_name: str
    x: Sequence[float] | Floats
    y: Sequence[float] | Floats
    n_clips: int
