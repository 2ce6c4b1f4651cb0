"""report.md: the verdict and the worst cells, short enough for a comment on a pull request."""

import html
import re
from collections.abc import Sequence

import numpy as np

from sealproof.harness.report.contents import Contents
from sealproof.harness.report.page.small_print import failures
from sealproof.harness.report.verdict import cell_text
from sealproof.harness.report.worst_case import adversary_rows
from sealproof.harness.tables.reading.series import Series

_N_WORST, _N_FAILED = 10, 10
"""Lines of the two tables at most."""


def escape_markdown(text: str) -> str:
    """Return text that Markdown shows as it is: no markup, HTML or mention, one line, no end of a table cell."""
    one_line = html.escape(re.sub(r"\s+", " ", text), quote=False)
    escaped = re.sub(r"([\\`*_{}\[\]#$|~])", r"\\\1", one_line)
    return escaped.replace("@", "&#64;")


def markdown_report(contents: Contents) -> str:
    """Return report.md."""
    folder, verdict = contents.folder, contents.verdict
    title = f"{escape_markdown(str(folder.facts['dataset']))}: {escape_markdown(folder.scheme)}"
    lines = [f"### {title}", "", f"**{_prose(verdict.headline)}**", ""]
    lines += [f"- **{_prose(heading)}.** {_prose(text)}" for heading, text in verdict.points]
    return (
        "\n".join([*lines, *_worst(contents), *_worst_case(contents), *_adversaries(contents), *_failed(contents)])
        + "\n"
    )


def _prose(text: str) -> str:
    """Escape a sentence; what stands in backquotes stays code."""
    parts = re.split(r"`([^`]+)`", text)
    return "".join(
        f"`{' '.join(part.split())}`" if place % 2 else escape_markdown(part) for place, part in enumerate(parts)
    )


def _worst(contents: Contents) -> list[str]:
    folder = contents.folder
    reference, *mimics = folder.detectors
    own = contents.folder.series.get((reference.name, "fixed", "accuracy"))
    if own is None:
        return []
    known = [index for index in range(len(folder.cells)) if np.isfinite(own.value[index])]
    worst = sorted(known, key=lambda index: float(own.value[index]))[:_N_WORST]
    # Kappa beside it: a mimic that says one thing to everything may agree on 98 % and know nothing.
    shared = (("agreement", "agreement"), ("kappa", "cohens_kappa"))
    alike = [contents.folder.series.get((mimic.name, "fixed", metric)) for mimic in mimics for _, metric in shared]
    heads = [f"{mimic.name} {word}" for mimic in mimics for word, _ in shared]
    header = ["attack", f"{reference.name} accuracy", *heads]
    lines = ["", f"The {len(worst)} worst of {len(known)} cells, with 95 % intervals:", "", _line(header)]
    lines.append("|" + "|".join(["---", *["---:"] * (len(header) - 1)]) + "|")
    return lines + [
        _line([cell_text(folder.cells[index]), *(_estimate(each, index) for each in (own, *alike))]) for index in worst
    ]


def _worst_case(contents: Contents) -> list[str]:
    """Say in one line what is left in the worst case; the page has the table."""
    told = [
        f"{case.estimates[case.budgets_db.index(budget)].value:.2f} of {case.label} clips at {budget:g} dB"
        for budget in (40.0, 30.0, 20.0)
        for case in contents.folder.worst_cases
    ]
    if not told:
        return []
    return ["", f"Right under every attack of the run that keeps an SNR, clip by clip: {', '.join(told)}."]


def _adversaries(contents: Contents) -> list[str]:
    header, rows = adversary_rows(contents)
    if not rows:
        return []
    told = "Share of clips that adversaries turned within a budget; in brackets the best control of the same SNR:"
    return ["", told, "", *_table(header, rows)]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [_line(header), "|" + "|".join(["---"] * len(header)) + "|", *map(_line, rows)]


def _failed(contents: Contents) -> list[str]:
    failed = failures(contents.folder)
    if not failed:
        return []
    more = [f"... and {len(failed) - _N_FAILED} more"] if len(failed) > _N_FAILED else []
    shown = [f"- {escape_markdown(name)}: {escape_markdown(error)}" for name, error in failed[:_N_FAILED]]
    return ["", f"Failed cells ({len(failed)}):", "", *shown, *more]


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(escape_markdown(cell) for cell in cells) + " |"


def _estimate(series: Series | None, index: int) -> str:
    if series is None or np.isnan(series.value[index]):
        return "-"
    if np.isnan(series.low[index]):
        return f"{series.value[index]:.3f}"
    return f"{series.value[index]:.3f} ({series.low[index]:.3f} to {series.high[index]:.3f})"
