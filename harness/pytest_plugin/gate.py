"""The gate: a run's rates against the baseline, rate by rate."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sealproof.harness.comparison.difference import REGRESSION, Difference, interval_text, paired_differences
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.pytest_plugin.baseline import Baseline, BaselineKey, BaselineRow, Sample
from sealproof.harness.pytest_plugin.chance import Chance
from sealproof.harness.tables.rates import RateKey, Tally

AT_CHANCE = "at chance"
"""The rate of a mimic fell too far, but the baseline cannot tell that the mimic follows its reference at all."""

NEW = "new"
"""The rate is in the matrix, not in the baseline."""


@dataclass(frozen=True)
class Judged:
    """A rate as the gate sees it.

    Attributes:
        tally: The rate as it is now.
        difference: From the baseline; None where the baseline has no such rate.
        verdict: `new`, `at chance`, or one of the words of `comparison.difference`.
        excuse: Why a drop is no failure; empty where it is one, or none.
    """

    tally: Tally
    difference: Difference | None
    verdict: str
    excuse: str = ""

    @property
    def drop(self) -> float:
        """By how much the rate got worse; 0 where it is new."""
        return 0.0 if self.difference is None else self.difference.drop(self.tally.metric)

    def sentence(self) -> str:
        """Say who, from, to, and the difference with its interval."""
        tally, difference = self.tally, self.difference
        who = f"{tally.detector} {tally.metric} (rule {tally.threshold_rule})"
        excuse = f"; {self.excuse}" if self.excuse else ""
        if difference is None:
            return f"{who}: {tally.value:.3f}, not in the baseline"
        return f"{who}: from {difference.before:.3f} to {difference.after:.3f}, {interval_text(difference)}{excuse}"


class Gate:
    """Holds a run's rates against the baseline's of the same clips."""

    def __init__(self, baseline: Baseline, path: str, sample: Sample, allowed_drop: float) -> None:
        """Use a baseline, that of other datasets included.

        Args:
            baseline: What the file holds.
            path: The file, as messages call it.
            sample: What the run's rates are taken on.
            allowed_drop: By how much a rate may fall.
        """
        self.baseline = baseline
        self.path = path
        self.sample = sample
        self.allowed_drop = allowed_drop
        self._chance = Chance(baseline, sample)

    def judge(self, tallies: Iterable[Tally]) -> list[Judged]:
        """Judge the rates of a cell, the worst first.

        Raises:
            HarnessError: The baseline cannot be used.
        """
        rates = list(tallies)
        found = [self.baseline.get(BaselineKey(*self.sample[:2], tally.key)) for tally in rates]
        known = [(row, tally) for row, tally in zip(found, rates, strict=True) if row is not None]
        for row, tally in known:
            if row.trials != tuple(tally.trials.tolist()):
                raise HarnessError(
                    f"The baseline {self.path} must count the same clips in every group as this run. Not so for "
                    f"{tally.detector} {tally.metric} under {tally.attack} {tally.params}: the line was changed. Take "
                    "it from version control again, or delete it."
                )
        differences = iter(
            paired_differences([row.tally(self.sample.groups) for row, _ in known], [t for _, t in known])
        )
        judged = [
            self._judged(tally, None if row is None else next(differences))
            for row, tally in zip(found, rates, strict=True)
        ]
        return sorted(judged, key=lambda one: (one.verdict != REGRESSION, -one.drop))

    def _judged(self, tally: Tally, difference: Difference | None) -> Judged:
        verdict = NEW if difference is None else difference.verdict(tally.metric, self.allowed_drop)
        excuse = self._chance.excuse(tally) if verdict == REGRESSION else ""
        return Judged(tally, difference, AT_CHANCE if excuse else verdict, excuse)

    def stale(self, matrix: Iterable[RateKey], scheme: str) -> list[BaselineRow]:
        """Return the baseline's rates of these clips and this scheme that the matrix does not have."""
        expected = set(matrix)
        return [row for row in self._rows(scheme) if row.key.rate not in expected]

    def missing(self, scheme: str) -> str:
        """Say so when the baseline has nothing about these clips and this scheme; empty when it has."""
        if self._rows(scheme):
            return ""
        sample = self.sample
        others = sorted({f"{key.dataset} (clips {key.clips}, {key.rate.scheme})" for key in self.baseline})
        what = f"it is about {', '.join(others[:3])}{' and more' if others[3:] else ''}" if others else "there is none"
        return f"No baseline for {sample.dataset} (clips {sample.clips}, {scheme}) in {self.path}: {what}."

    def _rows(self, scheme: str) -> list[BaselineRow]:
        here = (*self.sample[:2], scheme)
        return [row for key, row in self.baseline.items() if (key.dataset, key.clips, key.rate.scheme) == here]


def complaint(cell_id: str, judged: Sequence[Judged], allowed_drop: float, command: str) -> str:
    """Say which rates of a cell fell too far, and which command accepts it; the worst stands on the first line.

    Args:
        cell_id: The cell's name.
        judged: Its regressions.
        allowed_drop: What was allowed.
        command: Makes these numbers the baseline, and accepts the regression by the cell's name.
    """
    lines = [f"{cell_id}: {judged[0].sentence()}; a drop of {allowed_drop:g} is allowed."]
    lines += [f"  also {one.sentence()}" for one in judged[1:]]
    return "\n".join([*lines, f"To accept: {command}"])
