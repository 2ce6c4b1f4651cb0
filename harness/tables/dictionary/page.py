"""The data dictionary of a run's files as a page: `results/README.md`."""

from collections.abc import Iterable, Mapping, Sequence

from sealproof.harness.foundation.text import markdown_table
from sealproof.harness.tables.dictionary.columns import COLUMNS, FILES, GATE, OTHER_FILES, QUANTITIES
from sealproof.harness.tables.dictionary.metrics import METRICS, THRESHOLD_RULES, Metric, ThresholdRule

_HEAD = """# Results: what the files say

`sealproof run` and `pytest -m robustness` write here (`--out` and `--robustness-out` choose another folder). Only this
page and the baseline are in version control; a run's output is not. The page is made from
`metrics.py` and `columns.py` in `harness/tables/dictionary/`, and tested against what a run writes.
"""

_CSV = "CSV is UTF-8 with commas and LF; an empty field means *not defined* or *does not apply*, never 0."

_RULES = """A score becomes a decision by a rule; numbers by different rules are different numbers, and never mixed. The
first three thresholds are set without a look at the test split."""

_INTERVALS = """Medians are taken over the clips that allow the measurement. What is said of the audio says how much an
attack costs its user, not how good a detector is, so neither direction is better.

Intervals: clips of one recording are alike, so groups are resampled (cluster bootstrap, 2,000 resamples); for rates
the wider of that and Wilson's interval is given. The test split shares no group with the splits that a mimic or a
threshold comes from. An interval takes its threshold as given; that of `best` is chosen on the same clips, so it is
optimistic."""

_BREAK_POINTS = """A sweep is three or more cells of one attack that differ in one number alone, of attacks whose
strengths have an order; weaker comes first. The strength is interpolated between the two around the crossing."""

_ATTACKS = """Written by `sealproof run` (measured on 32 pairs of a cell, of as many recordings as there are) and by
`sealproof attacks verify`. A cell whose attack breaks a claim fails and is not scored."""


_OTHERS = ("baseline.csv", GATE, "compare.csv", "extract.csv", "extract_seeds.csv")


def dictionary_markdown() -> str:
    """Return the page."""
    parts = [
        _HEAD,
        markdown_table(
            ("file", "what it is"), ((f"`{name}`", text) for name, text in {**FILES, **OTHER_FILES}.items())
        ),
        _CSV,
        "## summary.csv",
        _columns("summary.csv"),
        "### Threshold rules",
        _RULES,
        markdown_table(("rule", "a clip is taken for watermarked when", "detectors"), _rule_lines(THRESHOLD_RULES)),
        "### Metrics",
        markdown_table(
            ("metric", "meaning", "range", "better", "at a rule", "source", "function"), _metric_lines(METRICS)
        ),
        _INTERVALS,
        "## break_points.csv",
        _BREAK_POINTS,
        _columns("break_points.csv"),
        "## attacks.csv",
        _ATTACKS,
        _columns("attacks.csv"),
        markdown_table(("quantity", "meaning"), ((f"`{name}`", text) for name, text in QUANTITIES.items())),
        "Other quantities belong to one attack, which says in its documentation what they are.",
        "## clips.csv",
        _columns("clips.csv"),
        *(part for name in _OTHERS for part in (f"## {name}", _columns(name))),
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _columns(file: str) -> str:
    return markdown_table(("column", "meaning"), ((f"`{name}`", text) for name, text in COLUMNS[file].items()))


def _rule_lines(rules: Mapping[str, ThresholdRule]) -> Iterable[Sequence[str]]:
    for name, rule in rules.items():
        yield f"`{name}`" + (" (optimistic)" if rule.is_optimistic else ""), rule.meaning, rule.applies_to


def _metric_lines(metrics: Mapping[str, Metric]) -> Iterable[Sequence[str]]:
    for name, metric in metrics.items():
        at_rule = "yes" if metric.has_rule else ""
        yield f"`{name}`", metric.meaning, _range(metric), metric.better, at_rule, metric.source, metric.defined_in


def _range(metric: Metric) -> str:
    if metric.low is None and metric.high is None:
        return metric.unit
    bounds = f"from {metric.low:g}" if metric.high is None else f"{metric.low:g} to {metric.high:g}"
    chance = "" if metric.chance is None else f", chance {metric.chance:g}"
    return f"{bounds} {metric.unit}".strip() + chance
