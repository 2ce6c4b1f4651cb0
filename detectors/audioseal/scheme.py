"""What schemes of AudioSeal's kind have in common: two networks from somewhere, and the audioseal package."""

from abc import abstractmethod
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from sealproof.detectors.audioseal.models import AudioSealDetector, AudioSealWatermarker
from sealproof.detectors.audioseal.net_file import Kind, Net
from sealproof.detectors.base import Detector, Scheme, UnavailableError, Watermarker

PACKAGE = "audioseal"
_NOT_INSTALLED = f"The package {PACKAGE} is not installed. Run: pip install 'audioseal==0.2.*'"


class AudioSealTypeScheme(Scheme):
    """A scheme whose networks the audioseal package builds; a subclass says where their weights come from."""

    @abstractmethod
    def net(self, kind: Kind) -> Net:
        """Return one of the two networks, checked.

        Raises:
            UnavailableError: It is not here; the message says what to do.
            DetectorError: What is here is damaged or something else.
        """

    def unavailable(self) -> str | None:
        """Say whether the package is missing."""
        return _NOT_INSTALLED if find_spec(PACKAGE) is None else None

    def load_watermarker(self) -> Watermarker:
        """Build the generator."""
        from sealproof.detectors.audioseal.nets import load_net

        return AudioSealWatermarker(load_net(self.net("generator")), self.name)

    def load_detector(self) -> Detector:
        """Build the detector."""
        from sealproof.detectors.audioseal.nets import load_net

        return AudioSealDetector(load_net(self.net("detector")), self.name)


def package_version() -> str:
    """Return the version of the audioseal package.

    Raises:
        UnavailableError: It is not installed.
    """
    try:
        return version(PACKAGE)
    except PackageNotFoundError as error:
        raise UnavailableError(_NOT_INSTALLED) from error
