"""Which cells of a run make a sweep: one attack, one parameter that varies, the others held."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class SweptCell:
    """What decides which sweeps a cell belongs to.

    Attributes:
        title: What its attack is called.
        params: The attack's parameters as tables write them.
        stronger: Says which way of a parameter does more damage: see `Attack.stronger`.
    """

    title: str
    params: Mapping[str, str]
    stronger: Callable[[str], int]


@dataclass(frozen=True)
class Sweep:
    """Cells in the order of their strength.

    Attributes:
        title: What the attack is called.
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
    def held(self) -> dict[str, str]:
        """The parameters held, by name."""
        return read_params(self.fixed)


def read_params(params: str) -> dict[str, str]:
    """Read the column `params`: `delay_ms=100;gain=0.3`."""
    named = (text.partition("=") for text in params.split(";") if text)
    return {name: value for name, _, value in named}


def find_sweeps(cells: Mapping[int, SweptCell]) -> list[Sweep]:
    """Return every sweep of at least two strengths, in the run's order.

    Args:
        cells: The cells to look at, by their index in the run.
    """
    members: dict[tuple[str, str, str], list[int]] = {}
    for index, cell in cells.items():
        for name in cell.params:
            fixed = ";".join(f"{other}={value}" for other, value in cell.params.items() if other != name)
            members.setdefault((cell.title, name, fixed), []).append(index)
    return [
        _sweep({index: cells[index] for index in indices}, title, name, fixed)
        for (title, name, fixed), indices in members.items()
        if len(indices) > 1
    ]


def _sweep(members: Mapping[int, SweptCell], title: str, name: str, fixed: str) -> Sweep:
    values = {index: cell.params[name] for index, cell in members.items()}
    numbers = {index: number for index, value in values.items() if (number := _number(value)) is not None}
    if len(numbers) < len(values):
        return Sweep(title, name, fixed, tuple(values), tuple(values.values()), False, False)
    direction = next(iter(members.values())).stronger(name)
    order = sorted(values, key=lambda index: numbers[index], reverse=direction < 0)
    return Sweep(title, name, fixed, tuple(order), tuple(values[index] for index in order), True, direction != 0)


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None
