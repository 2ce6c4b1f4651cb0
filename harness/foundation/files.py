"""Files that are either whole or absent: atomic writes and content hashes."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from sealproof.detectors.files import atomic_file

__all__ = ["read_json", "sha256_file", "sha256_json", "write_atomically", "write_json", "write_text"]


def write_atomically(path: Path, write: Callable[[BinaryIO], object], *, durable: bool = True) -> None:
    """Write a file so that a reader, or a killed process, never sees half of it.

    Args:
        path: Where the file shall stand; its folder is made when missing.
        write: Called with a binary file to fill.
        durable: Wait until the disk has it. Off for the thousands of WAV files of a dataset, which are checked
            against their hashes before they are trusted again.

    Raises:
        OSError: The disk is full or the folder cannot be written; an older file at `path` is left as it was.
    """
    with atomic_file(path, durable=durable) as file:
        write(file)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    write_atomically(path, lambda file: file.write(text.encode()))


def write_json(path: Path, value: object) -> None:
    """Write indented JSON atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        OSError: The file cannot be read.
        json.JSONDecodeError: It is not JSON.
        TypeError: It is JSON, but no object.
    """
    value = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(value, dict):
        raise TypeError(f"{path} must hold a JSON object. Got {type(value).__name__}.")
    return value


def sha256_file(path: Path) -> str:
    """Return a file's sha256 in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_json(value: object) -> str:
    """Return the sha256 of a value's canonical JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
