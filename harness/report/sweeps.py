"""Which cells of a run make a sweep: one attack, one parameter that varies, the others held."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sealproof.attacks import attack_class
from sealproof.attacks.contract.base import AttackError
from sealproof.harness.report.terms import parameter_words, parameters, unit_words, value_short, value_text
from sealproof.harness.tables.reading.run_folder import ReportedCell


@dataclass(frozen=True)
class Sweep:
    """Cells in the order of their strength.

    Attributes:
        title: Name of the attack; of a chain, its links' names joined by `+`.
        parameter: The parameter that varies; empty for a row of one cell.
        fixed: The parameters held, as in summary.csv.
        cells: Indices into the run's cells.
        values: The parameter's value in each.
        is_numeric: The values are numbers, so that there is a curve.
        is_ordered: Weakest first; else ascending, as the damage has no one direction.
    """

    title: str
    parameter: str
    fixed: str
    cells: tuple[int, ...]
    values: tuple[str, ...]
    is_numeric: bool
    is_ordered: bool

    @property
    def subtitle(self) -> str:
        """What varies, with its unit, and what is held, in words."""
        held = [f"{parameter_words(name)} {value_text(name, value)}" for name, value in parameters(self.fixed).items()]
        if not self.parameter:
            return ", ".join(held)
        unit = unit_words(self.parameter)
        varies = parameter_words(self.parameter) + (f" ({unit})" if unit else "")
        return varies + (f" at {', '.join(held)}" if held else "")

    @property
    def labels(self) -> list[str]:
        """The strengths without their unit."""
        return [value_short(self.parameter, value) for value in self.values]


def title_of(cell: ReportedCell) -> str:
    """Return what an attack is called: its name, or the names of a chain's links."""
    if cell.attack != "chain":
        return cell.attack
    # A link may be `offset.1.5ms`: what follows a `+` up to the first dot is its name.
    return re.sub(r"\.[^+]*", "", cell.attack_id)


def find_sweeps(cells: Sequence[ReportedCell]) -> list[Sweep]:
    """Return every sweep of at least two strengths, in the run's order."""
    found: dict[tuple[str, str, str], list[int]] = {}
    for index, cell in enumerate(cells):
        own = parameters(cell.params)
        for name in own:
            fixed = ";".join(f"{other}={value}" for other, value in own.items() if other != name)
            found.setdefault((title_of(cell), name, fixed), []).append(index)
    return [
        _sweep(cells, indices, title, name, fixed)
        for (title, name, fixed), indices in found.items()
        if len(indices) > 1
    ]


def _sweep(cells: Sequence[ReportedCell], indices: Sequence[int], title: str, name: str, fixed: str) -> Sweep:
    values = {index: parameters(cells[index].params)[name] for index in indices}
    numbers = {index: number for index, value in values.items() if (number := _number(value)) is not None}
    if len(numbers) < len(indices):
        return Sweep(title, name, fixed, tuple(indices), tuple(values.values()), False, False)
    direction = stronger(cells[indices[0]].attack, name)
    order = sorted(indices, key=lambda index: numbers[index], reverse=direction < 0)
    return Sweep(title, name, fixed, tuple(order), tuple(values[index] for index in order), True, direction != 0)


def stronger(attack: str, parameter: str) -> int:
    """Say which way of a parameter does more damage: see `Attack.stronger`; 0 for an attack that is not known here."""
    try:
        return attack_class(attack).stronger(parameter)
    except AttackError:
        return 0  # a chain, or a plug-in that is not installed here


def heat_map_rows(cells: Sequence[ReportedCell], sweeps: Sequence[Sweep]) -> list[Sweep]:
    """Return rows that show every cell at least once, with as few rows as a greedy choice takes."""
    missing = set(range(len(cells)))
    rows = []
    for sweep in sorted(sweeps, key=lambda sweep: -len(sweep.cells)):
        if missing & set(sweep.cells):
            rows.append(sweep)
            missing -= set(sweep.cells)
    rows += [Sweep(title_of(cells[index]), "", cells[index].params, (index,), ("",), False, False) for index in missing]
    return sorted(rows, key=lambda row: row.cells[0])


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None
