"""results/counterexamples.toml: written by the search, read by `pytest -m robustness`."""

import math
import tomllib
from pathlib import Path
from typing import Any

from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.files import write_text
from sealproof.harness.studies.counterexamples.search import Counterexample, Found

_HEAD = """\
# Chains of attacks that break a detector although each of their links leaves it alone: found by `sealproof search` on
# validation recordings, verified on test recordings. `pytest -m robustness` runs those of its scheme.
"""


def keep(path: Path, found: Found, of: str) -> int:
    """Add confirmed counterexamples to a file; one that is there already is replaced.

    Returns:
        How many were added or replaced.

    Raises:
        HarnessError: The file is damaged.
        OSError: It cannot be written.
    """
    entries = {(entry["scheme"], entry["of"], entry["chain"]): entry for entry in read(path)}
    confirmed = [example for example in found.counterexamples if example.is_confirmed]
    for example in confirmed:
        entries[found.scheme, of, example.chain] = _entry(found, of, example)
    if confirmed:
        tables = [_toml(entries[key]) for key in sorted(entries)]
        write_text(path, "\n".join([_HEAD, *tables]))
    return len(confirmed)


def read(path: Path) -> list[dict[str, Any]]:
    """Return what a file holds; nothing where there is none.

    Raises:
        HarnessError: It is damaged.
    """
    try:
        entries: list[dict[str, Any]] = tomllib.loads(path.read_text(encoding="utf-8")).get("counterexample", [])
        for entry in entries:
            if not all(isinstance(entry[name], str) for name in ("scheme", "of", "chain")):
                raise TypeError("scheme, of and chain must be text")
    except FileNotFoundError:
        return []
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise HarnessError(f"{path} is damaged ({error}): take it from version control again, or delete it.") from error
    return entries


def chains_of(path: Path, scheme: str) -> list[str]:
    """Return the ids of the chains that a file has for a scheme, sorted.

    Raises:
        HarnessError: It is damaged.
    """
    return sorted({entry["chain"] for entry in read(path) if entry["scheme"] == scheme})


def _entry(found: Found, of: str, example: Counterexample) -> dict[str, Any]:
    verified = example.verified
    return {
        "scheme": found.scheme,
        "of": of,
        "chain": example.chain,
        "detectors": list(found.detectors),
        "alone": {name: round(rate, 4) for name, rate in example.links.items()},
        "together": round(verified.value, 4),
        "ci_low": _number(verified.ci_low),
        "ci_high": _number(verified.ci_high),
        "n_clips": verified.n_clips,
        "n_groups": verified.n_groups,
        "validation": round(example.found, 4),
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
