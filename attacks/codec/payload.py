"""How many bytes of a file are coded audio: read off the bytes themselves, not asked of the library that wrote them."""

import struct
from collections.abc import Callable

_OGG_HEADER_PACKETS = {b"OpusHead": 2, b"\x01vorbis": 3}
"""Packets that come before the audio, by how the first one begins."""


def payload_bytes(data: bytes, container: str) -> int | None:
    """Count the bytes of coded audio; None for ASF, whose packets are filled up.

    Args:
        data: The file.
        container: FFmpeg's name of its format; one that is not listed is a bare stream, all of which counts.

    Raises:
        ValueError: The file is not of that format.
    """
    return None if container == "asf" else _COUNTED.get(container, len)(data)


def _wav(data: bytes) -> int:
    at = 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        if name == b"data":
            return min(int(size), len(data) - at - 8)
        at += 8 + size + size % 2
    raise ValueError("A WAV file has no 'data' chunk.")


def _mp4(data: bytes) -> int:
    at, total = 0, 0
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        total += size - 8 if name == b"mdat" else 0
        at += max(8, size)
    if not total:
        raise ValueError("An mp4 file has no 'mdat' box.")
    return total


def _ogg(data: bytes) -> int:
    """Sum up the packets behind the headers: RFC 3533."""
    at, packets, size = 0, [], 0
    while data[at : at + 4] == b"OggS":
        n_segments = data[at + 26]
        lacing = data[at + 27 : at + 27 + n_segments]
        for length in lacing:
            size += length
            if length < 255:
                packets.append(size)
                size = 0
        at += 27 + n_segments + sum(lacing)
    start = data.find(b"OggS") + 27 + data[26]
    headers = [count for head, count in _OGG_HEADER_PACKETS.items() if data[start:].startswith(head)]
    if not headers:
        raise ValueError("An Ogg file begins with neither an Opus nor a Vorbis header.")
    return sum(packets[headers[0] :])


def _amr(data: bytes) -> int:
    magic = b"#!AMR\n"
    if not data.startswith(magic):
        raise ValueError("An AMR file does not begin with its magic number.")
    return len(data) - len(magic)


def _flac(data: bytes) -> int:
    if not data.startswith(b"fLaC"):
        raise ValueError("A FLAC file does not begin with its magic number.")
    at, is_last = 4, False
    while not is_last:
        is_last = bool(data[at] & 0x80)
        at += 4 + int.from_bytes(data[at + 1 : at + 4], "big")
    return len(data) - at


_COUNTED: dict[str, Callable[[bytes], int]] = {
    "wav": _wav, "mp4": _mp4, "ogg": _ogg, "amr": _amr, "flac": _flac,
}  # fmt: skip
