"""A scheme that lies in the folder its training wrote: diagnosed before it is imported."""

from pathlib import Path

from sealproof.detectors import get_scheme
from sealproof.detectors.audioseal.net_file import SUFFIX, Kind, Net, read_net
from sealproof.detectors.audioseal.scheme import PACKAGE, AudioSealTypeScheme, package_version
from sealproof.detectors.base import Scheme
from sealproof.harness.foundation.files import sha256_file

_KINDS: tuple[Kind, ...] = ("generator", "detector")


class PairFolder(AudioSealTypeScheme):
    """Generator and detector of a folder, as they are: nobody has vouched for their hashes.

    Args:
        folder: Holds `generator.safetensors` and `detector.safetensors`.
    """

    summary = "a scheme in a folder"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sha256 = {kind: sha256_file(folder / f"{kind}{SUFFIX}") for kind in _KINDS}

    @property
    def name(self) -> str:  # type: ignore[override]  # a name for each folder
        """The folder's name."""
        return self._folder.resolve().name

    @property
    def version(self) -> str:
        """Package version and the first 12 digits of both hashes."""
        return "-".join([PACKAGE, package_version(), *(self._sha256[kind][:12] for kind in _KINDS)])

    @property
    def weights_sha256(self) -> str:
        """Hashes of generator and detector, joined by `+`."""
        return "+".join(self._sha256[kind] for kind in _KINDS)

    def net(self, kind: Kind) -> Net:
        """Read one of the networks."""
        return read_net(self._folder / f"{kind}{SUFFIX}", self._sha256[kind], kind)


def find_scheme(name: str) -> Scheme:
    """Return the scheme of a name, or the one in a folder."""
    folder = Path(name)
    if all((folder / f"{kind}{SUFFIX}").is_file() for kind in _KINDS):
        return PairFolder(folder)
    return get_scheme(name)
