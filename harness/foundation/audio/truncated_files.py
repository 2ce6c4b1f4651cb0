"""Finding audio files that end early: decoders play what is left of them and say nothing."""

import re
from pathlib import Path

_SHORTENED = re.compile(r"^\s*(?:data|SSND|Data Size|riff|Riff size)\s*: (\d+) \(should be (\d+)\)", re.MULTILINE)
"""Where libsndfile's log of WAV, AIFF, AU, W64 or RF64 says that it cut the header's size down to the file's."""

_STREAMED_SIZE = 0x7FFF_F000
"""From here on, a size stands for `unknown`: programs that write to a pipe cannot go back and fill it in."""

_LAST_OGG_PAGE, _MP3_START = 65_307, 4_096
"""Bytes: the longest page there is; where the first frame of an MP3 is looked for."""

_MP3_TOLERANCE = 0.99
"""Taggers and encoders miscount by a frame; what is missing beyond that shows when the clip is read."""


def promise_broken(path: Path) -> str | None:
    """Say what an empty, OGG or MP3 file lacks; None when it is whole, of another format, or makes no promise.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if size == 0:
            return "it holds 0 bytes"
        file.seek(0)
        start = file.read(_MP3_START)
        if start.startswith(b"OggS"):
            file.seek(max(0, size - _LAST_OGG_PAGE))
            return None if _ends_with_whole_last_page(file.read()) else "the stream's last page is missing"
        if start.startswith(b"ID3") and len(start) >= 10:
            tag = 10 + sum(byte << shift for byte, shift in zip(start[6:10], (21, 14, 7, 0), strict=True))
            file.seek(tag)
            return _xing_promise(file.read(_MP3_START), size - tag)
    return _xing_promise(start, size) if start[:1] == b"\xff" else None


def promise_cut(log: str) -> str | None:
    """Say by how much libsndfile cut a header's promise down, out of its log; None when it did not."""
    for promised, there in _SHORTENED.findall(log):
        if int(there) < int(promised) < _STREAMED_SIZE:
            return f"its header promises {promised} bytes, {there} are there"
    return None


def _ends_with_whole_last_page(tail: bytes) -> bool:
    page = tail[tail.rfind(b"OggS") :]
    if len(page) < 27 or not page[5] & 4:
        return False
    n_segments = page[26]
    return len(page) >= 27 + n_segments + sum(page[27 : 27 + n_segments])


def _xing_promise(frame: bytes, there: int) -> str | None:
    """Read the number of bytes that the first frame of an MP3 promises; MP3 without a Xing header promises none."""
    # After a frame header of 4 bytes, perhaps a checksum of 2, and the side information, whose length varies.
    tag = re.search(rb"\A\xff.{3}(?:.{2})?\x00{9,32}(?:Xing|Info)", frame, re.DOTALL)
    if tag is None:
        return None
    fields = frame[tag.end() :]
    flags = int.from_bytes(fields[:4], "big")
    first = 8 if flags & 1 else 4
    promised = int.from_bytes(fields[first : first + 4], "big") if flags & 2 else 0
    return f"its header promises {promised} bytes, {there} are there" if there < _MP3_TOLERANCE * promised else None
