"""The threat model as a table: what each imitation had, in clips, answers, steps and knowledge."""

from collections.abc import Sequence

from sealproof.harness.foundation.text import markdown_table
from sealproof.harness.studies.extraction.imitators.catalogue import IMITATORS
from sealproof.harness.studies.extraction.request import TRAIN, UNHEARD, WITHOUT, without_seed
from sealproof.harness.studies.extraction.study import Result

_OUTPUTS = {
    "labels": "none: the truth of each clip",
    "decisions": "yes or no",
    "clip_scores": "one score a clip",
    "scores": "scores over time",
}

_HEADER = ("imitator", "clips of", "pairs", "altered clips", "output of the detector", "queries", "steps", "knows also")

_CAVEAT = (
    "Every attacker has clips with their watermarked twins, and none can mark clips. Functional equivalence, the same "
    "answer on every input, is not claimed: fidelity is measured on the clips and attacks of the study, and says "
    "nothing of others."
)


def threat_model(results: Sequence[Result]) -> str:
    """Write the table in Markdown, a line for each case whatever its seed."""
    rows: dict[tuple[str, ...], None] = {}
    for result in results:
        if result.case is None:
            continue
        case = without_seed(result.case)
        n_pairs, n_altered = int(result.point.facts["n_pairs"]), int(result.point.facts["n_altered"])
        queries = 0 if case.access == "labels" else 2 * n_pairs + n_altered
        row = (
            case.imitator,
            _whose(case.data),
            f"{n_pairs:,}",
            f"{n_altered:,}" + ("" if case.select == "random" else f" ({case.select})"),
            _OUTPUTS[case.access],
            f"{queries:,}",
            f"{case.steps:,}" if case.steps else "-",
            IMITATORS[case.imitator].knows or "nothing",
        )
        rows[row] = None
    return f"{_CAVEAT}\n\n{markdown_table(_HEADER, rows)}\n"


def _whose(data: str) -> str:
    if data == TRAIN:
        return "the recordings that the detector learnt from"
    if data == UNHEARD:
        return "recordings that the detector never heard"
    if data.startswith(WITHOUT):
        return f"the detector's recordings but those of {data.removeprefix(WITHOUT)}"
    return data
