"""compare.html: a comparison of two runs as one page that opens from disk, in the report's style."""

from html import escape
from string import Template
from typing import TYPE_CHECKING

from sealproof.harness.comparison.difference import IMPROVEMENT, REGRESSION, UNPROVEN, interval_text
from sealproof.harness.comparison.text import WORDS, cell_of, counts, headline, notes, p_text
from sealproof.harness.report.page.html import stylesheet

if TYPE_CHECKING:
    from sealproof.harness.comparison.runs import Compared, Comparison

_WIDTH, _HEIGHT = 160, 18
"""Of a difference's drawing, in px."""


def page(comparison: "Comparison") -> str:
    """Write the page; rates that are the same are in compare.csv only."""
    changed = comparison.changed
    reach = max((abs(end) for rate in changed for end in _ends(rate)), default=1.0) or 1.0
    return _PAGE.substitute(
        style=stylesheet(),
        scheme=escape(comparison.scheme),
        headline=escape(headline(comparison)),
        before=escape(str(comparison.before)),
        after=escape(str(comparison.after)),
        counts="".join(
            f"<tr><th scope=row>{escape(word)}</th><td class=n>{n}</td><td>{escape(WORDS[word])}</td></tr>"
            for word, n in counts(comparison).items()
        ),
        notes="".join(f"<p class=notice>{escape(note)}</p>" for note in notes(comparison)),
        n_changed=len(changed),
        reach=f"{reach:.3f}",
        rates="".join(_row(rate, reach) for rate in changed),
        facts="".join(
            f"<tr><th scope=row>{escape(name)}</th><td>{escape(a) or '-'}</td><td>{escape(b) or '-'}</td></tr>"
            for name, a, b in comparison.facts
        ),
    )


def _ends(rate: "Compared") -> tuple[float, ...]:
    found = rate.difference
    return (found.value,) if found.n_groups < 2 else (found.value, found.ci_low, found.ci_high)


def _row(rate: "Compared", reach: float) -> str:
    found, tally = rate.difference, rate.after
    texts = (cell_of(rate), tally.detector, tally.metric, tally.threshold_rule)
    return (
        f'<tr class="{rate.verdict}">'
        + "".join(f"<td>{escape(text)}</td>" for text in texts)
        + f"<td class=n>{found.before:.3f}</td><td class=n>{found.after:.3f}</td>"
        + f"<td class=n data-v={rate.drop:.6f}>{escape(interval_text(found))}</td>"
        + f"<td>{_drawing(rate, reach)}</td>"
        + f"<td class=n data-v={rate.mcnemar_p_holm:.6g}>{escape(p_text(rate.mcnemar_p_holm))}</td>"
        + f"<td>{rate.verdict}</td></tr>"
    )


def _drawing(rate: "Compared", reach: float) -> str:
    """Draw the difference as a dot on its interval; zero is in the middle."""
    places = [(1 + end / reach) * (_WIDTH / 2 - 6) + 6 for end in _ends(rate)]
    line = "" if len(places) < 3 else f'<path d="M{places[1]:.1f} 9H{places[2]:.1f}"/>'
    return (
        f'<svg class=ci width={_WIDTH} height={_HEIGHT} aria-hidden=true><path class=zero d="M{_WIDTH / 2:.0f} 1V17"/>'
        f'{line}<circle cx="{places[0]:.1f}" cy="9" r="4"/></svg>'
    )


_PAGE = Template(f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$scheme: two runs compared</title>
<link rel="icon" href="data:,">
<style>
$style
.compare {{ padding-block: 2.5rem 3rem; display: grid; grid-template-columns: minmax(0, 1fr); gap: 2rem; }}
.compare h1 {{ max-width: 52rem; font-size: clamp(1.3rem, 2.6vw, 1.9rem); }}
.compare .wide {{ overflow-x: auto; }}
.compare table {{ border-collapse: collapse; font-size: 0.9rem; }}
.compare th, .compare td {{ text-align: left; padding: 0.35rem 0.8rem 0.35rem 0; }}
.compare tr {{ border-bottom: 1px solid var(--line); }}
.compare thead th {{ position: sticky; top: 0; background: var(--paper); white-space: nowrap; }}
.compare thead button {{ all: unset; cursor: pointer; }}
.compare thead button:focus-visible {{ outline: 2px solid var(--accent); }}
.compare .n {{ text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }}
.compare tr[hidden] {{ display: none; }}
.compare .controls {{ display: flex; flex-wrap: wrap; gap: 0.6rem 1.2rem; align-items: center; margin: 0.8rem 0; }}
.compare input, .compare select {{ font: inherit; color: inherit; background: var(--raised); padding: 0.35rem 0.6rem;
  border: 1px solid var(--line); border-radius: 6px; min-width: 0; }}
.ci path {{ stroke: currentColor; stroke-width: 2; fill: none; }}
.ci .zero {{ stroke: var(--line); stroke-width: 1; }}
.ci circle {{ fill: currentColor; }}
.{REGRESSION} td {{ font-weight: 600; }}
.{REGRESSION} .ci {{ color: var(--d1); }}
.{IMPROVEMENT} .ci {{ color: var(--d2); }}
.{UNPROVEN} .ci {{ color: var(--d4); }}
</style>
</head>
<body>
<main class="compare">
<header>
<p class="eyebrow">sealproof compare, $scheme</p>
<h1>$headline</h1>
<p class="fine">Before: <code>$before</code><br>After: <code>$after</code></p>
</header>
$notes
<section class="wide"><table><tbody>$counts</tbody></table></section>
<section>
<h2>What changed</h2>
<p class="fine">$n_changed rates, the worst first. Differences are second minus first run on the same clips, with 95 %
intervals clustered by recording (drawn on -$reach to $reach). p: exact McNemar, Holm over the attacks; it takes clips
to be independent. What is the same is in compare.csv.</p>
<div class="controls">
<label>Find <input id="find" type="search" placeholder="attack, detector, metric"></label>
<label>Verdict <select id="verdict"><option value="">all</option></select></label>
<span id="shown" class="fine" role="status"></span>
</div>
<div class="wide"><table id="rates">
<thead><tr><th>attack</th><th>detector</th><th>metric</th><th>rule</th><th class=n>before</th><th class=n>after</th>
<th class=n>difference</th><th aria-label="drawn"></th><th class=n>p (Holm)</th><th>verdict</th></tr></thead>
<tbody>$rates</tbody></table></div>
</section>
<section>
<h2>What else differs</h2>
<div class="wide"><table><thead><tr><th>fact</th><th>before</th><th>after</th></tr></thead>
<tbody>$facts</tbody></table></div>
</section>
</main>
<script>
const body = document.querySelector("#rates tbody"), rows = [...body.rows];
const find = document.getElementById("find"), verdict = document.getElementById("verdict");
for (const name of new Set(rows.map(row => row.className))) verdict.add(new Option(name, name));
function filter() {{
  const words = find.value.toLowerCase().split(/\\s+/);
  let n = 0;
  for (const row of rows) {{
    const text = row.textContent.toLowerCase();
    row.hidden = !(words.every(word => text.includes(word)) && (!verdict.value || row.className === verdict.value));
    n += !row.hidden;
  }}
  document.getElementById("shown").textContent = n + " of " + rows.length + " shown";
}}
find.addEventListener("input", filter);
verdict.addEventListener("change", filter);
document.querySelectorAll("#rates thead th").forEach((head, column) => {{
  if (!head.textContent) return;
  const button = document.createElement("button");
  button.textContent = head.textContent;
  head.replaceChildren(button);
  button.addEventListener("click", () => {{
    const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    document.querySelectorAll("#rates thead th").forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    const key = row => row.cells[column].dataset.v ?? row.cells[column].textContent;
    rows.sort((a, b) => sign * (isNaN(key(a)) || isNaN(key(b)) ? key(a).localeCompare(key(b)) : key(a) - key(b)));
    body.append(...rows);
  }});
}});
filter();
</script>
</body>
</html>
""")
