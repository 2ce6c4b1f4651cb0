"""The gate: a run's rates against the baseline, rate by rate."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sealproof.harness.comparison.allowance import allowance
from sealproof.harness.comparison.difference import (
    REGRESSION,
    UNPROVEN,
    Difference,
    interval_text,
    paired_differences,
)
from sealproof.harness.comparison.losses import losses
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.seeds import derive_seed
from sealproof.harness.pytest_plugin.baseline import Baseline, BaselineKey, BaselineRow, Sample
from sealproof.harness.pytest_plugin.chance import Chance
from sealproof.harness.statistics.change.budget import CELLS, cell_level
from sealproof.harness.statistics.change.collapse import find_collapse
from sealproof.harness.statistics.change.flips import flip_test, flip_tests
from sealproof.harness.tables.rates import RULELESS_METRICS, RateKey, Tally

AT_CHANCE = "at chance"
"""The rate of a mimic fell too far, but the baseline cannot tell that the mimic follows its reference at all."""

NEW = "new"
"""The rate is in the matrix, not in the baseline."""

EARLIER = "not gated yet"
"""The rate is of a kind that the baseline has nothing of: it is from before such rates were gated."""

COLLAPSE = "collapse"
"""Recordings that were found are found no more, whatever the rate over all of them says."""

RED = (REGRESSION, COLLAPSE)
"""Verdicts that fail a cell."""


@dataclass(frozen=True)
class Judged:
    """A rate as the gate sees it.

    Attributes:
        tally: The rate as it is now.
        difference: From the baseline; None where the baseline has no such rate.
        verdict: `new`, `not gated yet`, `at chance`, `collapse`, or one of the words of `comparison.difference`.
        allowed: By how much it may get worse.
        p: P value of the loss, adjusted for the rates of the cell; NaN where the rate is not known.
        p_together: The same, adjusted for the session's cells, too; NaN before the session's end.
        collapsed: Recordings that were found and are found no more.
        losses: (G,) what each recording lost, in trials; empty where the rate is not known.
        excuse: Why a drop is no failure; empty where it is one, or none.
    """

    tally: Tally
    difference: Difference | None
    verdict: str
    allowed: float = math.nan
    p: float = math.nan
    p_together: float = math.nan
    collapsed: tuple[str, ...] = ()
    losses: tuple[float, ...] = ()
    excuse: str = ""

    @property
    def drop(self) -> float:
        """By how much the rate got worse; 0 where it is new."""
        return 0.0 if self.difference is None else self.difference.drop(self.tally.metric)

    @property
    def is_red(self) -> bool:
        """Whether it fails its cell."""
        return self.verdict in RED

    def sentence(self) -> str:
        """Say who, from, to, the difference with its interval, and how likely it is by chance."""
        tally, difference = self.tally, self.difference
        who = f"{tally.detector} {tally.metric}{f' (rule {tally.threshold_rule})' if tally.threshold_rule else ''}"
        if difference is None:
            return f"{who}: {tally.value:.3f}, not in the baseline"
        said = f"{who}: from {difference.before:.3f} to {difference.after:.3f}, {interval_text(difference)}"
        if self.drop > self.allowed:
            said += f", p={self.p:.2g}"
        if self.verdict == COLLAPSE:
            names = ", ".join(self.collapsed[:3]) + ", ..." * (len(self.collapsed) > 3)
            said += f"; {len(self.collapsed)} recordings collapsed ({names})"
        return f"{said}; {self.excuse}" if self.excuse else said


class Gate:
    """Holds a run's rates against the baseline's of the same clips."""

    def __init__(self, baseline: Baseline, path: str, sample: Sample, allowed_drop: float, n_cells: int = 1) -> None:
        """Use a baseline, that of other datasets included.

        Args:
            baseline: What the file holds.
            path: The file, as messages call it.
            sample: What the run's rates are taken on.
            allowed_drop: By how much a rate may fall.
            n_cells: Cells of the matrix that the baseline knows, whether they run this time or not: so a cell by itself
                says the same under `-k`, in any order and in any process.
        """
        self.baseline = baseline
        self.path = path
        self.sample = sample
        self.allowed_drop = allowed_drop
        self.level = cell_level(max(n_cells, 1))
        self._chance = Chance(baseline, sample)
        self._has_ruleless = {
            key.rate.scheme for key in baseline if key[:2] == sample[:2] and key.rate.metric in RULELESS_METRICS
        }
        self._has_any = {key.rate.scheme for key in baseline if key[:2] == sample[:2]}

    def judge(self, tallies: Iterable[Tally]) -> list[Judged]:
        """Judge the rates of a cell by themselves, the worst first.

        Raises:
            HarnessError: The baseline cannot be used.
        """
        rates = list(tallies)
        rows = [self.baseline.get(BaselineKey(*self.sample[:2], tally.key)) for tally in rates]
        known = [(row, tally) for row, tally in zip(rows, rates, strict=True) if row is not None]
        for row, tally in known:
            if row.trials != tuple(tally.trials.tolist()):
                raise HarnessError(
                    f"The baseline {self.path} must count the same clips in every group as this run. Not so for "
                    f"{tally.detector} {tally.metric} under {tally.attack} {tally.params}: the line was changed. Take "
                    "it from version control again, or delete it."
                )
        differences = paired_differences([row.tally(self.sample.groups) for row, _ in known], [t for _, t in known])
        lost = [losses(tally.metric, row.successes, tally.successes, row.trials) for row, tally in known]
        chances = flip_test(np.stack(lost, axis=1), self._seed, self.level).tolist() if lost else []
        held = {
            tally.key: self._known(row, tally, difference, p, tuple(own.tolist()))
            for (row, tally), difference, p, own in zip(known, differences, chances, lost, strict=True)
        }
        return _worst_first([held[tally.key] if tally.key in held else self._new(tally) for tally in rates])

    def together(self, judged: Mapping[str, Sequence[Judged]]) -> dict[str, list[Judged]]:
        """Judge the rates of a session's cells beside each other: what one cell cannot prove by itself, all may.

        Args:
            judged: By cell, what each said by itself.

        Returns:
            The same with the p values of the session; an `unproven` drop may have become a `regression`.
        """
        names = [name for name, rates in judged.items() if any(one.losses for one in rates)]
        cells = [np.array([one.losses for one in judged[name] if one.losses], dtype=np.float64).T for name in names]
        rejudged = {name: list(rates) for name, rates in judged.items()}
        for name, chances in zip(names, flip_tests(cells, self._seed), strict=True):
            values = iter(chances.tolist())
            rejudged[name] = _worst_first(
                [self._beside(one, next(values) if one.losses else 1.0) for one in judged[name]]
            )
        return rejudged

    @property
    def _seed(self) -> int:
        return derive_seed("flips of the gate")

    def _new(self, tally: Tally) -> Judged:
        is_earlier = tally.metric in RULELESS_METRICS and tally.scheme in self._has_any - self._has_ruleless
        return Judged(tally, None, EARLIER if is_earlier else NEW)

    def _known(
        self, row: BaselineRow, tally: Tally, difference: Difference, p: float, lost: tuple[float, ...]
    ) -> Judged:
        verdict = difference.verdict(tally.metric, self.allowed_drop)
        if verdict in (REGRESSION, UNPROVEN):
            # How large a drop is, the user says; how sure, the flips do: they know how many cells there are.
            verdict = REGRESSION if p <= self.level else UNPROVEN
        collapsed = self._collapsed(row, tally)
        if collapsed and verdict != REGRESSION:
            verdict = COLLAPSE
        allowed = allowance(tally.metric, difference.before, self.allowed_drop)
        return self._excused(Judged(tally, difference, verdict, allowed, p, collapsed=collapsed, losses=lost))

    def _beside(self, one: Judged, p: float) -> Judged:
        if one.difference is None:
            return one
        is_proven = one.verdict == UNPROVEN and p <= CELLS
        return self._excused(replace(one, p_together=p, verdict=REGRESSION if is_proven else one.verdict))

    def _excused(self, one: Judged) -> Judged:
        excuse = self._chance.excuse(one.tally) if one.is_red else ""
        return replace(one, verdict=AT_CHANCE, excuse=excuse) if excuse else one

    def _collapsed(self, row: BaselineRow, tally: Tally) -> tuple[str, ...]:
        """Name the recordings that collapsed, where so many did that it is a failure."""
        if tally.metric == "tpr":
            collapse = find_collapse(row.successes, tally.successes, row.trials)
        elif tally.metric == "fpr":
            trials = np.array(row.trials)
            collapse = find_collapse(trials - np.array(row.successes), trials - tally.successes, trials)
        else:
            return ()
        return tuple(self.sample.groups[place] for place in collapse.lost) if collapse.is_failure else ()

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


def _worst_first(judged: Sequence[Judged]) -> list[Judged]:
    return sorted(judged, key=lambda one: (not one.is_red, -one.drop))


def complaint(cell_id: str, judged: Sequence[Judged], command: str) -> str:
    """Say which rates of a cell fell too far, and which command accepts it; the worst stands on the first line.

    Args:
        cell_id: The cell's name.
        judged: What failed it.
        command: Makes these numbers the baseline, and accepts the regression by the cell's name.
    """
    lines = [f"{cell_id}: {judged[0].sentence()}; a drop of {judged[0].allowed:g} is allowed."]
    lines += [f"  also {one.sentence()}" for one in judged[1:]]
    return "\n".join([*lines, f"To accept: {command}"])
