"""A comparison of two runs for terminals, spreadsheets and pull requests; `page` makes it a page."""

from collections import Counter

from sealproof.harness.comparison.difference import CHANGED, IMPROVEMENT, REGRESSION, SAME, UNPROVEN, interval_text
from sealproof.harness.comparison.runs import Compared, Comparison
from sealproof.harness.foundation.text import aligned, csv_text, filled

CSV = "compare.csv"

COLUMNS = (
    "scheme", "attack", "params", "detector", "role", "threshold_rule", "metric", "before", "after", "difference",
    "ci_low", "ci_high", "mcnemar_p", "mcnemar_p_holm", "n_clips", "n_groups", "verdict",
)  # fmt: skip

_ON_SCREEN = 15
_IN_MARKDOWN = 40
_NAMES = 8

WORDS = {
    REGRESSION: "fell by more than is allowed, and the interval excludes zero",
    UNPROVEN: "fell by more than is allowed, but the interval holds zero: the clips cannot tell it from chance",
    IMPROVEMENT: "got better, and the interval excludes zero",
    CHANGED: "changed within what is allowed or what chance does",
    SAME: "the same",
}
"""What each verdict means."""


def headline(comparison: Comparison) -> str:
    """Say in a sentence what the comparison comes to."""
    n_regressions, n_failed = len(comparison.regressions), len(comparison.newly_failed)
    if n_regressions:
        worst = comparison.regressions[0]
        text = f"Worse: {n_regressions} of {len(comparison.rates)} rates fell by more than {comparison.allowed_drop:g}"
        text += f", most of all {_who(worst)} under {cell_of(worst)}, {interval_text(worst.difference)}."
    elif comparison.changed:
        text = f"No rate of {len(comparison.rates)} fell by more than {comparison.allowed_drop:g} beyond chance."
    else:
        text = f"All {len(comparison.rates)} rates are the same."
    return f"{text} {n_failed} cells failed that did not before." if n_failed else text


def counts(comparison: Comparison) -> dict[str, int]:
    """Count the rates by verdict, the worst verdict first."""
    counts = Counter(rate.verdict for rate in comparison.rates)
    return {verdict: counts[verdict] for verdict in WORDS}


def cell_of(rate: Compared) -> str:
    """Return `attack params`."""
    return f"{rate.after.attack} {rate.after.params}".strip()


def notes(comparison: Comparison) -> list[str]:
    """Say which cells failed, are missing or new."""
    lines = [f"failed, did not before: {cell}: {error}" for cell, error in comparison.newly_failed.items()]
    for what, names in (("missing from the second run", comparison.missing), ("new in it", comparison.new)):
        if names:
            more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
            lines.append(f"{what}: {', '.join(names[:_NAMES])}{more}")
    return lines


def comparison_lines(comparison: Comparison) -> list[str]:
    """Write one screen, the worst first."""
    lines = [headline(comparison), f"{', '.join(f'{n} {verdict}' for verdict, n in counts(comparison).items())}"]
    lines += notes(comparison)
    shown = comparison.changed[:_ON_SCREEN]
    if shown:
        rows = [["attack", "rate", "before", "after", "difference", "p (Holm)", ""]]
        rows += [[cell_of(rate), _who(rate), *_numbers(rate)] for rate in shown]
        lines += aligned(rows)
    if len(comparison.changed) > len(shown):
        lines.append(f"... and {len(comparison.changed) - len(shown)} more rates that changed")
    lines += [f"{name}: {a or '-'} -> {b or '-'}" for name, a, b in comparison.facts[:_NAMES]]
    if len(comparison.facts) > _NAMES:
        lines.append(f"... and {len(comparison.facts) - _NAMES} more facts that differ")
    return lines


def _who(rate: Compared) -> str:
    return f"{rate.after.detector} {rate.after.metric} ({rate.after.threshold_rule})"


def _numbers(rate: Compared) -> list[str]:
    difference = rate.difference
    p_value = p_text(rate.mcnemar_p_holm)
    return [f"{difference.before:.3f}", f"{difference.after:.3f}", interval_text(difference), p_value, rate.verdict]


def p_text(p_value: float) -> str:
    """Write a p value with two digits."""
    return "< 0.0001" if p_value < 1e-4 else f"{p_value:.2g}"


def compare_csv(comparison: Comparison) -> str:
    """Write compare.csv."""
    return csv_text(COLUMNS, map(_fields, comparison.rates))


def _fields(rate: Compared) -> list[object]:
    tally, difference = rate.after, rate.difference
    ends = (difference.ci_low, difference.ci_high)
    return [
        *(tally.scheme, tally.attack, filled(tally.params), tally.detector, tally.role),
        *(tally.threshold_rule, tally.metric),
        *(f"{number:.6f}" for number in (difference.before, difference.after, difference.value)),
        *(f"{end:.6f}" if difference.n_groups > 1 else "" for end in ends),
        *(f"{rate.mcnemar_p:.6g}", f"{rate.mcnemar_p_holm:.6g}"),
        *(difference.n_clips, difference.n_groups, rate.verdict),
    ]


def markdown_text(comparison: Comparison) -> str:
    """Write compare.md."""
    lines = [f"**{headline(comparison)}**", "", f"`{comparison.before}` against `{comparison.after}`", ""]
    lines += [f"- {n} {verdict}: {WORDS[verdict]}" for verdict, n in counts(comparison).items() if n]
    lines += [f"- {note}" for note in notes(comparison)]
    if comparison.changed:
        lines += ["", "| attack | rate | before | after | difference | p (Holm) | |"]
        lines += ["|---|---|---:|---:|---:|---:|---|"]
        for rate in comparison.changed[:_IN_MARKDOWN]:
            lines.append(f"| {cell_of(rate)} | {_who(rate)} | {' | '.join(_numbers(rate))} |")
        left = len(comparison.changed) - _IN_MARKDOWN
        if left > 0:
            lines += ["", f"{left} more rates changed: see {CSV}."]
    if comparison.facts:
        lines += ["", "| what else differs | before | after |", "|---|---|---|"]
        lines += [
            f"| {name} | {a.replace('|', '&#124;')} | {b.replace('|', '&#124;')} |" for name, a, b in comparison.facts
        ]
    return "\n".join(lines) + "\n"
