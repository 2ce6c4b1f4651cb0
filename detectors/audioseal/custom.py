"""A generator and detector of AudioSeal's kind that somebody else trained."""

from pathlib import Path
from typing import ClassVar

from sealproof.detectors.audioseal.net_file import Kind, Net
from sealproof.detectors.audioseal.scheme import PACKAGE, AudioSealTypeScheme, package_version
from sealproof.detectors.audioseal.store import KINDS, CustomWeights, Record
from sealproof.detectors.base import DetectorError, UnavailableError

_REVISION = 2


class AudioSealCustomScheme(AudioSealTypeScheme):
    """A scheme of the user's own of AudioSeal's kind, imported by `sealproof weights import PATH --trust`.

    It has its own name, so that its results are never taken for those of the published weights.

    Args:
        weights_dir: As for `audioseal`; the scheme lies in its folder `custom`.
    """

    name: ClassVar[str] = "audioseal_custom"
    summary: ClassVar[str] = "your own scheme of AudioSeal's kind, imported with `sealproof weights import --trust`"

    def __init__(self, weights_dir: Path | str | None = None) -> None:
        self._weights = CustomWeights(None if weights_dir is None else Path(weights_dir))

    @property
    def version(self) -> str:
        """Package version, first 12 digits of generator's and detector's hash, and revision of this adapter.

        Raises:
            UnavailableError: Nothing was imported.
        """
        hashes = "-".join(record.sha256[:12] for record in self._records())
        return f"{PACKAGE}-{package_version()}-custom-{hashes}-r{_REVISION}"

    @property
    def weights_sha256(self) -> str:
        """Hashes of the imported generator and detector, joined by `+`.

        Raises:
            UnavailableError: Nothing was imported.
        """
        return "+".join(record.sha256 for record in self._records())

    def unavailable(self) -> str | None:
        """Say whether the package or a network is missing."""
        try:
            self._records()
        except DetectorError as error:
            return super().unavailable() or str(error)
        return super().unavailable()

    def net(self, kind: Kind) -> Net:
        """Read one of the imported networks."""
        self._records()
        net = self._weights.load(kind)
        assert net is not None  # noqa: S101 - it has a record
        return net

    def _records(self) -> list[Record]:
        records = {kind: self._weights.record(kind) for kind in KINDS}
        missing = [kind for kind, record in records.items() if record is None]
        if missing:
            raise UnavailableError(
                f"{' and '.join(missing)} of your own scheme are not in {self._weights.folder}. "
                "Run: sealproof weights import GENERATOR DETECTOR --trust"
            )
        return [record for record in records.values() if record is not None]
