"""Files that are either whole or absent; the harness writes its own in the same way."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

TEMPORARY = ".sealproof.tmp"
"""How the name of a file ends while it is written; a killed process leaves one behind."""


@contextmanager
def atomic_file(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """Open a file for writing that takes the place of `path` when the block ends well, and vanishes otherwise.

    Args:
        path: Where the file shall stand; its folder is made when missing.
        durable: Wait until the disk has it.

    Raises:
        OSError: The disk is full or the folder cannot be written; an older file at `path` is left as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, because a rename is atomic only within one file system.
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")
    try:
        with temporary.open("wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
