"""What a `.keras` file says of a network, apart from when it was written."""

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from sealproof.detectors.base import DetectorError

_DATED = "metadata.json"
"""The one part of a `.keras` file that is about the writing: Keras's version and the date."""

_CONFIG = "config.json"
"""The architecture. Objects that occur twice are marked by their address in memory, another one each time."""

_WEIGHTS = "model.weights.h5"
"""HDF5, which is not the same byte for byte when the same numbers are written again."""


def model_sha256(path: Path) -> str:
    """Hash a network: its architecture, its weights, and all else that its `.keras` file holds but the date.

    Two trainings that end in the same network have the same hash, whenever they were saved; another weight, a changed,
    a missing or an additional part changes it.

    Raises:
        DetectorError: The file is damaged, or no `.keras` file.
        OSError: It cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if len(set(names)) < len(names):
                raise DetectorError(f"The model {path} must hold each of its parts once. Got {sorted(names)}.")
            for name in sorted(set(names) - {_DATED}):
                content = archive.read(name)
                _add(digest, name, _LASTING[name](content) if name in _LASTING else content)
    except (zipfile.BadZipFile, EOFError, KeyError, NotImplementedError, RuntimeError, ValueError) as error:
        raise DetectorError(f"The model {path} must be a .keras file. Got: {error}") from error
    return digest.hexdigest()


def _config(content: bytes) -> bytes:
    """Write an architecture with its shared objects numbered in the order in which they occur."""
    numbers: dict[object, int] = {}

    def number(table: dict[str, Any]) -> dict[str, Any]:
        if "shared_object_id" in table:
            address = table["shared_object_id"]
            table["shared_object_id"] = numbers.setdefault(address, len(numbers))
        return table

    return json.dumps(json.loads(content, object_hook=number), sort_keys=True).encode()


def _weights(content: bytes) -> bytes:
    """Hash the arrays and attributes of an HDF5 file by their places in it."""
    import h5py

    digest = hashlib.sha256()
    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            items: dict[str, Any] = {"": file}
            file.visititems(items.__setitem__)
            for place, item in sorted(items.items()):
                for key, value in sorted(item.attrs.items()):
                    _add(digest, f"{place}@{key}", repr(value).encode())
                if isinstance(item, h5py.Dataset):
                    array = np.ascontiguousarray(item[()])
                    _add(digest, f"{place} {array.dtype.str} {array.shape}", array.tobytes())
    except OSError as error:
        raise ValueError(f"weights that are no HDF5: {error}") from error
    return digest.digest()


def _add(digest: Any, name: str, content: bytes) -> None:
    digest.update(f"{len(name.encode())} {name} {len(content)} ".encode())
    digest.update(content)


_LASTING = {_CONFIG: _config, _WEIGHTS: _weights}
"""What of a part does not change when it is written again."""
