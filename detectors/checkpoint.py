"""Loading other people's checkpoints: nothing is unpickled before its SHA-256 is known to be the published one."""

import hashlib
import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sealproof.detectors.base import DetectorError, UnavailableError
from sealproof.detectors.files import atomic_file

_CHUNK_BYTES = 1 << 20
_GLOBAL = re.compile(r"Unsupported (?:global|class|operand).*?([\w.]+\.\w+)", re.IGNORECASE)


def sha256_of(path: Path) -> str:
    """Return the hex SHA-256 of a file.

    Raises:
        UnavailableError: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UnavailableError(f"The checkpoint {path} must be readable: {error}.") from error


def require_sha256(path: Path, expected: str) -> bytes:
    """Return the content of a file whose SHA-256 is the expected one.

    The bytes that were hashed are the bytes returned, so nobody can swap the file between the check and the use.

    Raises:
        DetectorError: The hash differs: the file is truncated, damaged or another one.
        UnavailableError: The file cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnavailableError(f"The checkpoint {path} must be readable: {error}.") from error
    actual = hashlib.sha256(content).hexdigest()
    if actual != expected.lower():
        raise DetectorError(
            f"The checkpoint {path} must have SHA-256 {expected}. Got {actual} over {len(content)} bytes. "
            "It was not opened; delete it and fetch it again."
        )
    return content


def load_tensors(path: Path, expected_sha256: str, allow: Sequence[Callable[..., Any]] = ()) -> dict[str, Any]:
    """Load a torch checkpoint from a file with the expected SHA-256, without running code from it.

    Args:
        path: A file written by `torch.save`.
        expected_sha256: 64 hex digits.
        allow: Classes that the file may hold beside tensors and plain containers.

    Returns:
        The checkpoint's dictionary, tensors on the CPU.

    Raises:
        DetectorError: The hash differs, or the file is no checkpoint or needs a class that is not allowed.
        UnavailableError: The file cannot be read.
    """
    import pickle

    import torch

    content = require_sha256(path, expected_sha256)
    try:
        with torch.serialization.safe_globals(list(allow)):
            checkpoint = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, LookupError, TypeError, ValueError) as error:
        # What torch says goes on to advise loading it unsafely.
        reason = _GLOBAL.search(str(error))
        raise DetectorError(
            f"The checkpoint {path} must load with weights_only=True, as plain tensors. "
            f"Got {f'the class {reason[1]}' if reason else f'damaged data ({type(error).__name__})'}."
        ) from error
    if not isinstance(checkpoint, dict):
        raise DetectorError(f"The checkpoint {path} must hold a dictionary. Got {type(checkpoint).__name__}.")
    return checkpoint


def download(url: str, target: Path, expected_sha256: str, timeout_s: float = 30.0) -> None:
    """Fetch a file; `target` appears only complete and with the expected SHA-256.

    Args:
        url: Address of the file, https only.
        target: Where it goes; its folder is created. A file already there is replaced.
        expected_sha256: 64 hex digits.
        timeout_s: Longest silence of the server.

    Raises:
        UnavailableError: The server cannot be reached, or the disk cannot be written.
        DetectorError: What came has another hash; it was thrown away.
    """
    from http.client import HTTPException
    from urllib.error import URLError
    from urllib.request import urlopen

    if not url.startswith("https://"):
        raise DetectorError(f"The address of a checkpoint must start with https://. Got {url}.")
    digest = hashlib.sha256()
    try:
        with atomic_file(target) as file, urlopen(url, timeout=timeout_s) as response:  # noqa: S310 - https, see above
            while chunk := response.read(_CHUNK_BYTES):
                digest.update(chunk)
                file.write(chunk)
            if digest.hexdigest() != expected_sha256.lower():
                raise DetectorError(f"What {url} sent must have SHA-256 {expected_sha256}. Got {digest.hexdigest()}.")
    except (URLError, TimeoutError, OSError, HTTPException) as error:
        raise UnavailableError(f"{url} could not be downloaded to {target}: {error}.") from error
