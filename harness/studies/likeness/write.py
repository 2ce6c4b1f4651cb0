"""The files of the likeness table: likeness.csv and likeness.md."""

import math
from collections.abc import Sequence
from pathlib import Path

from sealproof.harness.foundation.files import write_text
from sealproof.harness.foundation.text import csv_text, markdown_table
from sealproof.harness.studies.likeness.compare import ALIKE, Likeness, summarise
from sealproof.harness.studies.likeness.recorded import SOURCES

COLUMNS = ("source", "condition", "attack", "metric", "cut", "recorded", "run", "difference")


def write_likeness(likeness: Sequence[Likeness], who: str, out: Path) -> list[Path]:
    """Write every number as a table, and a page for people.

    Args:
        likeness: As from `compare_run`.
        who: The scheme of the run and its version.
        out: Folder.

    Raises:
        OSError: The folder cannot be written.
    """
    write_text(out / "likeness.csv", csv_text(COLUMNS, map(_row, likeness)))
    write_text(out / "likeness.md", likeness_page(likeness, who))
    return [out / "likeness.csv", out / "likeness.md"]


def likeness_page(likeness: Sequence[Likeness], who: str) -> str:
    """Write the comparison in Markdown: summary, what agrees, what does not, sources."""
    summary = markdown_table(
        ("source", "metric", "conditions", "rank correlation", "mean absolute difference", f"within {ALIKE:g}"),
        (
            (
                each.source,
                each.metric,
                str(each.n),
                "-" if math.isnan(each.rank_correlation) else f"{each.rank_correlation:.2f}",
                f"{each.mean_difference:.3f}",
                str(each.n_alike),
            )
            for each in summarise(likeness)
        ),
        numbers=True,
    )
    rates = [each for each in likeness if each.recorded.metric in ("tpr", "bit_accuracy")]
    table = markdown_table(
        ("attack", "source", "metric", "official AudioSeal", "this scheme", "difference"),
        (
            (
                each.recorded.attack,
                each.recorded.source,
                each.recorded.metric,
                f"{each.recorded.value:.3f}",
                f"{each.value:.3f}",
                f"{each.difference:+.3f}",
            )
            for each in sorted(rates, key=lambda each: (-abs(each.difference), each.recorded.attack))
        ),
    )
    sources = "\n".join(f"- `{name}`: {text}." for name, text in SOURCES.items())
    return (
        f"# {who} beside the official AudioSeal\n\n"
        "Recorded numbers of the official AudioSeal, on speech and by other implementations of the attacks, beside "
        "this run's; the ranks of attacks say more than single differences.\n\n"
        f"{summary}\n\n## Attack by attack, the largest difference first\n\n{table}\n\n## Sources\n\n{sources}\n"
    )


def _row(each: Likeness) -> tuple[object, ...]:
    recorded = each.recorded
    return (
        recorded.source,
        recorded.condition,
        recorded.attack,
        recorded.metric,
        recorded.cut,
        f"{recorded.value:g}",
        f"{each.value:.6f}",
        f"{each.difference:.6f}",
    )
