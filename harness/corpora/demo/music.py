"""Built-in demo music: deterministic synthesised pieces, so that sealproof runs with no network and no data.

A piece is written (`demo_score`), played (`demo_sound`) and mixed (`demo_mix`). Piece `i` depends on the seed, `i`, its
duration and the sample rate only; so pieces can be made in any order and in parallel:

    >>> from sealproof.harness.corpora.demo.music import compose, piece_duration_s
    >>> compose(7, seed=0, duration_s=piece_duration_s(200), sample_rate=16_000).name
    'piece-0007'
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.corpora.demo.mix import mix_score
from sealproof.harness.corpora.demo.score import write_score

_LEAST_GROUPS: Final = 100
_CLIPS_PER_LONG_PIECE: Final = 10
_SAMPLE_RATES_HZ: Final = (8_000, 96_000)
_DURATIONS_S: Final = (0.1, 600.0)


@dataclass(frozen=True)
class DemoPiece:
    """One piece of demo music.

    Attributes:
        name: Such as "piece-0007"; all clips of a piece are one group.
        audio: Shape (samples,), mono, within [-1, 1].
    """

    name: str
    audio: NDArray[np.float32]


def piece_count(n_clips: int) -> int:
    """How many pieces the clips are cut from: one each up to 100 clips, 100 up to 1,000, then one per 10 clips.

    For the groups to be that many, a corpus takes clip `k` from piece `k % piece_count(n_clips)`, or as many from each.

    Raises:
        ValueError: `n_clips` is below 1.
    """
    if n_clips < 1:
        raise ValueError(f"The 'n_clips' of demo music must be at least 1. Got {n_clips}.")
    return max(min(n_clips, _LEAST_GROUPS), ceil(n_clips / _CLIPS_PER_LONG_PIECE))


def piece_duration_s(n_clips: int) -> float:
    """Length of each piece in seconds: its share of the clips, rounded up, and 1 s to spare; from 2 to 11 s.

    Raises:
        ValueError: `n_clips` is below 1.
    """
    return float(ceil(n_clips / piece_count(n_clips)) + 1)


def compose(index: int, *, seed: int, duration_s: float, sample_rate: int) -> DemoPiece:
    """Make piece `index`: the same bits for the same arguments on the same machine, whatever else was made before.

    Args:
        index: From 0; any number of pieces exist.
        seed: From 0; another seed is other music.
        duration_s: Length in seconds, from 0.1 to 600.
        sample_rate: In Hz, from 8,000 to 96,000.

    Raises:
        ValueError: An argument is out of its range.
    """
    _check("index", index, 0, None)
    _check("seed", seed, 0, None)
    _check("duration_s", duration_s, *_DURATIONS_S)
    _check("sample_rate", sample_rate, *_SAMPLE_RATES_HZ)
    writing, mixing = np.random.default_rng([seed, index]).spawn(2)
    score = write_score(writing, duration_s)
    audio = mix_score(score, round(duration_s * sample_rate), sample_rate, mixing)
    return DemoPiece(f"piece-{index:04d}", audio.astype(np.float32))


def demo_pieces(n_clips: int, *, seed: int = 0, sample_rate: int = 16_000) -> Iterator[DemoPiece]:
    """Yield the pieces that `n_clips` 1-s clips are cut from, each made when it is asked for.

    Args:
        n_clips: At least 1; see `piece_count` and `piece_duration_s` for what it entails.
        seed: From 0; another seed is other music.
        sample_rate: In Hz, from 8,000 to 96,000.

    Raises:
        ValueError: An argument is out of its range; raised by the call, not by the first piece.
    """
    count, duration_s = piece_count(n_clips), piece_duration_s(n_clips)
    _check("seed", seed, 0, None)
    _check("sample_rate", sample_rate, *_SAMPLE_RATES_HZ)
    return (compose(index, seed=seed, duration_s=duration_s, sample_rate=sample_rate) for index in range(count))


def _check(name: str, value: float, least: float, most: float | None) -> None:
    """Refuse a number outside its range, NaN included."""
    if least <= value and (most is None or value <= most):
        return
    rule = f"at least {least:g}" if most is None else f"between {least:g} and {most:g}"
    raise ValueError(f"The '{name}' of demo music must be {rule}. Got {value}.")
