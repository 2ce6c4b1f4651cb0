"""Which installed distributions a top-level package belongs to, and whether their versions pin its code."""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import metadata


@dataclass(frozen=True)
class Owner:
    """A distribution.

    Attributes:
        name: As its metadata spell it.
        version: Its version.
        is_pinned: The version says what the code is: it is neither installed for editing nor without a list of files.
    """

    name: str
    version: str
    is_pinned: bool


@cache
def owners(top: str) -> tuple[Owner, ...]:
    """Return the distributions that a top-level package or module belongs to; none for local code.

    `importlib.metadata.packages_distributions` says the same of all packages at once, which takes a third of a second
    where much is installed. An editable install that does not list its packages owns none here.
    """
    return tuple(_owner(each) for each in _distributions(top))


@cache
def sisters(top: str) -> frozenset[str]:
    """Return all top-level packages and modules of the distributions that one belongs to, itself among them."""
    return frozenset({top}.union(*(_packages(each) for each in _distributions(top))))


def _distributions(top: str) -> list[metadata.Distribution]:
    if top in sys.stdlib_module_names:
        return []
    try:
        # Most are named as what they hold.
        named = metadata.distribution(top)
    except (metadata.PackageNotFoundError, ValueError):
        named = None
    if named is not None and _holds(named, top):
        return [named]
    return [each for each in metadata.distributions() if _holds(each, top)]


def _holds(distribution: metadata.Distribution, top: str) -> bool:
    listed = distribution.read_text("top_level.txt")
    if listed is not None:
        return top in listed.split()
    record = distribution.read_text("RECORD") or ""
    return re.search(rf"^{re.escape(top)}[/.]", record, re.MULTILINE) is not None


def _owner(distribution: metadata.Distribution) -> Owner:
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    is_editable = bool(origin.get("dir_info", {}).get("editable")) or distribution.read_text("RECORD") is None
    # Not by `distribution.version`, which parses the whole of a README to find it.
    head = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    facts = {name: re.search(rf"^{name}: *(.*)$", head, re.MULTILINE) for name in ("Name", "Version")}
    name, version = (match[1] if match else "unknown" for match in facts.values())
    return Owner(name, version, not is_editable)


def _packages(distribution: metadata.Distribution) -> Iterator[str]:
    yield from (distribution.read_text("top_level.txt") or "").split()
    for line in (distribution.read_text("RECORD") or "").splitlines():
        path = line.rpartition(",")[0].rpartition(",")[0].strip('"')
        if path.endswith(".py") and not path.startswith(("..", "/")):
            yield path.partition("/")[0].removesuffix(".py")
