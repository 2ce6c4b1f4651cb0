"""The HTML page: one file with everything in it, that asks nothing of a network."""

import base64
import hashlib
import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

from sealproof.harness.report.contents import Contents
from sealproof.harness.report.page.data import page_data
from sealproof.harness.report.page.small_print import attack_notes, failures, run_facts
from sealproof.harness.report.verdict import cell_text
from sealproof.harness.report.worst_case import adversary_rows, worst_case_rows
from sealproof.harness.tables.reading.clips import LABELS

_SCRIPTS = (
    "dom", "data", "tooltip", "axes", "state", "heat_map", "curves", "break_points", "histograms", "quality",
    "cell_table", "listen", "main",
)  # fmt: skip
"""Parts of the script, in the order in which each needs those before it."""


@cache
def stylesheet() -> str:
    """Return the style of sealproof's pages: type, colours for light and dark, tables, charts, controls."""
    return _text("style.css")


def render(template: str, **values: object) -> str:
    """Fill a page's template; what is no `markup` is escaped, and a name that is not given is an error."""
    # Jinja2 and its sandbox cost a tenth of a second that no other command should pay.
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["code"] = _code
    return environment.from_string(template).render(values)


def markup(text: str) -> Any:
    """Mark text as HTML: for our own files, JSON without `<`, and what was escaped just before."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - see above


def html_page(contents: Contents, note: str) -> str:
    """Return report.html.

    Args:
        contents: What the page shows.
        note: Why there is nothing to listen to, or what to pass; empty where there is.
    """
    script, style = _script(), stylesheet()
    return render(
        _text("report.html.j2"),
        title=f"{contents.folder.facts['dataset']}: {contents.folder.scheme}",
        folder=contents.folder,
        verdict=contents.verdict,
        examples=[_example(contents, index) for index in range(len(contents.examples))],
        note=note,
        worst_case=worst_case_rows(contents),
        adversaries=adversary_rows(contents),
        changed=_changed(contents),
        failures=failures(contents.folder),
        attack_notes=attack_notes(contents.folder),
        facts=run_facts(contents.folder),
        policy=_policy(script, style),
        style=markup(style),
        script=markup(script),
        data=markup(_json(page_data(contents))),
    )


def _example(contents: Contents, index: int) -> dict[str, Any]:
    """Return what the template says about one disagreement."""
    example = contents.examples[index]
    disagreement, detectors = example.disagreement, contents.folder.detectors
    verdicts = []
    for place in (0, disagreement.mimic):
        score = float(contents.folder.scores.scores[disagreement.cell, place, disagreement.label, disagreement.clip])
        threshold = detectors[place].thresholds["fixed"]
        says = int(score > threshold)
        verdicts.append(
            {
                "name": detectors[place].name,
                "index": place,
                "score": f"{score:.3g}",
                "threshold": f"{threshold:.3g}",
                "says": LABELS[says],
                "is_right": says == disagreement.label,
            }
        )
    return {
        "number": index + 1,
        "attack": cell_text(contents.folder.cells[disagreement.cell]),
        "clip": contents.folder.scores.clip_ids[disagreement.clip],
        "label": LABELS[disagreement.label],
        "verdicts": verdicts,
        "sounds": example.sounds,
        "lowered_db": f"{example.lowered_db:.1f}" if example.lowered_db >= 0.05 else "",
        "is_exact": example.is_exact,
        "error": example.error,
    }


def _changed(contents: Contents) -> list[str]:
    """Name the attacks of which an example may differ from what the run scored."""
    names = [
        contents.folder.cells[each.disagreement.cell].attack
        for each in contents.examples
        if each.sounds and not each.is_exact
    ]
    return list(dict.fromkeys(names))


def _script() -> str:
    parts = "\n".join(_text(f"script/{name}.js") for name in _SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}}})();\n'


def _policy(script: str, style: str) -> str:
    """Return a content security policy: no network at all, and no script or style but our own."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (script, style)]
    return (
        f"default-src 'none'; script-src 'sha256-{hashes[0]}'; style-src 'sha256-{hashes[1]}'; "
        "img-src data:; media-src data:; base-uri 'none'; form-action 'none'"
    )


def _json(value: object) -> str:
    """Write JSON that can stand within a script element, whatever text is in it."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _code(text: str) -> Any:
    """Set what stands in backquotes as code; all else is escaped."""
    from markupsafe import escape

    return markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))


def _text(name: str) -> str:
    return (files(__package__) / name).read_text(encoding="utf-8")
