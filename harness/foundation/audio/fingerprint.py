"""Finding one recording under two names: landmarks of spectra propose, a correlation of the samples decides."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from sealproof.harness.foundation.audio.files import SAMPLE_RATE, Audio
from sealproof.harness.foundation.progress import progress

_WINDOW, _STEP = 1024, 256
"""Of the spectra, in samples: 64 and 16 ms."""

_LOW, _HIGH = 8, 320
"""Bins that are looked at: 125 Hz to 5 kHz, which any encoder keeps."""

_NEAR_BINS, _NEAR_FRAMES = 6, 3
"""A landmark is louder than all within so many bins and frames."""

_PER_SECOND = 60
"""Landmarks of a second at most, those that stand out most."""

_FAN, _REACH = 6, 24
"""Each landmark is paired with so many that follow, within so many frames."""

_COMMON = 12
"""A pair of landmarks that more clips have is music's own (a chord, a drum), and tells nothing."""

_SHARED = 4
"""Pairs of landmarks that two clips must share, all at one shift, to be compared."""

_ALIKE = 0.95
"""Correlation of the samples from which on two clips hold one recording: MP3 at 32 kbit/s leaves 0.965."""

_OVERLAP_S = 0.25
"""What two clips must share at least: below it correlations are high by chance."""


class Copy(NamedTuple):
    """Two clips that hold one recording.

    Attributes:
        first: Place of one.
        second: Place of the other; higher.
        overlap_s: How much of it both hold.
        correlation: Of their samples there, from 0 to 1.
    """

    first: int
    second: int
    overlap_s: float
    correlation: float


def landmarks(clip: Audio) -> NDArray[np.int64]:
    """Return the landmark pairs of a clip.

    A landmark is a local peak of the spectrogram, a pair is named by both frequencies and the time between them
    (Wang 2003, ISMIR): neither level nor offset nor an encoder changes it much.

    Args:
        clip: (samples,) at 16 kHz.

    Returns:
        (n, 2): names, and frames in which they begin.
    """
    if clip.size < _WINDOW:
        return np.zeros((0, 2), dtype=np.int64)
    frames = sliding_window_view(clip, _WINDOW)[::_STEP] * np.hanning(_WINDOW)
    power = np.abs(np.fft.rfft(frames, axis=1))[:, _LOW:_HIGH] ** 2
    level = np.log(power + 1e-9)
    # Against the bins around it: else all landmarks are bass.
    standing = level - _mean_around(level, 24)
    is_peak = level >= _highest_around(level, _NEAR_FRAMES, _NEAR_BINS)
    is_peak &= power > 1e-6 * power.max()
    frame, place = np.nonzero(is_peak)
    most = max(1, round(_PER_SECOND * clip.size / SAMPLE_RATE))
    kept = np.argsort(-standing[frame, place], kind="stable")[:most]
    kept = kept[np.lexsort((place[kept], frame[kept]))]
    frame, place = frame[kept], place[kept]
    pairs = [np.zeros((0, 2), dtype=np.int64)]
    for ahead in range(1, _FAN + 1):
        later = frame[ahead:] - frame[:-ahead]
        near = (later >= 0) & (later <= _REACH)
        # A peak may come to lie in the next bin: two bins are one.
        names = ((place[:-ahead] // 2) * 256 + place[ahead:] // 2) * 64 + later
        pairs.append(np.stack([names[near], frame[:-ahead][near]], axis=1).astype(np.int64))
    return np.concatenate(pairs)


def _mean_around(level: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    padded = np.pad(level, ((0, 0), (reach, reach)), mode="edge")
    sums = np.cumsum(np.pad(padded, ((0, 0), (1, 0))), axis=1)
    means: NDArray[np.float64] = (sums[:, 2 * reach + 1 :] - sums[:, : -2 * reach - 1]) / (2 * reach + 1)
    return means


def _highest_around(level: NDArray[np.float64], frames: int, bins: int) -> NDArray[np.float64]:
    padded = np.pad(level, ((frames, frames), (bins, bins)), constant_values=-np.inf)
    across = sliding_window_view(padded, 2 * bins + 1, axis=1).max(axis=-1)
    highest: NDArray[np.float64] = sliding_window_view(across, 2 * frames + 1, axis=0).max(axis=-1)
    return highest


def proposed(marks: Sequence[NDArray[np.int64]], apart: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the places of clips that share landmark pairs at one shift.

    Args:
        marks: What `landmarks` returns, clip by clip.
        apart: Of each clip what it belongs to; only clips that belong to different things are proposed.
    """
    clips = np.repeat(np.arange(len(marks)), [len(each) for each in marks])
    if not len(clips):
        return
    together = np.concatenate(marks)
    order = np.lexsort((clips, together[:, 0]))
    names, frames, clips = together[order, 0], together[order, 1], clips[order]
    belongs = np.asarray(apart)[clips]
    n_same = np.diff(np.append(np.flatnonzero(np.append(True, names[1:] != names[:-1])), len(names)))
    is_telling = np.repeat(n_same <= _COMMON, n_same)
    names, frames, clips, belongs = names[is_telling], frames[is_telling], clips[is_telling], belongs[is_telling]
    votes = [np.zeros((0, 3), dtype=np.int64)]
    for ahead in range(1, _COMMON):
        same = (names[ahead:] == names[:-ahead]) & (belongs[ahead:] != belongs[:-ahead])
        first, second = clips[:-ahead][same], clips[ahead:][same]
        shift = frames[ahead:][same] - frames[:-ahead][same]
        # A shift that is no whole number of frames falls on either side: both are counted for both.
        votes += [np.stack([first, second, shift + side], axis=1) for side in (0, 1)]
    shared, counts = np.unique(np.concatenate(votes), axis=0, return_counts=True)
    enough = shared[counts >= _SHARED]
    yield from dict.fromkeys((int(first), int(second)) for first, second, _ in enough)


def compare(one: Audio, other: Audio) -> tuple[float, float]:
    """Return how alike two clips are at the shift at which they are most, and their overlap there in seconds.

    The correlation is of what both hold at that shift, and its sign does not matter; 0 where both are too short.
    """
    least = round(_OVERLAP_S * SAMPLE_RATE)
    if min(one.size, other.size) < least:
        return 0.0, 0.0
    size = 1 << (one.size + other.size - 1).bit_length()
    product = np.fft.irfft(np.fft.rfft(one, size) * np.conj(np.fft.rfft(other, size)), size)
    shifts = np.arange(least - other.size, one.size - least + 1)
    begin, end = np.maximum(shifts, 0), np.minimum(shifts + other.size, one.size)
    energies = [np.append(0.0, np.cumsum(np.square(clip, dtype=np.float64))) for clip in (one, other)]
    energy = (energies[0][end] - energies[0][begin]) * (energies[1][end - shifts] - energies[1][begin - shifts])
    # Where either is all but silent nothing can be said.
    floor = 1e-4 * energies[0][-1] * energies[1][-1]
    alike = np.abs(product[shifts]) / np.sqrt(np.maximum(energy, floor) + 1e-30)
    best = int(np.argmax(alike))
    return float(alike[best]), float((end - begin)[best] / SAMPLE_RATE)


def find_copies(read: Callable[[int], Audio], apart: Sequence[int]) -> list[Copy]:
    """Find the clips that hold one recording, whatever its level, its encoder and where it was cut.

    Args:
        read: Returns a clip by its place, (samples,) at 16 kHz; no more than two are held at a time.
        apart: Of each clip what it belongs to; only clips that belong to different things are compared.
    """
    marks = [landmarks(read(place)) for place in progress(range(len(apart)), "comparing recordings")]
    copies = []
    for first, second in proposed(marks, apart):
        correlation, overlap_s = compare(read(first), read(second))
        if correlation >= _ALIKE:
            copies.append(Copy(first, second, overlap_s, correlation))
    return copies
