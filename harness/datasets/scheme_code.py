"""What a scheme's numbers rest on besides its version: its code, and the files that it declares."""

from sealproof.detectors.base import DetectorError, Scheme
from sealproof.harness.foundation.code.files import files_sha256
from sealproof.harness.foundation.code.identity import code_sha256
from sealproof.harness.foundation.files import sha256_json


def scheme_sha256(scheme: Scheme) -> str:
    """Hash a scheme's code and the files that it declares, so that changed ones are never hidden by stored numbers.

    Of a scheme from outside that is the whole of its distribution's packages: an adapter may reach its detector in ways
    that cannot be read off.

    Raises:
        DetectorError: A file that it declares cannot be read.
    """
    try:
        files = files_sha256(scheme.files)
    except OSError as error:
        msg = f"The 'files' of {scheme.name} must be files or folders that can be read: {error}."
        raise DetectorError(msg) from error
    return sha256_json([code_sha256(type(scheme), whole=True), files])
