"""The generated parts of docs/adversaries.md: the list of adversaries and the columns of the tables."""

from sealproof.attacks.adversarial import adversary_class, list_adversaries
from sealproof.harness.foundation.text import markdown_table
from sealproof.harness.studies.adversaries.output.rows import COLUMNS

BEGIN, END = "<!-- generated: {name} -->", "<!-- end of {name} -->"
"""Around each generated part of the page."""

_MEANING = {
    "dataset": "name of the dataset's folder",
    "scheme": "whose detector is attacked",
    "adversary": "id of the adversary",
    "knowledge": "what it must know: `nothing`, `pairs`, a `surrogate`, or the `weights`",
    "access": "what it knows of the detector: `none`, `labels`, the access level of its surrogate, or `weights`",
    "surrogate": "whose gradients it follows; empty where it needs none",
    "direction": "`removal`: flagged marked clips; `forgery`: clean clips that were passed",
    "basis": "where one that asks questions looks: `all` samples or `low`, below 2 kHz",
    "budget": "the change allowed at most, as a 16-bit file; joined by `+` where a number is about several",
    "queries": "questions allowed for each clip",
    "rule": "the threshold that was attacked, each as a target of its own",
    "metric": "see below",
    "value": "the number; empty where there is none, and `status` says why",
    "ci_low": "lower end of its 95 % interval, by recording",
    "ci_high": "upper end",
    "n_clips": "clips it is taken over: those that were judged rightly beforehand",
    "n_groups": "recordings they come from",
    "status": "`ok`, `unreliable` (a check failed), `failed` (it could not be run), `never fell`",
    "note": "what failed",
}

_KNOWS = {
    "nothing": "nothing",
    "pairs": "other recordings, marked and not",
    "surrogate": "a surrogate: a mimic, or the reference",
    "weights": "the detector's weights",
}


def filled_page(page: str) -> str:
    """Return a page with its generated parts as they must be now."""
    for name, table in (("adversaries", adversaries_table()), ("columns", columns_table())):
        before, begin, rest = page.partition(BEGIN.format(name=name))
        _, end, after = rest.partition(END.format(name=name))
        page = f"{before}{begin}\n{table}\n{end}{after}"
    return page


def adversaries_table() -> str:
    """Return the list of adversaries as a Markdown table."""
    lines = []
    for name in list_adversaries():
        cls = adversary_class(name)
        forms = ", ".join(f"`{form.id}`" for form in cls.standard())
        asks = "frames or scores" if cls.asks == "scores" else cls.asks
        lines.append([f"`{name}`", cls.summary, _KNOWS[cls.knows], asks, forms])
    return markdown_table(["id", "what it does", "knows", "asks", "standard forms"], lines)


def columns_table() -> str:
    """Return the columns of adversary.csv as a Markdown table."""
    return markdown_table(["column", "meaning"], [[f"`{name}`", _MEANING[name]] for name in COLUMNS])
