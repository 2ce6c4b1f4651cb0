"""A spectrogram as a small PNG."""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

MAX_ROWS, MAX_COLUMNS = 129, 320
"""Size of the picture at most; of cells that share a pixel the loudest is seen."""

_N_LEVELS = 48
"""Colours: finer steps are not seen, and cost bytes."""

_STOPS = ((8, 10, 24), (44, 22, 84), (122, 32, 116), (204, 62, 88), (246, 134, 74), (252, 236, 176))
"""From silent to loud, ever lighter."""


def spectrogram_png(levels_db: NDArray[np.float64], low: float, high: float) -> bytes:
    """Draw levels, (frequencies, frames), as a PNG with low frequencies at the bottom.

    Args:
        levels_db: As `harness.spectrogram.level_db` returns them.
        low: Level in dB that is drawn darkest.
        high: Level that is drawn lightest.
    """
    pooled = _pool(_pool(levels_db, MAX_ROWS).T, MAX_COLUMNS).T
    steps = np.clip((pooled - low) / max(high - low, 1e-9) * (_N_LEVELS - 1), 0, _N_LEVELS - 1)
    return _png(np.rint(steps).astype(np.uint8)[::-1])


def _pool(rows: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Return at most n rows: the highest of each run of rows."""
    if len(rows) <= n:
        return rows
    starts = np.arange(n) * len(rows) // n
    return np.maximum.reduceat(rows, starts, axis=0)


def _palette() -> bytes:
    at = np.linspace(0, len(_STOPS) - 1, _N_LEVELS)
    stops = np.array(_STOPS, dtype=float)
    colours = [np.interp(at, np.arange(len(stops)), stops[:, channel]) for channel in range(3)]
    return bytes(np.rint(np.stack(colours, axis=1)).astype(np.uint8))


def _png(indices: NDArray[np.uint8]) -> bytes:
    """Write palette indices, (rows, columns), as a PNG."""
    height, width = indices.shape
    # Each row begins with its filter: none.
    pixels = np.concatenate([np.zeros((height, 1), np.uint8), indices], axis=1).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"PLTE", _palette()), (b"IDAT", zlib.compress(pixels, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
