"""How the sweeps of a run are called, and which of them show every cell."""

import re
from collections.abc import Sequence
from functools import partial

from sealproof.attacks import attack_class
from sealproof.attacks.contract.base import AttackError
from sealproof.harness.report.terms import parameter_words, parameters, unit_words, value_short, value_text
from sealproof.harness.tables.reading.run_folder import ReportedCell
from sealproof.harness.tables.sweeps import Sweep, SweptCell, find_sweeps


def subtitle_of(sweep: Sweep) -> str:
    """Return what varies, with its unit, and what is held, in words."""
    held = [f"{parameter_words(name)} {value_text(name, value)}" for name, value in parameters(sweep.fixed).items()]
    if not sweep.parameter:
        return ", ".join(held)
    unit = unit_words(sweep.parameter)
    varies = parameter_words(sweep.parameter) + (f" ({unit})" if unit else "")
    return varies + (f" at {', '.join(held)}" if held else "")


def labels_of(sweep: Sweep) -> list[str]:
    """Return the strengths without their unit."""
    return [value_short(sweep.parameter, value) for value in sweep.values]


def title_of(cell: ReportedCell) -> str:
    """Return what an attack is called: its name, or the names of a chain's links."""
    if cell.attack != "chain":
        return cell.attack
    # A link may be `offset.1.5ms`: what follows a `+` up to the first dot is its name.
    return re.sub(r"\.[^+]*", "", cell.attack_id)


def reported_sweeps(cells: Sequence[ReportedCell]) -> list[Sweep]:
    """Return every sweep of at least two strengths, in the run's order; chains go by the names of their links."""
    return find_sweeps(
        {
            index: SweptCell(title_of(cell), parameters(cell.params), partial(stronger, cell.attack))
            for index, cell in enumerate(cells)
        }
    )


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
