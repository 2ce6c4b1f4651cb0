"""Networks on disk as safetensors: plain tensors and a configuration, nothing that could run."""

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from sealproof.detectors.base import DetectorError
from sealproof.detectors.checkpoint import require_sha256
from sealproof.detectors.files import atomic_file

Kind = Literal["generator", "detector"]

SUFFIX = ".safetensors"
_METADATA = "sealproof"


@dataclass(frozen=True)
class Net:
    """One network of an AudioSeal scheme, as data.

    Attributes:
        kind: `generator` or `detector`.
        config: What the audioseal package builds it from: `nbits`, `seanet`, and `decoder` or `detector`.
        tensors: Its state by name, without weight normalisation.
        source: Where it comes from, in words or as the SHA-256 of a checkpoint.
    """

    kind: Kind
    config: Mapping[str, Any]
    tensors: Mapping[str, Any]
    source: str


def net_bytes(net: Net) -> bytes:
    """Return the content of the safetensors file of a network; the same network always gives the same bytes."""
    from safetensors.torch import save

    facts = json.dumps({"kind": net.kind, "config": net.config, "source": net.source}, sort_keys=True)
    tensors = {name: net.tensors[name].detach().contiguous() for name in sorted(net.tensors)}
    return bytes(save(tensors, {_METADATA: facts}))


def write_net(path: Path, net: Net) -> str:
    """Write a network and return the SHA-256 of the file, which appears complete or not at all.

    Raises:
        OSError: It cannot be written.
    """
    content = net_bytes(net)
    with atomic_file(path) as file:
        file.write(content)
    return hashlib.sha256(content).hexdigest()


def read_net(path: Path, expected_sha256: str, kind: Kind) -> Net:
    """Read a network from a file with the expected SHA-256.

    Raises:
        DetectorError: The hash differs, the file is no network of sealproof's, or it is of the other kind.
        UnavailableError: The file cannot be read.
    """
    net = parse_net(require_sha256(path, expected_sha256), path)
    if net.kind != kind:
        raise DetectorError(f"{path} must hold a {kind}. Got a {net.kind}.")
    return net


def parse_net(content: bytes, path: Path) -> Net:
    """Read a network from the content of its file; `path` is named in errors only.

    Raises:
        DetectorError: It is no network of sealproof's.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        (length,) = struct.unpack("<Q", content[:8])
        facts = json.loads(json.loads(content[8 : 8 + length])["__metadata__"][_METADATA])
        if facts["kind"] not in get_args(Kind):
            raise ValueError(f"it holds a {facts['kind']}")
        return Net(kind=facts["kind"], config=facts["config"], tensors=load(content), source=facts["source"])
    except (struct.error, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise DetectorError(
            f"{path} must be a safetensors file of sealproof's. Got {type(error).__name__}: {error}."
        ) from error
