"""Reading results/counterexamples.toml: each start of `pytest -m robustness` does, so nothing heavy is imported."""

import tomllib
from pathlib import Path
from typing import Any

from sealproof.harness.foundation.errors import HarnessError


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
