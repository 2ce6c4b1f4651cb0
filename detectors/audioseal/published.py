"""AudioSeal: Meta's localised neural watermark, 16 bits, with the published weights and no others."""

from pathlib import Path
from typing import ClassVar

from sealproof.detectors.audioseal.net_file import Kind, Net
from sealproof.detectors.audioseal.scheme import PACKAGE, AudioSealTypeScheme, package_version
from sealproof.detectors.audioseal.store import KINDS, PUBLISHED, PublishedWeights

_REVISION = 2


class AudioSealScheme(AudioSealTypeScheme):
    """AudioSeal: a generator adds a learned mark, a detector finds it sample by sample and reads 16 bits.

    The weights are the two published checkpoints, which are opened only when their SHA-256 is the published one and
    then without running code from them; `prepare`, or `sealproof weights fetch`, downloads what is missing and keeps
    it as plain tensors. There is no other source and no fallback.

    Args:
        weights_dir: The folder. Default: the environment variable SEALPROOF_AUDIOSEAL_WEIGHTS, else the package's
            cache (`audioseal` in $AUDIOSEAL_CACHE_DIR, $XDG_CACHE_HOME or ~/.cache).

    Source: San Roman et al., "Proactive detection of voice cloning with localized watermarking", ICML 2024;
    https://github.com/facebookresearch/audioseal (code and weights MIT).
    """

    name: ClassVar[str] = "audioseal"
    summary: ClassVar[str] = "AudioSeal (Meta): neural mark detected sample by sample, 16-bit message"

    def __init__(self, weights_dir: Path | str | None = None) -> None:
        self._weights = PublishedWeights(None if weights_dir is None else Path(weights_dir))

    @property
    def version(self) -> str:
        """Package version, first 12 digits of generator's and detector's hash, and revision of this adapter."""
        hashes = "-".join(PUBLISHED[kind].sha256[:12] for kind in KINDS)
        return f"{PACKAGE}-{package_version()}-{hashes}-r{_REVISION}"

    @property
    def weights_sha256(self) -> str:
        """Hashes of the published generator and detector, joined by `+`."""
        return "+".join(PUBLISHED[kind].sha256 for kind in KINDS)

    def unavailable(self) -> str | None:
        """Say whether the package or a checkpoint is missing; looks at names only, hashes are checked on loading."""
        missing = [kind for kind in KINDS if self._weights.find(kind) is None]
        return super().unavailable() or (self._weights.advice(missing) if missing else None)

    def prepare(self) -> None:
        """Download the checkpoints that are missing from the hub into the folder.

        Raises:
            UnavailableError: One could not be downloaded; the message says where to get what and where to put it.
            DetectorError: The hub sent a file with another hash.
        """
        for kind in KINDS:
            if self._weights.find(kind) is None:
                self._weights.fetch(kind)

    def net(self, kind: Kind) -> Net:
        """Read one of the published networks."""
        return self._weights.load(kind)
