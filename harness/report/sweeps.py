"""How the sweeps of a run are called, and which of them show every cell."""

from collections.abc import Sequence

from sealproof.harness.report.terms import parameter_words, unit_words, value_short, value_text
from sealproof.harness.tables.reading.run_folder import ReportedCell
from sealproof.harness.tables.sweeps import Sweep


def subtitle_of(sweep: Sweep) -> str:
    """Return what varies, with its unit, and what is held, in words."""
    held = [f"{parameter_words(name)} {value_text(name, value)}" for name, value in sweep.held.items()]
    if not sweep.parameter:
        return ", ".join(held)
    unit = unit_words(sweep.parameter)
    varies = parameter_words(sweep.parameter) + (f" ({unit})" if unit else "")
    return varies + (f" at {', '.join(held)}" if held else "")


def labels_of(sweep: Sweep) -> list[str]:
    """Return the strengths without their unit."""
    return [value_short(sweep.parameter, value) for value in sweep.values]


def heat_map_rows(cells: Sequence[ReportedCell], sweeps: Sequence[Sweep]) -> list[Sweep]:
    """Return rows that show every cell at least once, with as few rows as a greedy choice takes."""
    missing = set(range(len(cells)))
    rows = []
    for sweep in sorted(sweeps, key=lambda sweep: -len(sweep.cells)):
        if missing & set(sweep.cells):
            rows.append(sweep)
            missing -= set(sweep.cells)
    rows += [Sweep(cells[index].title, "", cells[index].params, (index,), ("",), False, False) for index in missing]
    return sorted(rows, key=lambda row: row.cells[0])
