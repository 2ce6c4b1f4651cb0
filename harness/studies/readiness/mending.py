"""From an exception to the package that is to blame, and to the command that mends it."""

import traceback
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from sealproof.attacks.contract.errors import AttackError
from sealproof.detectors.base import DetectorError
from sealproof.harness.foundation.errors import HarnessError

_OURS = (AttackError, DetectorError, HarnessError)

_DISTRIBUTION = "sealproof"

_RUN = "Run: "
"""How the errors of this project introduce a command."""

_HERE = "sealproof doctor"
"""The command that they name when they know none better, which does not help whoever is running it."""


def explain(error: Exception) -> tuple[str, str]:
    """Say why something failed, and what mends it.

    Returns:
        The reason, and a command; empty where none is known.
    """
    chain = _chain(error)
    root = chain[-1]
    # Errors of this project are sentences; of others the kind says as much as the text.
    reason = str(root) if isinstance(root, _OURS) else f"{type(root).__name__}: {root}"
    told, _, advice = str(error).rpartition(_RUN)
    if told and advice.strip() != _HERE:
        return told.strip(), advice.strip()
    reason = reason.removesuffix(_HERE).removesuffix(_RUN).strip()
    # The inner errors of a package that raises one from another know nothing of what was being imported.
    package = next(filter(None, map(to_blame, reversed(chain))), None)
    return " ".join(reason.split()), install_command(package) if package else ""


def to_blame(error: BaseException) -> str | None:
    """Return the top-level package that an exception is about, or None where that is not known.

    It is the one that is missing, or the innermost one that was being imported.
    """
    if isinstance(error, ModuleNotFoundError) and error.name:
        return error.name.partition(".")[0]
    imported = [
        str(frame.f_globals.get("__name__", "")).partition(".")[0]
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_name == "<module>"
    ]
    return imported[-1] if imported and imported[-1] != _DISTRIBUTION else None


def install_command(package: str) -> str:
    """Return the command that brings a package to what sealproof needs, by the name it is imported by."""
    name = next(iter(_distributions().get(package, [package])))
    wanted = next((each for each in requirements(extras=True) if _is_about(each, name)), None)
    text = name if wanted is None else f"{wanted.name}{wanted.specifier}"
    quoted = f"'{text}'" if set(text) & set("<>=!~*") else text
    here = installed(name)
    if here is None or (wanted is not None and not wanted.specifier.contains(here, prereleases=True)):
        return f"pip install {quoted}"
    # The right version is there, so pip would leave it as it is.
    return f"pip install --force-reinstall --no-deps {quoted}"


def requirements(*, extras: bool = False) -> list[Requirement]:
    """Return what sealproof requires on this machine, with or without its extras; nothing where it is not installed."""
    try:
        stated = [Requirement(each) for each in requires(_DISTRIBUTION) or ()]
    except PackageNotFoundError:
        return []
    return [each for each in stated if each.marker is None or each.marker.evaluate({"extra": ""}) or extras]


def installed(distribution: str) -> str | None:
    """Return the version of a distribution, or None where it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def modules_of(distribution: str) -> list[str]:
    """Return the names by which a distribution is imported; those that begin with `_` are its own affair."""
    wanted = canonicalize_name(distribution)
    return sorted(
        module
        for module, names in _distributions().items()
        if module.isidentifier() and module[0] != "_" and wanted in {canonicalize_name(name) for name in names}
    )


@cache
def _distributions() -> Mapping[str, list[str]]:
    # Reads the lists of files of all that is installed.
    return metadata.packages_distributions()


def _is_about(requirement: Requirement, distribution: str) -> bool:
    return canonicalize_name(requirement.name) == canonicalize_name(distribution)


def _chain(error: BaseException) -> list[BaseException]:
    """Return an error and those that caused it, the first cause last."""
    return [error] if error.__cause__ is None else [error, *_chain(error.__cause__)]
