"""Two runs on the same clips (two versions of a detector or of a library), compared rate by rate."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.comparison.difference import REGRESSION, SAME, Difference, paired_differences
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.statistics.estimation.groups import successes_by_group
from sealproof.harness.statistics.estimation.vectors import Flags
from sealproof.harness.statistics.significance import holm, mcnemar_exact
from sealproof.harness.tables.dictionary.columns import CLIPS
from sealproof.harness.tables.rates import RULES, Tally, rate_flags
from sealproof.harness.tables.reading.clips import ABSENT, RunDecisions
from sealproof.harness.tables.reading.run_folder import RunFolder


@dataclass(frozen=True)
class Compared:
    """One rate in both runs.

    Attributes:
        after: The rate in the second run.
        difference: Second minus first run, paired by clip and clustered by group.
        mcnemar_p: Exact p value that as many clips were lost as won, clips taken to be independent.
        mcnemar_p_holm: The same, adjusted for the attacks on which this detector, rule and metric were compared.
        verdict: One of the words of `comparison.difference`.
    """

    after: Tally
    difference: Difference
    mcnemar_p: float
    mcnemar_p_holm: float
    verdict: str

    @property
    def drop(self) -> float:
        """By how much the rate got worse; below zero where it got better."""
        return self.difference.drop(self.after.metric)


@dataclass(frozen=True)
class Comparison:
    """What two runs come to.

    Attributes:
        before: The first run's folder.
        after: The second's.
        scheme: Name of the watermark scheme.
        allowed_drop: By how much a rate may fall.
        rates: What both have, the worst first.
        newly_failed: Why cells failed that the first run finished, by `attack params`.
        missing: Cells and detectors that only the first run finished or names.
        new: Those that only the second has.
        facts: What else differs: name, first run, second run.
    """

    before: Path
    after: Path
    scheme: str
    allowed_drop: float
    rates: list[Compared]
    newly_failed: dict[str, str]
    missing: list[str]
    new: list[str]
    facts: list[tuple[str, str, str]]

    @property
    def regressions(self) -> list[Compared]:
        """The rates that fell too far, the worst first."""
        return [rate for rate in self.rates if rate.verdict == REGRESSION]

    @property
    def changed(self) -> list[Compared]:
        """The rates that are not the same, the worst first."""
        return [rate for rate in self.rates if rate.verdict != SAME]

    @property
    def is_failure(self) -> bool:
        """Whether the second run is worse: a rate fell too far, or a cell failed that did not before."""
        return bool(self.regressions or self.newly_failed)


def compare_runs(run_a: Path, run_b: Path, allowed_drop: float) -> Comparison:
    """Compare two run folders, clip by clip.

    Args:
        run_a: The folder of the run before a change.
        run_b: The folder of the run after it.
        allowed_drop: By how much a rate may fall, in [0, 1].

    Raises:
        HarnessError: A folder is no run, or the runs are not of the same clips.
    """
    if not 0 <= allowed_drop <= 1:
        raise HarnessError(f"--allowed-drop must lie in 0 .. 1, as 0.05. Got {allowed_drop}.")
    first, second = RunFolder.open(run_a), RunFolder.open(run_b)
    _refuse_other_clips(first, second)
    before, after = first.decisions, second.decisions
    failed = {side: _failures(folder) for side, folder in (("a", first), ("b", second))}
    return Comparison(
        before=run_a,
        after=run_b,
        scheme=second.scheme,
        allowed_drop=allowed_drop,
        rates=_compared((first, second), before, after, allowed_drop),
        newly_failed={cell: failed["b"][cell] for cell in map(cell_name, before.cells) if cell in failed["b"]},
        missing=_only(before, after, set(failed["b"])),
        new=_only(after, before, set(failed["a"])),
        facts=list(_other_facts(first.facts, second.facts)),
    )


def cell_name(cell: tuple[str, str]) -> str:
    """Return `attack params`."""
    return " ".join(cell).strip()


def _refuse_other_clips(first: RunFolder, second: RunFolder) -> None:
    for name in ("scheme", "dataset_seed", "corpus"):
        a, b = first.facts.get(name), second.facts.get(name)
        if a != b:
            raise HarnessError(
                f"Runs can be compared only where they are of the same clips and the same scheme. The {name} of "
                f"{first.root} is {a}, that of {second.root} is {b}: build both datasets from one corpus and seed."
            )
    a, b = (side.facts.get("clean_sha256") for side in (first, second))
    # A run of an earlier version does not say.
    if a and b and a != b:
        raise HarnessError(
            f"Runs can be compared only where they are of the same clips. Those of {first.root} and {second.root} have "
            f"the same names, but other clean audio (sha256 {a[:12]}... and {b[:12]}...): build both datasets from the "
            "same files."
        )


def _failures(folder: RunFolder) -> dict[str, str]:
    table = folder.summary
    rows = table[table["status"] == "failed"]
    columns = (rows[name].tolist() for name in ("attack", "params", "error"))
    return {cell_name((attack, params)): error for attack, params, error in zip(*columns, strict=True)}


def _only(these: RunDecisions, those: RunDecisions, failed: set[str]) -> list[str]:
    cells = [cell_name(cell) for cell in these.cells if cell not in set(those.cells)]
    detectors = [f"detector {name}" for name in these.detectors if name not in set(those.detectors)]
    return [name for name in cells if name not in failed] + detectors


def _compared(
    folders: tuple[RunFolder, RunFolder], before: RunDecisions, after: RunDecisions, allowed_drop: float
) -> list[Compared]:
    clips = [name for name in before.clip_ids if name in after.group_of]
    if not clips or any(before.group_of[name] != after.group_of[name] for name in clips):
        raise HarnessError(
            "Runs can be compared only where they have clips in common, with the same groups. These have not."
        )
    detectors = [name for name in before.detectors if name in after.detectors]
    roles = {name: str(folders[0].facts["detectors"][name]["role"]) for name in detectors}
    groups, codes = np.unique([before.group_of[name] for name in clips], return_inverse=True)
    context = _Context(folders[0].scheme, detectors, roles, tuple(map(str, groups)), codes)
    sides = [_Side(folder.root / CLIPS, side, clips) for folder, side in zip(folders, (before, after), strict=True)]
    compared: list[Compared] = []
    for cell in before.cells:
        if cell in sides[1].cells:
            compared += _compared_cell(context, cell, sides, allowed_drop)
    return sorted(_adjusted(compared), key=lambda rate: (rate.verdict != REGRESSION, -rate.drop, rate.after.key))


@dataclass(frozen=True)
class _Context:
    scheme: str
    detectors: list[str]
    roles: dict[str, str]
    groups: tuple[str, ...]
    codes: NDArray[np.intp]


class _Side:
    """One run, restricted to the clips that both have."""

    def __init__(self, path: Path, decisions: RunDecisions, clips: list[str]) -> None:
        self._path = path
        where = {name: index for index, name in enumerate(decisions.clip_ids)}
        self.cells = {cell: index for index, cell in enumerate(decisions.cells)}
        self._detectors = {name: index for index, name in enumerate(decisions.detectors)}
        self._clips = np.array([where[name] for name in clips])
        self._says = decisions.says
        self.rules = frozenset(decisions.says)

    def says(self, cell: tuple[str, str], detector: str, rule: str) -> Flags:
        """Return (2, clips) decisions."""
        said = self._says[rule][self.cells[cell], self._detectors[detector]][:, self._clips]
        if (said == ABSENT).any():
            raise HarnessError(
                f"{detector} must have judged every clip under {cell_name(cell)}. {self._path} lacks some: write it "
                "again with `sealproof run`."
            )
        return np.asarray(said, dtype=np.bool_)


def _compared_cell(
    context: _Context, cell: tuple[str, str], sides: list[_Side], allowed_drop: float
) -> Iterator[Compared]:
    # A rule that has no threshold in one of the runs has no rates to compare.
    rules = [rule for rule in RULES if all(rule in side.rules for side in sides)]
    flags = [dict(_rates(context, side, cell, rules)) for side in sides]
    tallies: tuple[list[Tally], list[Tally]] = ([], [])
    for key in flags[0]:
        detector, rule, metric = key
        names = (context.scheme, *cell, detector, context.roles[detector], rule, metric)
        for side in (0, 1):
            counts = successes_by_group(flags[side][key], context.codes, len(context.groups))
            tallies[side].append(Tally(*names, context.groups, *counts))
    pairs = [(old.ravel(), flags[1][key].ravel()) for key, old in flags[0].items()]
    changes = np.array([[np.sum(old & ~new), np.sum(~old & new)] for old, new in pairs], dtype=np.int64)
    differences = paired_differences(*tallies, changes)
    for tally, difference, (old, new) in zip(tallies[1], differences, pairs, strict=True):
        p_value = mcnemar_exact(old, new)
        yield Compared(tally, difference, p_value, p_value, difference.verdict(tally.metric, allowed_drop))


def _rates(
    context: _Context, side: _Side, cell: tuple[str, str], rules: Sequence[str]
) -> Iterator[tuple[tuple[str, str, str], Flags]]:
    for rule in rules:
        says = {detector: side.says(cell, detector, rule) for detector in context.detectors}
        reference = next((says[name] for name, role in context.roles.items() if role == "reference"), None)
        for detector, said in says.items():
            other = None if context.roles[detector] == "reference" else reference
            for metric, flags in rate_flags(said, other).items():
                yield (detector, rule, metric), flags


def _adjusted(rates: Iterable[Compared]) -> list[Compared]:
    families: dict[tuple[str, str, str], list[Compared]] = defaultdict(list)
    for rate in rates:
        families[rate.after.detector, rate.after.threshold_rule, rate.after.metric].append(rate)
    return [
        replace(rate, mcnemar_p_holm=float(adjusted))
        for family in families.values()
        for rate, adjusted in zip(family, holm([rate.mcnemar_p for rate in family]), strict=True)
    ]


_NOT_FACTS = {"written", "cells", "files", "content_sha256"}
"""What differs between any two runs, or is compared cell by cell."""


def _other_facts(a: Mapping[str, Any], b: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    for name in dict.fromkeys([*a, *b]):
        if not prefix and name in _NOT_FACTS:
            continue
        here, there = a.get(name), b.get(name)
        if isinstance(here, dict) and isinstance(there, dict):
            yield from _other_facts(here, there, f"{prefix}{name}.")
        elif here != there:
            yield f"{prefix}{name}", "" if here is None else str(here), "" if there is None else str(there)
