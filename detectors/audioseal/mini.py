"""audioseal_mini: a small scheme of AudioSeal's architecture that ships with sealproof. It is not Meta's model."""

from importlib.resources import as_file, files
from typing import ClassVar

from sealproof.detectors.audioseal.net_file import SUFFIX, Kind, Net, read_net
from sealproof.detectors.audioseal.scheme import PACKAGE, AudioSealTypeScheme, package_version

SHA256: dict[Kind, str] = {
    "generator": "e0df3bf720ef78d42ba5f584fbed0ae878078ac025d47043752a4435eb7f7e06",
    "detector": "8e8a33c7eca89ddd6202a77e524e835a216c91e1b4fcc32577feba7d17c79241",
}
"""Hashes of the files in `detectors/weights/audioseal_mini`; nothing else is loaded."""

_FOLDER = "sealproof.detectors.weights.audioseal_mini"
_REVISION = 1


class AudioSealMiniScheme(AudioSealTypeScheme):
    """A generator and detector of AudioSeal's architecture, small enough to ship, trained by `sealproof train-scheme`.

    It stands in for AudioSeal where the published weights cannot be had: in tests, in CI, without a network. It is not
    Meta's model, and its numbers are not AudioSeal's. Its card lies beside the weights.

    Source of the architecture: San Roman et al., "Proactive detection of voice cloning with localized watermarking",
    ICML 2024; https://github.com/facebookresearch/audioseal (MIT).
    """

    name: ClassVar[str] = "audioseal_mini"
    summary: ClassVar[str] = "small scheme of AudioSeal's architecture that ships with sealproof; not Meta's model"

    @property
    def version(self) -> str:
        """Package version, first 12 digits of generator's and detector's hash, and revision of this adapter."""
        return f"{PACKAGE}-{package_version()}-mini-{SHA256['generator'][:12]}-{SHA256['detector'][:12]}-r{_REVISION}"

    @property
    def weights_sha256(self) -> str:
        """Hashes of generator and detector, joined by `+`."""
        return "+".join(SHA256[kind] for kind in ("generator", "detector"))

    def net(self, kind: Kind) -> Net:
        """Read one of the networks that ship with sealproof."""
        return shipped_net(kind)


def shipped_net(kind: Kind) -> Net:
    """Read one of the two networks that ship with sealproof.

    Raises:
        DetectorError: The file is damaged.
        UnavailableError: It cannot be read.
    """
    with as_file(files(_FOLDER).joinpath(f"{kind}{SUFFIX}")) as path:
        return read_net(path, SHA256[kind], kind)
