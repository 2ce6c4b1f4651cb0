"""report.tex: the table of a run for a paper."""

from collections.abc import Iterator

import numpy as np

from sealproof.harness.report.contents import Contents
from sealproof.harness.report.verdict import cell_text
from sealproof.harness.tables.reading.series import Series

_SPECIAL = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "`": r"\textasciigrave{}", "'": r"\textquotesingle{}",
    "[": "{[}", "]": "{]}", "-": "{-}", "\N{DEGREE SIGN}": r"\textdegree{}",
}  # fmt: skip
"""Characters that LaTeX would read as commands, as the start of an option, or join into others."""


def escape_latex(text: str) -> str:
    """Return text that LaTeX prints as it is, on one line; characters beyond ASCII are left to its UTF-8 input."""
    return "".join(_SPECIAL.get(character, character) for character in " ".join(text.split()))


def latex_table(contents: Contents) -> str:
    """Return report.tex: a longtable with booktabs, one line for each cell, to be read by LaTeX's input command."""
    folder = contents.folder
    reference, *mimics = folder.detectors
    columns: list[tuple[str, Series | None]] = [
        ("accuracy", contents.folder.series.get((reference.name, "fixed", "accuracy"))),
        ("AUC", contents.folder.series.get((reference.name, "", "auc"))),
    ]
    for mimic in mimics:
        columns += [
            ("accuracy", contents.folder.series.get((mimic.name, "fixed", "accuracy"))),
            ("agreement", contents.folder.series.get((mimic.name, "fixed", "agreement"))),
            (r"$\kappa$", contents.folder.series.get((mimic.name, "fixed", "cohens_kappa"))),
        ]
    heads = [_head(reference.name, 2), *(_head(mimic.name, 3) for mimic in mimics)]
    spans = [(2, 3), *((3 * at + 4, 3 * at + 6) for at in range(len(mimics)))]
    rules = " ".join(rf"\cmidrule(lr){{{first}-{last}}}" for first, last in spans)
    lines = [
        "% Needs \\usepackage{booktabs,longtable,textcomp} and T1 fonts: \\usepackage[T1]{fontenc}.",
        rf"\begin{{longtable}}{{l{'r' * len(columns)}}}",
        rf"\caption{{{_caption(contents)}}} \\",
        r"\toprule",
        rf" & {' & '.join(heads)} \\",
        rules,
        rf"attack & {' & '.join(name for name, _ in columns)} \\",
        r"\midrule",
        r"\endhead",
        *_lines(contents, [series for _, series in columns]),
        r"\bottomrule",
        r"\end{longtable}",
    ]
    return "\n".join(lines) + "\n"


def _lines(contents: Contents, columns: list[Series | None]) -> Iterator[str]:
    for index, cell in enumerate(contents.folder.cells):
        name = escape_latex(cell_text(cell))
        if cell.error:
            yield rf"{name} & \multicolumn{{{len(columns)}}}{{l}}{{failed}} \\"
        else:
            yield rf"{name} & {' & '.join(_estimate(series, index) for series in columns)} \\"


def _head(name: str, n_columns: int) -> str:
    return rf"\multicolumn{{{n_columns}}}{{c}}{{{escape_latex(name)}}}"


def _caption(contents: Contents) -> str:
    facts = contents.folder.facts
    return (
        f"{escape_latex(contents.folder.scheme)} under attack: {int(facts['n_test_pairs']):,} pairs of clean and "
        f"watermarked clips from {int(facts['n_test_groups']):,} recordings "
        f"(dataset {escape_latex(str(facts['dataset']))}). "
        r"Accuracy at each detector's own threshold; agreement and Cohen's $\kappa$ are with the reference; "
        r"95\,\% intervals in parentheses."
    )


def _estimate(series: Series | None, index: int) -> str:
    if series is None or np.isnan(series.value[index]):
        return "--"
    value = f"{series.value[index]:.3f}"
    return value if np.isnan(series.low[index]) else f"{value} ({series.low[index]:.3f}--{series.high[index]:.3f})"
