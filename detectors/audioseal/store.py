"""Where AudioSeal's weights lie: fetched or brought by hand, checked, and converted once to plain tensors."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

from sealproof.detectors.audioseal.net_file import SUFFIX, Kind, Net, net_bytes, parse_net, read_net, write_net
from sealproof.detectors.base import DetectorError, UnavailableError
from sealproof.detectors.checkpoint import download, require_sha256, sha256_of
from sealproof.detectors.files import atomic_file

WEIGHTS_VARIABLE = "SEALPROOF_AUDIOSEAL_WEIGHTS"
HUB_REVISION = "3c19eba53390776cf2cc9ed5f6c9ac67ce72ecba"
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Published:
    """One of the two published checkpoints.

    Attributes:
        file_name: Its name on the hub.
        cached_name: The name under which the audioseal package caches it: a hash of its address.
        sha256: Its hash.
    """

    file_name: str
    cached_name: str
    sha256: str

    @property
    def url(self) -> str:
        """Address of the file in the revision whose hashes are known."""
        return f"https://huggingface.co/facebook/audioseal/resolve/{HUB_REVISION}/{self.file_name}"


# The hashes are those of https://github.com/facebookresearch/audioseal/issues/107.
PUBLISHED: dict[Kind, Published] = {
    "generator": Published(
        "generator_base.pth",
        "0f195d476dd87ca1bd7b09e6",
        "7a845b5fbe9364a63a3909d8ab3fe064d13a76ae4c2e983573e08c69b7b51748",
    ),
    "detector": Published(
        "detector_base.pth",
        "94c8df0b1d5ea8e45af4c884",
        "8a78e8a83584113523e161fc599fcab10fd0e94c04d2eb9d2fa1e9ec91ab69d9",
    ),
}


@dataclass(frozen=True)
class Record:
    """What stands beside converted weights.

    Attributes:
        source: Name of the file they come from.
        source_sha256: Its hash.
        sha256: Hash of the safetensors file.
    """

    source: str
    source_sha256: str
    sha256: str


class ConvertedWeights:
    """A generator and a detector as safetensors in one folder, each with a record of what it was made from."""

    def __init__(self, folder: Path, stems: Mapping[Kind, str]) -> None:
        self.folder = folder
        self._stems = stems

    def path(self, kind: Kind) -> Path:
        """Return where the tensors lie, or would."""
        return self.folder / f"{self._stems[kind]}{SUFFIX}"

    def __contains__(self, kind: Kind) -> bool:
        """Say whether weights and their record are there; neither is opened."""
        return self.path(kind).is_file() and self._record_path(kind).is_file()

    def record(self, kind: Kind) -> Record | None:
        """Return the record of weights that are there, or None.

        Raises:
            DetectorError: The record is damaged.
        """
        if kind not in self:
            return None
        path = self._record_path(kind)
        try:
            return Record(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise DetectorError(
                f"{path} must be a record of sealproof's. Got {error}: import the weights again."
            ) from error

    def load(self, kind: Kind) -> Net | None:
        """Return the weights, or None where there are none.

        Raises:
            DetectorError: They are damaged, or not what the record says.
            UnavailableError: They cannot be read.
        """
        record = self.record(kind)
        return None if record is None else read_net(self.path(kind), record.sha256, kind)

    def store(self, net: Net, source: Path, source_sha256: str) -> None:
        """Write weights and their record, each complete or not at all.

        Raises:
            UnavailableError: The disk is full or the folder cannot be written.
        """
        try:
            # Weights without a record do not count, so a kill between the two leaves nothing that is believed.
            self._record_path(net.kind).unlink(missing_ok=True)
            record = Record(source.name, source_sha256, write_net(self.path(net.kind), net))
            with atomic_file(self._record_path(net.kind)) as file:
                file.write(json.dumps(asdict(record), indent=2).encode() + b"\n")
        except OSError as error:
            raise UnavailableError(f"{self.path(net.kind)} could not be written: {error}.") from error

    def _record_path(self, kind: Kind) -> Path:
        return self.folder / f"{self._stems[kind]}.json"


class PublishedWeights:
    """The published scheme in a folder: as it came (`.pth`), converted, or both.

    Args:
        folder: The folder. Default: the environment variable SEALPROOF_AUDIOSEAL_WEIGHTS, else the package's cache
            (`audioseal` in $AUDIOSEAL_CACHE_DIR, $XDG_CACHE_HOME or ~/.cache).
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_folder()
        self.converted = ConvertedWeights(
            self.folder, {kind: Path(file.file_name).stem for kind, file in PUBLISHED.items()}
        )

    def find(self, kind: Kind) -> Path | None:
        """Return the file that holds the weights, converted or as published, or None; it is not opened."""
        return self.converted.path(kind) if kind in self.converted else self.original(kind)

    def original(self, kind: Kind) -> Path | None:
        """Return the checkpoint as it came, under the hub's name or the package's, or None."""
        paths = (self.folder / PUBLISHED[kind].file_name, self.folder / PUBLISHED[kind].cached_name)
        return next((path for path in paths if path.is_file()), None)

    def load(self, kind: Kind) -> Net:
        """Return the published weights.

        Raises:
            UnavailableError: They are not here; the message says how to get them.
            DetectorError: What is here is damaged or something else.
        """
        record = self.converted.record(kind)
        if record is not None:
            self._require_published(kind, record)
            return read_net(self.converted.path(kind), record.sha256, kind)
        original = self.original(kind)
        if original is None:
            raise UnavailableError(self.advice([kind]))
        return _read_published(original, kind)

    def fetch(self, kind: Kind) -> Path:
        """Make sure that the weights are here, converted: from the checkpoint in the folder, else from the hub.

        Returns:
            The converted file.

        Raises:
            UnavailableError: They could not be downloaded or written; the message says what to do. Nothing is left
                half-written.
            DetectorError: What is here or what the hub sent is not the published file.
        """
        record = self.converted.record(kind)
        if record is not None:
            self._require_published(kind, record)
            return self.converted.path(kind)
        original = self.original(kind)
        if original is not None:
            self.take(original, kind)
            return self.converted.path(kind)
        file = PUBLISHED[kind]
        path = self.folder / file.file_name
        try:
            download(file.url, path, file.sha256)
        except UnavailableError as error:
            raise UnavailableError(f"{error} {self.advice([kind])}") from error
        try:
            self.take(path, kind)
        finally:
            path.unlink(missing_ok=True)
        return self.converted.path(kind)

    def take(self, path: Path, kind: Kind) -> None:
        """Convert the published checkpoint at `path` into the folder.

        Raises:
            DetectorError: It is not the published file.
            UnavailableError: It cannot be read, or the folder cannot be written.
        """
        self.converted.store(_read_published(path, kind), path, PUBLISHED[kind].sha256)

    def check(self, kind: Kind) -> Path | None:
        """Check what is here against the published hash and, where both are here, the one against the other.

        Returns:
            The file that was checked, or None where there is none.

        Raises:
            DetectorError: Something is damaged or not the published file.
            UnavailableError: A file cannot be read.
        """
        path = self.find(kind)
        if path is not None:
            net, original = self.load(kind), self.original(kind)
            if original is not None and not _same(net, _read_published(original, kind)):
                raise DetectorError(
                    f"{path} must hold the tensors of {original}. It does not: delete it and import that file again."
                )
        return path

    def advice(self, missing: Sequence[Kind]) -> str:
        """Say how to get what is missing, with and without a network."""
        files = " and ".join(
            f"{PUBLISHED[kind].file_name} ({PUBLISHED[kind].url}, SHA-256 {PUBLISHED[kind].sha256})" for kind in missing
        )
        return (
            f"AudioSeal's weights are not in {self.folder}. With a network run: sealproof weights fetch. Without one, "
            f"fetch {files} elsewhere, bring them here and run: sealproof weights import FOLDER. Another folder than "
            f"this can be named by the environment variable {WEIGHTS_VARIABLE}."
        )

    def _require_published(self, kind: Kind, record: Record) -> None:
        if record.source_sha256 != PUBLISHED[kind].sha256:
            raise DetectorError(
                f"{self.converted.path(kind)} must come from {PUBLISHED[kind].file_name} with SHA-256 "
                f"{PUBLISHED[kind].sha256}. Its record says {record.source_sha256}: delete it and fetch it again."
            )


class CustomWeights(ConvertedWeights):
    """A scheme of the user's own, imported with `--trust`; kept apart from the published one."""

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__((folder or default_folder()) / "custom", {kind: kind for kind in KINDS})

    def take(self, paths: Sequence[Path]) -> dict[Kind, Path]:
        """Read checkpoints or safetensors files, find out what each holds, and convert them into the folder.

        Returns:
            Which file became which network.

        Raises:
            DetectorError: A file holds neither, two hold the same, one of the two is missing, or a file would need more
                than plain tensors.
            UnavailableError: A file cannot be read, or the folder cannot be written.
        """
        nets: dict[Kind, tuple[Net, Path, str]] = {}
        for path in paths:
            net, sha256 = _read_any(path)
            if net.kind in nets:
                raise DetectorError(f"One {net.kind} must be given. Got {nets[net.kind][1]} and {path}.")
            nets[net.kind] = (net, path, sha256)
        missing = [kind for kind in KINDS if kind not in nets]
        if missing:
            given = ", ".join(map(str, paths)) or "no file"
            raise DetectorError(f"A scheme must have a generator and a detector. Got {given}, without {missing[0]}.")
        for net, path, sha256 in nets.values():
            self.store(net, path, sha256)
        return {kind: path for kind, (_, path, _) in nets.items()}


def default_folder() -> Path:
    """Return the folder for weights that the environment names."""
    if folder := os.environ.get(WEIGHTS_VARIABLE):
        return Path(folder).expanduser()
    cache = os.environ.get("AUDIOSEAL_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "audioseal"


def published_kind(path: Path) -> Kind | None:
    """Say which published checkpoint a file is by its hash, or None.

    Raises:
        UnavailableError: The file cannot be read.
    """
    sha256 = sha256_of(path)
    return next((kind for kind in KINDS if PUBLISHED[kind].sha256 == sha256), None)


def _read_published(path: Path, kind: Kind) -> Net:
    from sealproof.detectors.audioseal.nets import read_checkpoint

    return read_checkpoint(path, PUBLISHED[kind].sha256, kind)


def _read_any(path: Path) -> tuple[Net, str]:
    from sealproof.detectors.audioseal.nets import load_net, read_own_checkpoint

    sha256 = sha256_of(path)
    if path.suffix != SUFFIX:
        return read_own_checkpoint(path, sha256), sha256
    net = parse_net(require_sha256(path, sha256), path)
    load_net(net)
    return net, sha256


def _same(first: Net, second: Net) -> bool:
    return net_bytes(first) == net_bytes(second)
