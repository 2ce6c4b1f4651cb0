"""The baseline: the gated rates of an accepted run, one line each, in a file that is kept in version control."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sealproof.harness.datasets.dataset import clean_sha256
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.files import sha256_json, write_text
from sealproof.harness.foundation.text import csv_text, filled, unfilled
from sealproof.harness.tables.rates import UNITS, RateKey, Tally

if TYPE_CHECKING:
    from sealproof.harness.datasets.dataset import Dataset, Pair

COLUMNS = (
    "dataset", "clips", "scheme", "attack", "params", "detector", "threshold_rule", "metric", "role", "value",
    "n_trials", "unit", "n_groups", "successes", "trials",
)  # fmt: skip
"""The first eight name a rate; the file is sorted by them."""

_EARLIER_COLUMNS = (*COLUMNS[:10], "n_clips", *COLUMNS[12:])
"""Those of a file from before AUC and bits were gated; all its trials are clips."""

_N_KEY = 8

MAX_GROUPS = 100_000
"""Groups that a line may count, at most: a few letters of a damaged line must not take the machine's memory."""

MAX_COUNT = 10**12
"""Trials of one group, at most: the sum over all groups is still a number of 64 bits."""


class Sample(NamedTuple):
    """What rates are taken on.

    Attributes:
        dataset: Name of the dataset's folder.
        clips: Hash of which clips these are and what random attacks drew.
        groups: Sorted names of the clips' groups; the columns of all counts.
    """

    dataset: str
    clips: str
    groups: tuple[str, ...]


class BaselineKey(NamedTuple):
    """Which rate, on what."""

    dataset: str
    clips: str
    rate: RateKey


@dataclass(frozen=True)
class BaselineRow:
    """One rate of the baseline.

    Attributes:
        key: Which rate, on what.
        role: The detector's role.
        successes: (G,) by group, in the order of the groups' names.
        trials: (G,) likewise.
    """

    key: BaselineKey
    role: str
    successes: tuple[int, ...]
    trials: tuple[int, ...]

    def tally(self, groups: tuple[str, ...]) -> Tally:
        """Return the rate with the names of its groups, which the file leaves out: its `clips` stand for them."""
        rate = self.key.rate
        counts = np.array([self.successes, self.trials], dtype=np.int64)
        cell = (rate.scheme, rate.attack, rate.params, rate.detector, self.role)
        return Tally(*cell, rate.threshold_rule, rate.metric, groups, counts[0], counts[1])


Baseline = dict[BaselineKey, BaselineRow]


def sample_of(dataset: "Dataset", pairs: "Sequence[Pair]", seed: int) -> Sample:
    """Say what a run's rates are taken on.

    The hash covers the clips' names, groups, length and seeds, and their clean audio; not the marked audio, for a
    scheme's next version marks the same clips otherwise, and that is what a gate compares. Of built-in music it covers
    no audio: that rests on the seed, and may differ in its last bits between machines.
    """
    clips = [(pair.clip_id, pair.group) for pair in pairs]
    audio = clean_sha256(dataset, pairs)
    covered = [clips, dataset.n_samples, dataset.facts["seed"], seed, *([audio] if audio else [])]
    sha256 = sha256_json(covered)
    return Sample(dataset.name, sha256[:12], tuple(sorted({pair.group for pair in pairs})))


def row_of(tally: Tally, sample: Sample) -> BaselineRow:
    """Return a rate as a row."""
    key = BaselineKey(sample.dataset, sample.clips, tally.key)
    return BaselineRow(key, tally.role, tuple(tally.successes.tolist()), tuple(tally.trials.tolist()))


def read_baseline(path: Path) -> Baseline:
    """Read a baseline; a file that is not there is an empty one.

    Raises:
        HarnessError: It is no baseline, a line of it is damaged, or two lines are of the same rate.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            header = tuple(next(reader, ()))
            if header not in (COLUMNS, _EARLIER_COLUMNS):
                raise HarnessError(
                    f"The baseline {path} must have the columns {', '.join(COLUMNS)}. Got {', '.join(header)}. {_HINT}"
                )
            baseline: Baseline = {}
            for record in reader:
                where = f"The baseline {path}, line {reader.line_num},"
                row = _row(record, header, where)
                if row.key in baseline:
                    raise HarnessError(
                        f"{where} must be of another rate than the lines above it. Got {_name(row)} again. {_HINT}"
                    )
                baseline[row.key] = row
            return baseline
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise HarnessError(f"The baseline {path} cannot be read ({error}). {_HINT}") from error


_HINT = "Take it from version control again, or delete it and make a new one with --robustness-update-baseline."


def merge_baseline(path: Path, rows: Iterable[BaselineRow]) -> Baseline:
    """Put rows into a baseline, each in the place of an older one of the same rate; all others stay.

    Two sessions that end at the same time wait for each other, so neither loses the other's rows.

    Raises:
        HarnessError: The file that is there is no baseline.
        OSError: It cannot be written; the older file stays as it was.
    """
    from filelock import FileLock

    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):
        merged = {**read_baseline(path), **{row.key: row for row in rows}}
        write_text(path, baseline_csv(merged.values()))
    return merged


def baseline_csv(rows: Iterable[BaselineRow]) -> str:
    """Write rows as CSV, sorted by what they are about, so that a change is a change of few lines."""
    return csv_text(COLUMNS, map(_fields, sorted(rows, key=lambda row: row.key)))


def _fields(row: BaselineRow) -> list[object]:
    key, n_trials = row.key, sum(row.trials)
    unit = UNITS.get(key.rate.metric, "clips")
    numbers = (f"{sum(row.successes) / n_trials:.6f}", n_trials, unit, len(row.trials))
    rate = key.rate._replace(params=filled(key.rate.params), threshold_rule=filled(key.rate.threshold_rule))
    return [key.dataset, key.clips, *rate, row.role, *numbers, _runs(row.successes), _runs(row.trials)]


def _row(record: list[str], header: Sequence[str], where: str) -> BaselineRow:
    if len(record) != len(header):
        raise HarnessError(f"{where} must have {len(header)} fields. Got {len(record)}. {_HINT}")
    dataset, clips, *fields = record[:_N_KEY]
    rate = RateKey(*fields)
    # A file of before has nothing where one of now has a dash.
    rate = rate._replace(params=unfilled(rate.params), threshold_rule=unfilled(rate.threshold_rule))
    role, value, n_trials, *unit, n_groups, successes, trials = record[_N_KEY:]
    for column, text in (("successes", successes), ("trials", trials)):
        _refuse_excess(column, text, where)
    try:
        row = BaselineRow(BaselineKey(dataset, clips, rate), role, _counts(successes), _counts(trials))
        fits = len(row.successes) == len(row.trials) == int(n_groups) and sum(row.trials) == int(n_trials) > 0
        fits = fits and unit in ([], [UNITS.get(rate.metric, "clips")])
        fits = fits and all(0 <= count <= of for count, of in zip(row.successes, row.trials, strict=True))
        fits = fits and f"{sum(row.successes) / sum(row.trials):.6f}" == value
    except ValueError:
        fits = False
    if not fits:
        raise HarnessError(
            f"{where} must have counts by group that fit its value, n_trials, unit and n_groups. Got {record}. {_HINT}"
        )
    return row


def _refuse_excess(column: str, text: str, where: str) -> None:
    """Refuse counts beyond the limits before they are written out in memory; what is no number is refused later."""
    n_groups = 0
    for run in text.split(" "):
        count, times, length = run.partition("x")
        n_groups += int(length) if times and length.isdecimal() else 1
        if count.isdecimal() and int(count) > MAX_COUNT:
            raise HarnessError(
                f"{where} must count at most {MAX_COUNT:,} trials a group in {column}. Got {run}. {_HINT}"
            )
        if n_groups > MAX_GROUPS:
            raise HarnessError(f"{where} must have at most {MAX_GROUPS:,} groups in {column}. Got {run}. {_HINT}")


def _name(row: BaselineRow) -> str:
    rate = row.key.rate
    return f"{rate.detector} {rate.metric} ({filled(rate.threshold_rule)}) under {rate.attack} {rate.params}".rstrip()


def _runs(counts: Sequence[int]) -> str:
    """Write counts as runs: `8x12 7 8x3` is twelve times 8, one 7, three times 8."""
    runs = [(count, len(list(same))) for count, same in groupby(counts)]
    return " ".join(f"{count}x{length}" if length > 1 else str(count) for count, length in runs)


def _counts(text: str) -> tuple[int, ...]:
    counts: list[int] = []
    for run in text.split(" "):
        count, times, length = run.partition("x")
        counts += [int(count)] * (int(length) if times else 1)
    return tuple(counts)
