"""Text for files and terminals: CSV, Markdown tables, columns that stand one below the other, numbers."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

NOTHING = "-"
"""Stands for nothing in a CSV column that is never empty."""


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object] | Mapping[str, object]]) -> str:
    r"""Write a table as CSV with `\n` at the ends of lines.

    Args:
        columns: Their names.
        rows: The values of each row, in the order of the columns or by their names.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([row[name] for name in columns] if isinstance(row, Mapping) else row for row in rows)
    return text.getvalue()


def csv_fields(values: Sequence[object]) -> str:
    """Write fields of a CSV row, quoted where need be, without the end of the line."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(values)
    return text.getvalue()


def filled(text: str) -> str:
    """Return what stands in a column that is never empty: a dash for nothing.

    pandas takes an empty field for a missing one, and `groupby` drops its rows without a word.
    """
    return text or NOTHING


def unfilled(text: str) -> str:
    """Return what `filled` was given."""
    return "" if text == NOTHING else text


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = False) -> str:
    """Write a table in Markdown; its cells must hold no bars.

    Args:
        header: Titles of the columns.
        rows: As many texts each.
        numbers: All columns but the first hold numbers, and are set to the right.
    """
    rule = ["---", *["---:" if numbers else "---"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, rule, *rows))


def aligned(rows: Sequence[Sequence[str]], *, numbers: bool = False) -> list[str]:
    """Write lines whose columns stand one below the other.

    Args:
        rows: As many texts each.
        numbers: All columns but the first hold numbers, and are set to the right.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]

    def cell(place: int, text: str) -> str:
        return text.rjust(widths[place]) if numbers and place else text.ljust(widths[place])

    return ["  ".join(cell(place, text) for place, text in enumerate(row)).rstrip() for row in rows]


def number_text(value: float | None, decimals: int = 3) -> str:
    """Write a number; one that is not defined is a dash."""
    return "-" if value is None else f"{value:.{decimals}f}"


def estimate_text(value: float | None, low: float | None, high: float | None) -> str:
    """Write a number with its interval, where it has one: `0.913 [0.880, 0.951]`."""
    interval = "" if low is None or high is None else f" [{low:.3f}, {high:.3f}]"
    return "-" if value is None else f"{value:.3f}{interval}"
