"""The files that a dataset is made of: their sizes, times and hashes, and what changed since they were written down."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.files import sha256_file, sha256_json
from sealproof.harness.foundation.progress import progress

_N_NAMED = 3
"""Files of a kind that a message names."""


@dataclass(frozen=True)
class SourceFile:
    """A file as it was when it was read.

    Attributes:
        size: In bytes.
        mtime_ns: When it was last written, in nanoseconds since 1970.
        sha256: Of its bytes; of one that cannot be read, why not.
    """

    size: int
    mtime_ns: int
    sha256: str


Sources = Mapping[str, SourceFile]
"""By the name that a manifest gives them."""


def read_sources(files: Mapping[str, Path], known: Sources) -> dict[str, SourceFile]:
    """Hash files; one whose size and time are those of a known one is taken to be that one still.

    Args:
        files: By name.
        known: As they were before; empty where nothing is known.
    """
    return {name: _read(path, known.get(name)) for name, path in progress(sorted(files.items()), "hashing sources")}


def _read(path: Path, known: SourceFile | None) -> SourceFile:
    try:
        stat = path.stat()
        if known is not None and (known.size, known.mtime_ns) == (stat.st_size, stat.st_mtime_ns):
            return known
        return SourceFile(stat.st_size, stat.st_mtime_ns, sha256_file(path))
    except OSError as error:
        # Whether a file that cannot be read stops the build is the corpus' to say.
        return SourceFile(0, 0, f"cannot be read: {error.strerror}")


def sources_sha256(sources: Sources) -> str:
    """Hash names and contents; when a file was written does not matter."""
    return sha256_json({name: source.sha256 for name, source in sources.items()})


def to_json(sources: Sources) -> dict[str, dict[str, Any]]:
    """Return sources as JSON knows them."""
    return {name: asdict(source) for name, source in sources.items()}


def from_json(record: Mapping[str, Mapping[str, Any]]) -> dict[str, SourceFile]:
    """Return what `to_json` was given.

    Raises:
        TypeError: It is something else.
    """
    return {name: SourceFile(**source) for name, source in record.items()}


def refuse_changed(root: Path, before: Sources, now: Sources) -> None:
    """Refuse to take a dataset for one of other files, or to go on with files that have changed.

    Args:
        root: The dataset's folder.
        before: The files when its build began.
        now: The files that there are.

    Raises:
        HarnessError: A file is new, gone or another one.
    """
    different = [name for name in now if name in before and before[name].sha256 != now[name].sha256]
    kinds = {
        "changed": different,
        "new": [name for name in now if name not in before],
        "gone": [name for name in before if name not in now],
    }
    told = [f"{len(names)} {kind} ({_named(sorted(names))})" for kind, names in kinds.items() if names]
    if told:
        raise HarnessError(
            f"{root} must be built from the files that its build began with. Of these sources: {', '.join(told)}. "
            "Choose another --out, or delete the folder, or bring the files back as they were."
        )


def _named(names: list[str]) -> str:
    others = len(names) - _N_NAMED
    return ", ".join(names[:_N_NAMED]) + (f", and {others} others" if others > 0 else "")
