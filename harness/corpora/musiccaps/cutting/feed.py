"""What FFmpeg reads from: a Python file whose errors wait until FFmpeg has come back."""

import io
from typing import BinaryIO


class Feed:
    """A file for PyAV.

    An exception in the middle of FFmpeg's work reaches us only if it does not stumble over the next; so the first one
    ends the file and is kept. A demuxer that computes nonsense of a damaged header may seek to anywhere.

    Attributes:
        error: What reading raised first; None for nothing.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: Exception | None = None

    def read(self, n_bytes: int = -1) -> bytes:
        """Read; nothing once an error has come."""
        if self.error is not None:
            return b""
        try:
            return self._file.read(n_bytes)
        except Exception as error:
            self.error = error
            return b""

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Seek, and stay where it is when there is no such place."""
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError):
            return self._file.tell()
        except Exception as error:
            self.error = self.error or error
            return 0

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()
