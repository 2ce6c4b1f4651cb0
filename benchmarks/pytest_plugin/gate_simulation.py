"""Measure how often the gate is red by chance, and how often it finds a loss, on the decisions of real runs.

    sealproof build --corpus demo --clips 1000 --out data/gate
    sealproof train data/gate --mimic spectrogram_cnn --seed 0
    sealproof run data/gate --attacks standard --out a
    sealproof train data/gate --mimic spectrogram_cnn --seed 1 --force
    sealproof run data/gate --attacks standard --out b
    python -m benchmarks.pytest_plugin.gate_simulation a b --detector spectrogram_cnn

Run by hand from the repository's root; docs/gate.md has what came out. The population is what one detector (`before`)
and its twin, trained with another seed (`after`), said of every test clip under every attack; so cells depend on each
other, clips on their recordings and errors on clips as they really do. A session draws recordings of it, clips of each,
and cells. Equal detectors are made of it in two ways, for both of which every rate is truly the same before and after:

- `swapped`: for each recording a coin says which of the two detectors came before, under all attacks at once;
- `redrawn`: one detector; each recording's clips are drawn twice with replacement, once for before and once for after.

Losses are put into `before`, so that nothing else changes: clips drawn at random are lost under one attack, under all,
or whole recordings are; or clean clips are flagged. `old` is the gate before this one: any rate that fell by more than
5 points with a 95 % interval that excludes zero.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sealproof.harness.comparison.allowance import allowance, mean_allowance
from sealproof.harness.comparison.difference import paired_differences
from sealproof.harness.comparison.losses import losses
from sealproof.harness.statistics.change.budget import ALLOWED_DROP, CELLS, OVERALL, cell_level
from sealproof.harness.statistics.change.collapse import find_collapse
from sealproof.harness.statistics.change.flips import flip_test, flip_tests
from sealproof.harness.tables.rates import AUC, RULES, Tally, pairs_won, rate_flags

Flags = NDArray[np.bool_]
Counts = NDArray[np.int64]
Rates = dict[tuple[str, str], tuple[Counts, Counts]]
"""By rule and metric, successes and trials by recording."""


@dataclass(frozen=True)
class Said:
    """What a detector said; arrays are (cells, labels, clips).

    Attributes:
        says: Decisions by rule.
        score: Scores.
    """

    says: dict[str, Flags]
    score: NDArray[np.float32]

    def of(self, clips: NDArray[np.intp], cells: NDArray[np.intp]) -> "Said":
        """Return what it said of some clips under some attacks."""
        at = np.ix_(cells, np.arange(2), clips)
        return Said({rule: said[at] for rule, said in self.says.items()}, self.score[at])

    def swapped(self, other: "Said", by_clip: Flags) -> "Said":
        """Return what the other said of these clips, and this of all others."""
        says = {rule: np.where(by_clip, other.says[rule], said) for rule, said in self.says.items()}
        return Said(says, np.where(by_clip, other.score, self.score))

    def lost(self, where: Flags, label: int) -> "Said":
        """Return it with clips decided wrongly, and scored below (clean ones: above) all others: (cells, clips)."""
        says = {rule: said.copy() for rule, said in self.says.items()}
        score = self.score.copy()
        for said in says.values():
            said[:, label][where] = label == 0
        score[:, label][where] = score.max() + 1 if label == 0 else score.min() - 1
        return Said(says, score)

    def rates(self, codes: NDArray[np.intp], n_groups: int) -> list[Rates]:
        """Count the gated rates of every cell; clips of a recording must stand side by side, as many of each."""
        n_clips = codes.size // n_groups
        found: list[Rates] = [{} for _ in self.score]
        for rule, said in self.says.items():
            for metric, flags in _flags(said).items():
                counts = flags.reshape(*flags.shape[:2], n_groups, n_clips).sum(axis=(1, 3))
                trials = np.full(n_groups, n_clips * flags.shape[1])
                for rates, row in zip(found, counts, strict=True):
                    rates[rule, metric] = row, trials
        for rates, score in zip(found, self.score, strict=True):
            rates["", AUC] = pairs_won(score, codes, n_groups)
        return found


def _flags(said: Flags) -> dict[str, Flags]:
    """Return which clips count for each rate of a reference: (cells, labels, clips), as `tables.rates` has it."""
    by_cell = [rate_flags(one, None) for one in said]
    return {metric: np.stack([flags[metric] for flags in by_cell]) for metric in by_cell[0]}


@dataclass(frozen=True)
class Population:
    """Two detectors of one kind on the same clips."""

    before: Said
    after: Said
    groups: NDArray[np.intp]
    identity: int

    @property
    def n_cells(self) -> int:
        """Cells there are."""
        return len(self.before.score)


def read_population(runs: Sequence[Path], detectors: Sequence[str]) -> Population:
    """Read the clips.csv of two runs on the same clips."""
    sides: list[Said] = []
    for run, detector in zip(runs, detectors, strict=True):
        columns = ["attack", "params", "clip_id", "group", "label", "detector", "score", "decision_fixed"]
        table = pd.read_csv(run / "clips.csv", usecols=[*columns, "decision_fpr_1pct"], keep_default_na=False)
        table = table[table["detector"] == detector].sort_values(["attack", "params", "label", "clip_id"])
        n_cells = len(table.drop_duplicates(["attack", "params"]))
        shape = (n_cells, 2, -1)
        # Of the labels `clean` sorts before `watermarked`.
        rules = [rule for rule in RULES if (table[f"decision_{rule}"] != "").all()]
        says = {rule: table[f"decision_{rule}"].to_numpy().astype(int).reshape(shape) == 1 for rule in rules}
        sides.append(Said(says, table["score"].to_numpy(dtype=np.float32).reshape(shape)))
        first = table.iloc[: sides[0].score.shape[2]]
        attacks = table["attack"].to_numpy().reshape(shape)[:, 0, 0]
    codes = np.unique(first["group"].to_numpy(), return_inverse=True)[1]
    return Population(sides[0], sides[1], codes, int(np.flatnonzero(attacks == "identity")[0]))


Change = Callable[[Said, Counts, np.random.Generator], Said]
"""What becomes of a detector in a session, given the code of each clip's recording."""


@dataclass(frozen=True)
class Session:
    """One session: what was said before and after, of which recordings."""

    before: Said
    after: Said
    codes: NDArray[np.intp]
    n_groups: int


def sessions(
    population: Population, kind: str, change: Change | None, size: tuple[int, int, int], n: int, seed: int
) -> Iterator[Session]:
    """Draw sessions.

    Args:
        population: Where from.
        kind: `swapped`, `redrawn`, `retrained` (the two detectors as they are) or `same`.
        change: What is done to `after`.
        size: Recordings, clips of each, and cells.
        n: How many sessions.
        seed: Decides all that is drawn.
    """
    n_groups, n_clips, n_cells = size
    members = [np.flatnonzero(population.groups == code) for code in range(population.groups.max() + 1)]
    for number in range(n):
        rng = np.random.default_rng([seed, number])
        chosen = rng.choice(len(members), n_groups, replace=n_groups > len(members))
        cells = rng.permutation(population.n_cells)[:n_cells]
        if n_cells > 1 and population.identity not in cells:
            cells[0] = population.identity
        codes = np.repeat(np.arange(n_groups), n_clips)
        is_redrawn = kind == "redrawn"

        def draw(replace_: bool, rng: np.random.Generator = rng, chosen: NDArray[np.intp] = chosen) -> NDArray[np.intp]:
            return np.concatenate(
                [rng.choice(members[one], n_clips, replace=replace_ or n_clips > members[one].size) for one in chosen]
            )

        clips = draw(is_redrawn)
        before = population.before.of(clips, cells)
        if is_redrawn:
            after = population.before.of(draw(True), cells)
        elif kind == "same":
            after = before
        else:
            after = population.after.of(clips, cells)
        if kind == "swapped":
            coins = (rng.random(n_groups) < 0.5)[codes]
            before, after = before.swapped(after, coins), after.swapped(before, coins)
        if change is not None:
            after = change(after, codes, rng)
        yield Session(before, after, codes, n_groups)


@dataclass(frozen=True)
class Verdict:
    """Which parts of the gate are red; of cells, how many."""

    alone: int
    together: int
    overall: bool
    collapse: bool
    old: int

    @property
    def is_red(self) -> bool:
        """Whether the session is."""
        return bool(self.alone or self.together or self.overall or self.collapse)


def judge(session: Session, n_flips: int, *, with_old: bool) -> Verdict:
    """Judge a session as the plugin does, from the same functions."""
    pairs = list(
        zip(*(said.rates(session.codes, session.n_groups) for said in (session.before, session.after)), strict=True)
    )
    names = list(pairs[0][0])
    lost = [
        np.stack([losses(name[1], old[name][0], new[name][0], old[name][1]) for name in names], axis=1)
        for old, new in pairs
    ]
    trials = np.array([pairs[0][0][name][1].sum() for name in names])
    before = np.array([[old[name][0].sum() for name in names] for old, _ in pairs]) / trials
    drops = np.stack([one.sum(axis=0) for one in lost]) / trials
    allowed = np.array(
        [[allowance(name[1], rate, ALLOWED_DROP) for name, rate in zip(names, row, strict=True)] for row in before]
    )
    is_large = drops > allowed + 1e-12
    level = cell_level(len(lost))
    alone = sum(
        bool((is_large[cell] & (flip_test(lost[cell], level=level) <= level)).any())
        for cell in np.flatnonzero(is_large.any(axis=1))
    )
    together = 0
    if is_large.any():
        adjusted = np.stack(flip_tests(lost, n_flips=n_flips))
        together = int((is_large & (adjusted <= CELLS)).any(axis=1).sum())
    overall = False
    if len(lost) > 1:
        mean_allowed = [
            mean_allowance(n[1], rate, ALLOWED_DROP) for n, rate in zip(names, before.mean(axis=0), strict=True)
        ]
        far = drops.mean(axis=0) > np.array(mean_allowed)
        overall = bool(far.any() and (far & (flip_test(np.sum(lost, axis=0), level=OVERALL) <= OVERALL)).any())
    return Verdict(alone, together, overall, _collapse(pairs), _old(session, pairs) if with_old else 0)


def _collapse(pairs: Sequence[tuple[Rates, ...]]) -> bool:
    for old, new in pairs:
        for (rule, metric), (counts, of) in old.items():
            now = new[rule, metric][0]
            if metric == "tpr" and find_collapse(counts, now, of).is_failure:
                return True
            if metric == "fpr" and find_collapse(of - counts, of - now, of).is_failure:
                return True
    return False


def _old(session: Session, pairs: Sequence[tuple[Rates, ...]]) -> int:
    groups = tuple(f"{code:04}" for code in range(session.n_groups))

    def tallies(rates: Rates) -> list[Tally]:
        return [Tally("", "", "", "", "", *name, groups, *counts) for name, counts in rates.items() if name[0]]

    red = 0
    for old, new in pairs:
        found = paired_differences(tallies(old), tallies(new))
        metrics = [name[1] for name in old if name[0]]
        red += any(
            one.drop(metric) > ALLOWED_DROP and one.excludes_zero for one, metric in zip(found, metrics, strict=True)
        )
    return red


def clips_lost(share: float, label: int, cells: slice) -> Change:
    """Return a change after which each clip of a label is decided wrongly with a probability, in some cells."""

    def change(said: Said, codes: Counts, rng: np.random.Generator) -> Said:
        where = np.zeros((len(said.score), codes.size), dtype=np.bool_)
        where[cells] = rng.random((len(said.score), codes.size))[cells] < share
        return said.lost(where, label)

    return change


def recordings_lost(n: int) -> Change:
    """Return a change after which recordings are lost in the first cell."""

    def change(said: Said, codes: Counts, rng: np.random.Generator) -> Said:
        where = np.zeros((len(said.score), codes.size), dtype=np.bool_)
        where[0] = np.isin(codes, rng.choice(codes.max() + 1, n, replace=False))
        return said.lost(where, 1)

    return change


def false_alarms(population: Population, sizes: Sequence[tuple[int, int, int]], options: argparse.Namespace) -> None:
    """Print how often equal detectors are red."""
    print("| equal detectors | recordings x clips | cells | old gate | gate | a cell alone | cells | mean | collapse |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for kind in options.kinds:
        for size in sizes:
            print(_row(population, kind, None, size, options), flush=True)


LOSSES: dict[str, Change] = {
    "TPR -5 points in one cell": clips_lost(0.05, 1, slice(0, 1)),
    "TPR -10 points in one cell": clips_lost(0.10, 1, slice(0, 1)),
    "TPR -15 points in one cell": clips_lost(0.15, 1, slice(0, 1)),
    "TPR -20 points in one cell": clips_lost(0.20, 1, slice(0, 1)),
    "TPR -3 points in all cells": clips_lost(0.03, 1, slice(None)),
    "TPR -5 points in all cells": clips_lost(0.05, 1, slice(None)),
    "FPR +4 points in one cell": clips_lost(0.04, 0, slice(0, 1)),
    "FPR +4 points in all cells": clips_lost(0.04, 0, slice(None)),
    "1 recording lost in one cell": recordings_lost(1),
    "3 recordings lost in one cell": recordings_lost(3),
}


def power(population: Population, sizes: Sequence[tuple[int, int, int]], options: argparse.Namespace) -> None:
    """Print how often losses are found, the rest of the detector being the same, or redrawn."""
    print("| loss | else | recordings x clips | cells | old gate | gate | a cell alone | cells | mean | collapse |")
    print("| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, change in LOSSES.items():
        for kind in options.kinds:
            for size in sizes:
                print(f"| {name} {_row(population, kind, change, size, options)}", flush=True)


def retrained(population: Population, size: tuple[int, int, int], options: argparse.Namespace) -> None:
    """Print what the gate says of the two detectors as they are."""
    found = _verdicts(population, "retrained", None, size, options)
    old, cells = (np.mean([getattr(one, name) for one in found]) for name in ("old", "together"))
    print(
        f"retrained, {size[0]} x {size[1]}, {size[2]} cells: red in {_share(one.is_red for one in found)}, "
        f"{cells:.1f} cells; old gate {_share(one.old > 0 for one in found)}, {old:.1f} cells"
    )


def _row(
    population: Population, kind: str, change: Change | None, size: tuple[int, int, int], options: argparse.Namespace
) -> str:
    """Return a row of either table: the kind, the size, and how often each part of the gate is red."""
    verdicts = _verdicts(population, kind, change, size, options)
    old = "" if options.without_old else _share(one.old > 0 for one in verdicts)
    parts = ("is_red", "alone", "together", "overall", "collapse")
    shares = [_share(getattr(one, part) for one in verdicts) for part in parts]
    return f"| {kind} | {size[0]} x {size[1]} | {size[2]} | {old} | " + " | ".join(shares) + " |"


def _verdicts(
    population: Population, kind: str, change: Change | None, size: tuple[int, int, int], options: argparse.Namespace
) -> list[Verdict]:
    drawn = sessions(population, kind, change, size, options.sessions, options.seed)
    return [judge(one, options.flips, with_old=not options.without_old) for one in drawn]


def _share(flags: Iterator[object] | Sequence[object]) -> str:
    return f"{np.mean([bool(flag) for flag in flags]):.3f}"


def main() -> None:
    """Read the runs, draw the sessions, print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="one or two run folders on the same clips")
    parser.add_argument(
        "--detector", nargs="+", required=True, metavar="NAME", help="as in clips.csv; one, or one a run"
    )
    parser.add_argument("--part", choices=("false-alarms", "power", "retrained"), default="false-alarms")
    parser.add_argument("--kinds", nargs="+", choices=("swapped", "redrawn", "same"), default=("swapped", "redrawn"))
    parser.add_argument("--cells", nargs="+", type=int, default=[1, 28, 154])
    parser.add_argument("--recordings", type=int, default=20)
    parser.add_argument("--clips", type=int, default=7, help="of each recording")
    parser.add_argument("--sessions", type=int, default=400)
    parser.add_argument("--flips", type=int, default=1 << 13)
    parser.add_argument("--without-old", action="store_true", help="leave the old gate out: it takes half of the time")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    runs, detectors = (two if len(two) == 2 else two * 2 for two in (options.runs, options.detector))
    population = read_population(runs, detectors)
    sizes = [(options.recordings, options.clips, cells) for cells in options.cells]
    if options.part == "false-alarms":
        false_alarms(population, sizes, options)
    elif options.part == "power":
        power(population, sizes, options)
    else:
        for size in sizes:
            retrained(population, size, options)


if __name__ == "__main__":
    main()
