"""What an attack's and a scheme's numbers rest on besides their names: code, and the files that they declare."""

from collections.abc import Iterable
from pathlib import Path

from sealproof.attacks.contract.base import Attack, AttackError
from sealproof.detectors.base import DetectorError, Scheme
from sealproof.harness.foundation.code.files import files_sha256
from sealproof.harness.foundation.code.identity import code_sha256
from sealproof.harness.foundation.code.modules import OWN
from sealproof.harness.foundation.files import sha256_json


def attacks_sha256(attacks: Iterable[Attack]) -> str:
    """Hash attacks: their ids, their code, that of a chain's links too, and the files that they declare.

    Raises:
        AttackError: A file that one declares cannot be read.
    """
    hashes = []
    for attack in attacks:
        try:
            hashes.append((attack.id, code_sha256(attack), files_sha256(attack.files)))
        except OSError as error:
            raise AttackError(
                f"The 'files' of {attack.id} must be files or folders that can be read: {error}."
            ) from error
    return sha256_json(hashes)


def scheme_sha256(scheme: Scheme) -> str:
    """Hash a scheme's code and the files that it declares, so that changed ones are never hidden by stored numbers.

    Of a scheme from outside that is the whole of its distribution's packages: an adapter may reach its detector in ways
    that cannot be read off. Where a declared file is missing, the scheme is asked to fetch it first.

    Raises:
        DetectorError: A file that it declares cannot be read or fetched.
    """
    if not all(Path(path).exists() for path in scheme.files):
        scheme.prepare()
    try:
        files = files_sha256(scheme.files)
    except OSError as error:
        raise DetectorError(
            f"The 'files' of {scheme.name} must be files or folders that can be read: {error}."
        ) from error
    return sha256_json([code_sha256(type(scheme), whole=True), files])


def marking_version(scheme: Scheme) -> str:
    """Return what names the watermarks that a scheme makes now.

    Sealproof's own schemes raise their version when their marks change, so that datasets outlive other changes of code.
    Of a scheme from outside the code counts too: nobody thinks of its version while they work on it.

    Raises:
        DetectorError: A file that it declares cannot be read or fetched.
    """
    is_own = type(scheme).__module__.partition(".")[0] == OWN
    return scheme.version if is_own else f"{scheme.version}+{scheme_sha256(scheme)[:12]}"
