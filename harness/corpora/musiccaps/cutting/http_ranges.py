"""A file at an http(s) address, read in bounded ranges, so that only the parts a cut needs are fetched.

Not FFmpeg's own HTTP: it asks for everything behind a position and hangs up (two to four times the bytes, measured on
loopback), cannot go through SOCKS proxies, hides the status and `Retry-After`, does not verify certificates unless
told, and fails on fragmented MP4 with an index at its end. yt-dlp's connection keeps proxy, cookies and address the
same as those for which the video's address was made.
"""

import io
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

from sealproof.harness.foundation.errors import HarnessError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BLOCK = 128 * 1024
"""Bytes asked for at once: about eight seconds of YouTube's audio."""

_PIECE = 16 * 1024
"""Bytes read between two looks at the clock."""


class Response(Protocol):
    """What a request brings: yt-dlp's `Response`."""

    status: int
    headers: Mapping[str, str]

    def read(self, amount: int, /) -> bytes: ...  # noqa: D102
    def close(self) -> None: ...  # noqa: D102


class Session(Protocol):
    """What sends requests: a `yt_dlp.YoutubeDL`."""

    def urlopen(self, request: object, /) -> Response: ...  # noqa: D102


class FetchError(HarnessError):
    """A server did not send what it was asked for."""


@dataclass(frozen=True, kw_only=True)
class HttpOptions:
    """How to fetch an address.

    Attributes:
        session: Sends the requests, with its proxy, cookies and certificates.
        headers: To be sent along.
        timeout_s: How long a server may be silent.
        total_s: How long all of it may take.
    """

    session: Session = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_s: float = 20.0
    total_s: float = 120.0


def open_url(url: str, http: HttpOptions) -> BinaryIO:
    """Open an address as a file that can be read and sought in.

    Reading it raises:
        FetchError: The server cannot send parts, sends less than it promises, or takes too long.
        yt_dlp.utils.YoutubeDLError: It refuses, is not there, or is silent.
    """
    return cast("BinaryIO", io.BufferedReader(_Ranges(url, http), _BLOCK))


class _Ranges(io.RawIOBase):
    def __init__(self, url: str, http: HttpOptions) -> None:
        self._url, self._http = url, http
        self._position = 0
        self._size: int | None = None
        self._until = time.monotonic() + http.total_s

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position}.get(whence)
        self._position = max(0, offset + (self._known_size() if base is None else base))
        return self._position

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        if self._size is not None and self._position >= self._size:
            return 0
        content = self._fetch(len(view))
        view[: len(content)] = content
        self._position += len(content)
        return len(content)

    def _known_size(self) -> int:
        if self._size is None:
            here, self._position = self._position, 0
            self._fetch(1)
            self._position = here
        assert self._size is not None  # noqa: S101 - _fetch sets it
        return self._size

    def _fetch(self, n_bytes: int) -> bytes:
        from yt_dlp.networking import Request
        from yt_dlp.networking.exceptions import HTTPError

        start = self._position
        wanted = f"bytes={start}-{start + n_bytes - 1}"
        headers = {**self._http.headers, "Range": wanted, "Accept-Encoding": "identity"}
        request = Request(self._url, headers=headers, extensions={"timeout": self._http.timeout_s})
        try:
            response = self._http.session.urlopen(request)
        except HTTPError as error:
            # It holds the connection.
            error.close()
            raise
        try:
            sent = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", response.headers.get("Content-Range") or "")
            if response.status != 206 or sent is None or int(sent[1]) != start:
                raise FetchError(
                    f"The server must send the range it is asked for. Got status {response.status} for {wanted}."
                )
            self._size = int(sent[3])
            return self._read(response, min(n_bytes, int(sent[2]) + 1 - start))
        finally:
            response.close()

    def _read(self, response: Response, n_bytes: int) -> bytes:
        content = bytearray()
        while len(content) < n_bytes:
            if time.monotonic() > self._until:
                raise FetchError(f"The server must send a clip within {self._http.total_s:g} s. It timed out.")
            piece = response.read(min(_PIECE, n_bytes - len(content)))
            if not piece:
                raise FetchError(f"The connection was cut: {len(content)} of {n_bytes} bytes came.")
            content += piece
        return bytes(content)
