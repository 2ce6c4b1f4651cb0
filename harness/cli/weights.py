"""What `sealproof weights` does: AudioSeal's published weights, a scheme of your own, and the scheme that ships."""

from collections.abc import Iterator
from pathlib import Path

from sealproof.detectors.audioseal.mini import SHA256, shipped_net
from sealproof.detectors.audioseal.net_file import SUFFIX
from sealproof.detectors.audioseal.store import KINDS, PUBLISHED, CustomWeights, PublishedWeights, published_kind
from sealproof.detectors.base import DetectorError


def status() -> Iterator[str]:
    """Yield one line for each network of each scheme."""
    weights, custom = PublishedWeights(), CustomWeights()
    yield f"folder            {weights.folder}"
    for kind in KINDS:
        path = weights.find(kind)
        how = "missing: sealproof weights fetch, or import PATH" if path is None else _published_state(weights, path)
        yield f"audioseal         {kind:10} {how}"
    for kind in KINDS:
        record = custom.record(kind)
        how = (
            "none" if record is None else f"{custom.path(kind)}, from {record.source} (SHA-256 {record.source_sha256})"
        )
        yield f"audioseal_custom  {kind:10} {how}"
    for kind in KINDS:
        yield f"audioseal_mini    {kind:10} ships with sealproof, SHA-256 {SHA256[kind]}"


def _published_state(weights: PublishedWeights, path: Path) -> str:
    return f"{path}" if path.suffix == SUFFIX else f"{path}, not converted yet"


def fetch() -> Iterator[str]:
    """Fetch and convert what is missing of the published scheme."""
    weights = PublishedWeights()
    for kind in KINDS:
        yield f"{kind}: {weights.fetch(kind)}"


def import_published(paths: list[Path]) -> Iterator[str]:
    """Convert the published checkpoints among the paths; they are known by their hashes, whatever they are called.

    Raises:
        DetectorError: A file is not a published one, or a folder holds none.
    """
    weights = PublishedWeights()
    known = []
    for path in paths:
        kinds = {file: published_kind(file) for file in _files(path)}
        known += [(file, kind) for file, kind in kinds.items() if kind is not None]
        if not any(kinds.values()):
            wanted = " or ".join(f"{PUBLISHED[kind].file_name} (SHA-256 {PUBLISHED[kind].sha256})" for kind in KINDS)
            raise DetectorError(
                f"{path} must be or hold {wanted}. It does not. For a scheme of your own say --trust: "
                "it becomes the scheme audioseal_custom."
            )
    for file, kind in known:
        weights.take(file, kind)
        yield f"{kind}: {weights.converted.path(kind)}, from {file}"


def import_own(paths: list[Path]) -> Iterator[str]:
    """Convert a scheme of the user's own.

    Raises:
        DetectorError: A file holds neither network, or would need more than plain tensors.
    """
    custom = CustomWeights()
    files = [file for path in paths for file in _own_files(path)]
    for kind, file in custom.take(files).items():
        yield f"{kind}: {custom.path(kind)}, from {file}"
    yield "Its scheme is called audioseal_custom; its numbers are not those of the published AudioSeal."


def check_weights() -> Iterator[str]:
    """Check everything that is here.

    Raises:
        DetectorError: Something is damaged or not what it must be.
    """
    from sealproof.detectors.audioseal.nets import load_net

    weights, custom = PublishedWeights(), CustomWeights()
    for kind in KINDS:
        path = weights.check(kind)
        yield f"audioseal         {kind:10} {'not here' if path is None else f'as published: {path}'}"
    for kind in KINDS:
        net = custom.load(kind)
        if net is not None:
            load_net(net)
        yield f"audioseal_custom  {kind:10} {'none' if net is None else f'as imported: {custom.path(kind)}'}"
    for kind in KINDS:
        load_net(shipped_net(kind))
        yield f"audioseal_mini    {kind:10} as shipped"


def _own_files(path: Path) -> list[Path]:
    files = _files(path)
    if not files:
        raise DetectorError(f"{path} must hold checkpoints or safetensors files. Found none.")
    return files


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    names = {name for file in PUBLISHED.values() for name in (file.file_name, file.cached_name)}
    return sorted(
        file
        for file in path.iterdir()
        if file.is_file() and (file.suffix in (".pth", ".pt", SUFFIX) or file.name in names)
    )
