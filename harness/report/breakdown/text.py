"""breakdown.md, and what a terminal shows of it."""

from collections.abc import Iterator, Sequence

from sealproof.harness.foundation.text import estimate_text, markdown_table, number_text
from sealproof.harness.report.breakdown.by_tag import ALL_CLIPS, Breakdown, BreakdownRow

_RULE = "fixed"
_SCREEN = 12
"""Tags that a terminal shows."""

_Key = tuple[str, str, str, str]
"""Tag, attacks, detector and metric."""


def breakdown_markdown(breakdown: Breakdown) -> str:
    """Return the page: one table for each class of attacks, the tags in which the reference is worst first."""
    numbers = _numbers(breakdown)
    parts = [f"# Results by {breakdown.by}", _note(breakdown)]
    for attacks, n_cells in _classes(breakdown).items():
        detectors = _detectors(breakdown)
        cells = "1 cell" if n_cells == 1 else f"mean over {n_cells} cells"
        header = ["tag", "clips", "groups"]
        header += [f"{name} {what}" for name in detectors for what in ("accuracy", "TPR", "FPR")]
        lines = []
        for tag in _worst_first(breakdown, attacks):
            row = numbers[tag, attacks, detectors[0], "accuracy"]
            line = [tag.replace("\\", "\\\\").replace("|", "\\|"), str(row.n_clips), str(row.n_groups)]
            for name in detectors:
                line.append(_with_interval(numbers[tag, attacks, name, "accuracy"]))
                line += [number_text(numbers[tag, attacks, name, metric].value) for metric in ("tpr", "fpr")]
            lines.append(line)
        parts += [f"## {attacks} ({cells})", markdown_table(header, lines, numbers=True)]
    return "\n\n".join(parts) + "\n"


def breakdown_lines(breakdown: Breakdown) -> Iterator[str]:
    """Yield a short table: all clips, and the tags in which the reference is worst under the last class of attacks."""
    numbers, detectors = _numbers(breakdown), _detectors(breakdown)
    attacks = list(_classes(breakdown))[-1]
    tags = _worst_first(breakdown, attacks)
    shown = tags[: _SCREEN + 1]
    width = max(len(tag) for tag in shown)
    yield f"{breakdown.by:{width}}  {'clips':>5}  " + "  ".join(f"{name + ' accuracy':>24}" for name in detectors)
    for tag in shown:
        cells = [numbers[tag, attacks, name, "accuracy"] for name in detectors]
        yield f"{tag:{width}}  {cells[0].n_clips:>5}  " + "  ".join(f"{_with_interval(cell):>24}" for cell in cells)
    if len(tags) > len(shown):
        yield f"The {len(shown) - 1} of {len(tags) - 1} tags in which {detectors[0]} is worst; all are in the files."
    yield f"Under {attacks}, at each detector's own threshold. {_too_few(breakdown)}".rstrip()


def _note(breakdown: Breakdown) -> str:
    return (
        "Each detector at its own threshold, with 95 % intervals in which groups (recordings) are resampled; "
        "breakdown.csv also has the other threshold rule. `clips` counts a clip and its watermarked twin once. A clip "
        f"has many tags, so rows overlap; and of {len(breakdown.tags) - 1} tags some look worst by chance alone. "
        f"{_too_few(breakdown)}"
    ).rstrip()


def _too_few(breakdown: Breakdown) -> str:
    n = len(breakdown.too_few)
    few = f"fewer than {breakdown.min_clips} clips"
    return f"{n} more tags have {few} each and no numbers: breakdown.csv names them." if n else ""


def _numbers(breakdown: Breakdown) -> dict[_Key, BreakdownRow]:
    return {
        (row.tag, row.attacks, row.detector, row.metric): row for row in breakdown.rows if row.threshold_rule == _RULE
    }


def _detectors(breakdown: Breakdown) -> list[str]:
    return list(dict.fromkeys(row.detector for row in breakdown.rows if row.detector))


def _classes(breakdown: Breakdown) -> dict[str, int]:
    return {row.attacks: row.n_cells for row in breakdown.rows if row.n_cells is not None}


def _worst_first(breakdown: Breakdown, attacks: str) -> Sequence[str]:
    """All clips, then the tags by the accuracy of the reference."""
    numbers, reference = _numbers(breakdown), _detectors(breakdown)[0]

    def place(tag: str) -> tuple[bool, float, str]:
        value = numbers[tag, attacks, reference, "accuracy"].value
        return tag != ALL_CLIPS, 1.0 if value is None else value, tag

    return sorted(breakdown.tags, key=place)


def _with_interval(row: BreakdownRow) -> str:
    return estimate_text(row.value, row.ci_low, row.ci_high)
