"""How `sealproof doctor` says what works on this machine."""

import os
import platform
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from sealproof.harness.foundation.versions import package_versions
from sealproof.harness.studies.readiness.check import CheckResult, State
from sealproof.harness.studies.readiness.checks import (
    ATTACKS,
    EXPORT,
    KINDS,
    MIMICS,
    MUSICCAPS,
    PACKAGES,
    QUALITY,
    SCHEME,
)

_LONG = 160
"""Characters after which the summary leaves out further sentences."""

_NEEDS = {
    ATTACKS: "which need packages or weights that sealproof does not bring: sealproof doctor --verbose",
    QUALITY: "for --quality: pip install 'sealproof[quality]'",
    MUSICCAPS: "for fetching MusicCaps: pip install 'sealproof[musiccaps]'",
    EXPORT: "for sealproof export: pip install 'sealproof[onnx]'",
    MIMICS: "",
    PACKAGES: "",
}
"""What is said of those of a kind that are not installed."""


def machine() -> Iterator[str]:
    """Yield what everything was tried on."""
    free_gb = shutil.disk_usage(Path.cwd()).free / 1e9
    yield f"{'machine':10} {platform.platform()}, {os.cpu_count()} cores, {free_gb:.0f} GB free here"
    yield f"{'versions':10} " + ", ".join(f"{name} {version}" for name, version in package_versions().items())


def summary(results: Sequence[CheckResult]) -> Iterator[str]:
    """Yield a line for each scheme and one for each other kind, and below it what does not work."""
    for kind in KINDS:
        own = [each for each in results if each.kind == kind]
        if kind == SCHEME:
            yield from (f"{kind:10} {each.name}: {_short(_told(each))}" for each in own)
        elif own:
            yield f"{kind:10} {_counted(kind, own)}"
            yield from (f"{'':10} {line}" for line in _reasons(own))


def everything(results: Sequence[CheckResult]) -> Iterator[str]:
    """Yield a line for each thing that was tried, and where in the code the broken ones broke."""
    for kind in KINDS:
        for each in results:
            if each.kind == kind:
                yield f"{kind:10} {each.name}: {_told(each)}"
                yield from (f"{'':10} | {line}" for line in each.trace.splitlines())


def verdict(results: Sequence[CheckResult]) -> str:
    """Say in one sentence whether all is well."""
    faulty = broken_checks(results)
    if not faulty:
        return "All that should work here does."
    names = ", ".join(dict.fromkeys(each.name for each in faulty))
    return f"{len(faulty)} of {len(results)} things do not work here and should: {names}."


def broken_checks(results: Sequence[CheckResult]) -> list[CheckResult]:
    """Return what should work on this machine and does not."""
    return [each for each in results if each.state is State.BROKEN]


def _counted(kind: str, own: Sequence[CheckResult]) -> str:
    ready = sum(each.state is State.READY for each in own)
    absent = [each.name for each in own if each.state is State.ABSENT]
    text = f"{ready} of {len(own)} ready"
    return f"{text}; not: {', '.join(absent)}, {_NEEDS[kind]}" if absent else text


def _reasons(own: Sequence[CheckResult]) -> Iterator[str]:
    """Yield what is broken or not as tested, those with one reason in one line."""
    by_reason: dict[str, list[str]] = {}
    for each in own:
        if each.state in (State.BROKEN, State.UNTESTED):
            by_reason.setdefault(_told(each), []).append(each.name)
    yield from (f"{', '.join(names)}: {reason}" for reason, names in by_reason.items())


def _told(result: CheckResult) -> str:
    command = f". Run: {result.command}" if result.command else ""
    return f"{result.state.value}: {result.text.rstrip('.')}{command}" if result.text else result.state.value


def _short(text: str) -> str:
    """Leave out the sentences behind the first that are too many for a line."""
    kept, *more = re.split(r"(?<=[.]) (?=[A-Z])", text)
    for sentence in more:
        if len(kept) + len(sentence) > _LONG and not sentence.startswith("Run: "):
            break
        kept = f"{kept} {sentence}"
    return kept
