"""Writing results/counterexamples.toml."""

import math
from pathlib import Path
from typing import Any

from sealproof.harness.foundation.files import write_text
from sealproof.harness.studies.counterexamples.kept import read
from sealproof.harness.studies.counterexamples.search import Counterexample, Found

_HEAD = """\
# Chains of attacks that break a detector although each of their links leaves it alone: found by `sealproof search` on
# validation recordings, verified on test recordings. `pytest -m robustness` runs those of its scheme.
"""


def keep(path: Path, result: Found, of: str) -> int:
    """Add confirmed counterexamples to a file; one that is there already is replaced.

    Returns:
        How many were added or replaced.

    Raises:
        HarnessError: The file is damaged.
        OSError: It cannot be written.
    """
    entries = {(entry["scheme"], entry["of"], entry["chain"]): entry for entry in read(path)}
    confirmed = [example for example in result.counterexamples if example.is_confirmed]
    for example in confirmed:
        entries[result.scheme, of, example.chain] = _entry(result, of, example)
    if confirmed:
        tables = [_toml(entries[key]) for key in sorted(entries)]
        write_text(path, "\n".join([_HEAD, *tables]))
    return len(confirmed)


def _entry(result: Found, of: str, example: Counterexample) -> dict[str, Any]:
    verified = example.verified
    return {
        "scheme": result.scheme,
        "of": of,
        "chain": example.chain,
        "detectors": list(result.detectors),
        "alone": {name: round(rate, 4) for name, rate in example.links.items()},
        "together": round(verified.value, 4),
        "ci_low": _number(verified.ci_low),
        "ci_high": _number(verified.ci_high),
        "n_clips": verified.n_clips,
        "n_groups": verified.n_groups,
        "validation": round(example.validation_rate, 4),
        "lsd_db": round(example.lsd_db, 2),
        "runs": example.n_runs,
    }


def _number(value: float) -> float | str:
    return "unknown" if math.isnan(value) else round(value, 4)


def _toml(entry: dict[str, Any]) -> str:
    lines = ["[[counterexample]]"]
    lines += [f"{name} = {_value(value)}" for name, value in entry.items()]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f'"{name}" = {_value(each)}' for name, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else repr(value)
