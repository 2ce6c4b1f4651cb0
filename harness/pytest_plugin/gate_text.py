"""What the gate says at the end of a session: one screen, the worst first."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sealproof.harness.comparison.difference import CHANGED, IMPROVEMENT, REGRESSION, SAME, UNPROVEN
from sealproof.harness.foundation.text import aligned
from sealproof.harness.pytest_plugin.baseline import BaselineRow
from sealproof.harness.pytest_plugin.gate import AT_CHANCE, COLLAPSE, EARLIER, NEW, Judged
from sealproof.harness.pytest_plugin.means import Mean
from sealproof.harness.tables.summary import SummaryRow

_SCREEN = 36
"""Lines that the gate and the table take together, at most."""

_LISTED = {"failed": 6, "overall": 3, REGRESSION: 10, COLLAPSE: 4, UNPROVEN: 4, AT_CHANCE: 4, IMPROVEMENT: 4}
"""Lines of each kind, at most; how many there are is always said."""

_COUNTED = (REGRESSION, COLLAPSE, IMPROVEMENT, UNPROVEN)
"""Verdicts whose word has a plural."""

_NAMES = 6
"""Names of new or stale cells in a line, at most."""


@dataclass(frozen=True)
class GateReport:
    """What a session came to.

    Attributes:
        path: The baseline, as messages call it.
        judged: The rates of the cells that ran and did not fail, by attack id, judged beside each other.
        means: The rates' means over these cells.
        power: What the gate could find; empty where it has nothing to compare with.
        failed: Why cells failed, by attack id; those that ran.
        stale: Rates that the baseline has and the matrix has not.
        cells: `attack params` of every cell of the matrix.
        missing: Why there is nothing to compare with; empty when there is something.
        command: Makes the session's numbers the baseline, and accepts its regressions by name.
        kept: Cells that an update left as they were in the baseline: they got worse, and nobody accepted it by name.
        is_strict: New and stale rates are failures.
        n_updated: Rates that were put into the baseline; None where that was not asked for.
    """

    path: str
    judged: Mapping[str, Sequence[Judged]]
    means: Sequence[Mean]
    power: str
    failed: Mapping[str, str]
    stale: Sequence[BaselineRow]
    cells: frozenset[str]
    missing: str
    command: str
    kept: Sequence[str]
    is_strict: bool
    n_updated: int | None

    @property
    def is_red(self) -> bool:
        """Whether a cell, or a mean over the cells, got worse."""
        return any(one.is_red for rates in self.judged.values() for one in rates) or bool(self.red_means)

    @property
    def red_means(self) -> list[Mean]:
        """The means that fell too far."""
        return [one for one in self.means if one.is_red]

    def of(self, verdict: str) -> list[tuple[str, Judged]]:
        """Return the rates of one verdict with their cells' attack ids, the largest change first."""
        named_rates = [(name, one) for name, rates in self.judged.items() for one in rates if one.verdict == verdict]
        return sorted(named_rates, key=lambda pair: -abs(pair[1].drop))


def gate_lines(report: GateReport, *, only_changes: bool) -> list[str]:
    """Write what changed since the baseline.

    Args:
        report: What the session came to.
        only_changes: Leave out the line that counts, and hints.
    """
    lines = [] if only_changes or report.missing else [_counts(report), *filter(None, [report.power])]
    lines += _listed("failed", [f"{name}: {_short(error)}" for name, error in report.failed.items()])
    lines += _listed("overall", [one.sentence() for one in report.red_means])
    for verdict in (REGRESSION, COLLAPSE, UNPROVEN, AT_CHANCE, IMPROVEMENT):
        lines += _listed(verdict, _by_cell(report.of(verdict)))
    mark = " (a failure under --robustness-strict)" if report.is_strict and report.n_updated is None else ""
    if report.missing:
        lines.append(f"{report.missing}{mark}" if report.n_updated is None else f"{report.missing} It is made now.")
    elif new := _new_names(report):
        lines.append(f"new: in the matrix, not in the baseline{mark}: {_names(new)}")
    if report.of(EARLIER):
        kinds = ", ".join(dict.fromkeys(one.tally.metric for _, one in report.of(EARLIER)))
        lines.append(
            f"not gated yet: {kinds}, as {report.path} is from before they were. --robustness-update-baseline adds them"
        )
    if report.stale:
        lines.append(
            f"stale: in the baseline, not in the matrix{' (a failure under --robustness-strict)' * report.is_strict}: "
            f"{_names(_stale_names(report))}. If they are gone for good, delete their lines from {report.path}"
        )
    if report.n_updated is not None:
        lines.append(f"Put {report.n_updated} rates into {report.path}; those of other cells and datasets stay.")
        if report.kept:
            lines.append(
                f"Not put there, as rates fell and nobody accepted it by name: {_names(report.kept)}. "
                f"To accept: {report.command}"
            )
    elif not only_changes and (report.missing or report.is_red or report.of(NEW)):
        lines.append(f"To make these numbers the baseline: {report.command}")
    return lines


def _counts(report: GateReport) -> str:
    by_verdict = Counter(one.verdict for rates in report.judged.values() for one in rates)
    n_rates = sum(by_verdict.values()) - by_verdict[NEW] - by_verdict[EARLIER]
    words = [
        f"{by_verdict[verdict]} {text}{'s' * (by_verdict[verdict] != 1 and verdict in _COUNTED)}"
        for verdict, text in (
            (REGRESSION, "regression"),
            (COLLAPSE, "collapse"),
            (UNPROVEN, "unproven drop"),
            (AT_CHANCE, "of mimics at chance"),
            (IMPROVEMENT, "improvement"),
            (CHANGED, "changed otherwise"),
            (SAME, "the same"),
        )
        if by_verdict[verdict] or verdict == REGRESSION
    ]
    what = f"{n_rates} rates of {len(report.judged)} cells against {report.path}"
    return f"{what}: {', '.join(words)}{_mean_text(report.means)}"


def _mean_text(means: Sequence[Mean]) -> str:
    """Say what the mean of the rate that fell most came to, and whether any is red."""
    if not means:
        return ""
    worst = means[0]
    word = "worse" if worst.is_red else "no worse"
    change = f"{worst.detector} {worst.metric} {worst.after - worst.before:+.3f}"
    return f"; all cells together {word} (the mean that fell most: {change})"


def _by_cell(named_rates: Sequence[tuple[str, Judged]]) -> list[str]:
    """Write a sentence per cell, about the rate that changed most."""
    rates: dict[str, list[Judged]] = {}
    for name, one in named_rates:
        rates.setdefault(name, []).append(one)
    return [
        f"{name}: {ones[0].sentence()}{f'; and {len(ones) - 1} more of its rates' if ones[1:] else ''}"
        for name, ones in rates.items()
    ]


def _listed(word: str, sentences: Sequence[str]) -> list[str]:
    most = _LISTED[word]
    lines = [f"{word}: {sentence}" for sentence in sentences[:most]]
    return [*lines, f"{word}: ... and {len(sentences) - most} more"] if len(sentences) > most else lines


def _new_names(report: GateReport) -> list[str]:
    """Name the cells of which all is new, and the detectors that are new in a cell."""
    names = []
    for name, rates in report.judged.items():
        new = [one.tally.detector for one in rates if one.verdict == NEW]
        if len(new) == len(rates):
            names.append(name)
        else:
            names += [f"{detector} under {name}" for detector in dict.fromkeys(new)]
    return names


def _stale_names(report: GateReport) -> list[str]:
    names = []
    for row in report.stale:
        rate = row.key.rate
        cell = f"{rate.attack} {rate.params}".strip()
        names.append(f"{rate.detector} under {cell}" if cell in report.cells else cell)
    return list(dict.fromkeys(names))


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return ", ".join(names[:_NAMES]) + more


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 200 else f"{line[:197]}..."


def table_lines(rows: Iterable[SummaryRow], report: GateReport, n_above: int) -> list[str]:
    """Write a line per cell, the worst first: regressions, then the reference's accuracy; as many as fit a screen.

    Args:
        rows: The rows of summary.csv.
        report: What the session came to.
        n_above: Lines that the gate took.
    """
    cells: dict[tuple[str, str], dict[tuple[str, str], float]] = {}
    roles: dict[str, str] = {}
    for row in rows:
        if row.threshold_rule == "fixed" and row.value is not None:
            cells.setdefault((row.attack, row.params), {})[row.detector, row.metric] = row.value
            roles[row.detector] = row.role
    if not cells:
        return []
    reference = next(name for name, role in roles.items() if role == "reference")
    mimics = [name for name, role in roles.items() if role == "mimic"]
    columns = [(reference, "accuracy"), (reference, "tpr"), (reference, "fpr")]
    columns += [(name, metric) for name in mimics for metric in ("accuracy", "agreement", "cohens_kappa")]
    heads = [f"{reference} acc", "TPR", "FPR"]
    heads += [f"{name} {short}" for name in mimics for short in ("acc", "agree", "kappa")]
    change = {(one[0].tally.attack, one[0].tally.params): _change(one) for one in report.judged.values() if one}
    order = sorted(cells, key=lambda cell: (change.get(cell, (0.0, ""))[0], cells[cell].get(columns[0], 2.0)))
    shown = order[: max(5, _SCREEN - n_above - 2)]
    lines = [["attack", *heads, "change"]]
    for cell in shown:
        numbers = [f"{cells[cell][column]:.3f}" if column in cells[cell] else "-" for column in columns]
        lines.append([" ".join(cell).strip(), *numbers, change.get(cell, (0.0, "-"))[1]])
    return [
        *aligned(lines, numbers=True),
        f"worst first, {len(shown)} of {len(order)} cells, at fixed thresholds; all are in summary.md. "
        "change: the largest of a cell's gated rates since the baseline, below 0 for the worse",
    ]


def _change(judged: Sequence[Judged]) -> tuple[float, str]:
    """Return what a cell is sorted by, and its largest change for the worse as text."""
    worst = judged[0]
    if all(one.difference is None for one in judged):
        return 0.0, "new"
    if worst.is_red:
        return -worst.drop, f"-{worst.drop:.3f} !"
    known = [one.drop for one in judged if one.difference is not None]
    largest = max(known, key=abs)
    return 0.0, f"{0.0 - largest:+.3f}" if largest else "0"


@dataclass(frozen=True)
class Finished:
    """What a session came to.

    Attributes:
        report: What the gate says.
        rows: The rows of summary.csv.
        files: What was written.
        never: Which cells are in no table, and which rule has no threshold; empty where there is nothing to say.
    """

    report: GateReport
    rows: list[SummaryRow]
    files: list[Path]
    never: str

    @property
    def is_failure(self) -> bool:
        """Whether the session fails whatever its tests say.

        For what all cells together prove, what was not accepted, or (strict) what is stale or missing.
        """
        report = self.report
        has_no_baseline = bool(report.missing) and report.n_updated is None
        is_worse = report.is_red and report.n_updated is None
        return is_worse or bool(report.kept) or (report.is_strict and (bool(report.stale) or has_no_baseline))

    def lines(self, *, only_changes: bool) -> list[str]:
        """Return what is shown at the end of the session; nothing where only changes are and there are none."""
        lines = gate_lines(self.report, only_changes=only_changes)
        if only_changes:
            return lines
        table = table_lines(self.rows, self.report, len(lines))
        wrote = f"wrote {', '.join(path.name for path in self.files)} to {shown(self.files[0].parent)}"
        return [*lines, *table, *([self.never] if self.never else []), wrote]


def shown(path: Path) -> str:
    """Write a path, short where it is below the working folder."""
    path, here = path.resolve(), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
