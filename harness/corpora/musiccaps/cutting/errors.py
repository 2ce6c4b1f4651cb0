"""Why a clip cannot be cut."""

from sealproof.harness.foundation.errors import HarnessError


class CutError(HarnessError):
    """A clip cannot be cut.

    Attributes:
        reason: `too_short`, `truncated`, `undecodable` or `no_audio`.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
