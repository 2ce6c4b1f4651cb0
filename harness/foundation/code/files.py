"""Hashes of files on which numbers rest: of all code in a package, and of files that are no code."""

from collections.abc import Iterable
from pathlib import Path

from sealproof.harness.foundation.code.modules import find_module
from sealproof.harness.foundation.files import sha256_file, sha256_json

_KNOWN: dict[Path, tuple[object, str]] = {}


def package_files(package: str) -> dict[str, str]:
    """Return the hash of every file of code in and below a package, or of a module's one file.

    Raises:
        OSError: A file cannot be read.
    """
    module = find_module(package)
    return {} if module is None else {name: _sha256(path) for name, path in module.files()}


def packages_sha256(*packages: str) -> str:
    """Hash all code in and below packages.

    Raises:
        OSError: A file cannot be read.
    """
    return sha256_json([package_files(package) for package in packages])


def files_sha256(paths: Iterable[Path | str]) -> str:
    """Hash files, and all files in folders, by name and content.

    Within a process a file is read once while its size and the time of its last change stay.

    Raises:
        FileNotFoundError: There is no such file or folder.
        OSError: It cannot be read.
    """
    hashes = []
    for path in map(Path, paths):
        inside = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
        hashes += [(each.relative_to(path.parent).as_posix(), _sha256(each)) for each in inside]
    return sha256_json(hashes)


def file_state(path: Path) -> tuple[Path, int, int]:
    """Return what changes whenever a file is written anew."""
    facts = path.stat()
    return path, facts.st_size, facts.st_mtime_ns


def _sha256(path: Path) -> str:
    state = file_state(path)
    known = _KNOWN.get(path)
    if known is None or known[0] != state:
        known = _KNOWN[path] = (state, sha256_file(path))
    return known[1]
