"""compare.html: a comparison of two runs as one page that opens from disk, in the report's style."""

from importlib.resources import files

from sealproof.harness.comparison.difference import Difference, interval_text
from sealproof.harness.comparison.runs import Compared, Comparison
from sealproof.harness.comparison.text import WORDS, cell_of, counts, headline, notes, p_text
from sealproof.harness.report.page.html import markup, render, stylesheet

_WIDTH, _MARGIN = 160, 6
"""Of a difference's drawing, in px."""


def comparison_page(comparison: Comparison) -> str:
    """Write the page; rates that are the same are in compare.csv only."""
    reach = max((abs(end) for rate in comparison.changed for end in _ends(rate.difference)), default=1.0) or 1.0
    return render(
        files(__package__).joinpath("page.html.j2").read_text(encoding="utf-8"),
        style=markup(stylesheet()),
        comparison=comparison,
        headline=headline(comparison),
        counts=counts(comparison),
        words=WORDS,
        notes=notes(comparison),
        rates=[_row(rate, reach) for rate in comparison.changed],
        reach=reach,
        width=_WIDTH,
    )


def _ends(difference: Difference) -> tuple[float, ...]:
    """Return a difference, and the ends of its interval where it has one."""
    if difference.n_groups < 2:
        return (difference.value,)
    return (difference.value, difference.ci_low, difference.ci_high)


def _row(rate: Compared, reach: float) -> dict[str, object]:
    """Return what the template says of a rate; its difference is drawn as a dot on its interval, zero in the middle."""
    difference, tally = rate.difference, rate.after
    place, *ends = (f"{(1 + end / reach) * (_WIDTH / 2 - _MARGIN) + _MARGIN:.1f}" for end in _ends(difference))
    return {
        "verdict": rate.verdict,
        "cell": cell_of(rate),
        "detector": tally.detector,
        "metric": tally.metric,
        "rule": tally.threshold_rule,
        "before": f"{difference.before:.3f}",
        "after": f"{difference.after:.3f}",
        "difference": interval_text(difference),
        "drop": f"{rate.drop:.6f}",
        "place": place,
        "ends": ends,
        "p_value": f"{rate.mcnemar_p_holm:.6g}",
        "p_text": p_text(rate.mcnemar_p_holm),
    }
