"""Training clips with other music on top: hosts that no recording holds, to ask a detector about."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sealproof.detectors.base import Audio
from sealproof.harness.datasets.dataset import Dataset, Pair
from sealproof.harness.foundation.seeds import derive_seed

_LEVELS_DB = (-15.0, 3.0)
"""Of the music on top, against the clip below: from hardly audible to the louder one."""

_BLOCK = 64


def mixed_clips(
    dataset: Dataset, pairs: Sequence[Pair], n: int, seed: int
) -> tuple[NDArray[np.float16], NDArray[np.bool_]]:
    """Mix training clips, clean or watermarked, with clean ones that start anywhere in themselves.

    A detector's rare errors hang on the host; a few thousand clips hold few such hosts, mixtures hold any number.

    Args:
        dataset: Where the clips are.
        pairs: Training pairs, at least one.
        n: How many mixtures; half of them, by chance, of a watermarked clip.
        seed: Decides everything that is drawn; the first mixtures are the same however many are asked for.

    Returns:
        (n, samples), never beyond full scale: a mixture that would be is scaled down; and whether the clip below is
        watermarked, (n,).
    """
    rng = np.random.default_rng(derive_seed(seed, "mixtures"))
    mixtures = np.zeros((n, dataset.n_samples), dtype=np.float16)
    below_marked = np.zeros(n, dtype=np.bool_)
    for at in range(0, n, _BLOCK):
        # A whole block is drawn, so that the last one starts like a whole one.
        below, above = rng.integers(len(pairs), size=(2, _BLOCK))
        is_marked = rng.integers(2, size=_BLOCK).astype(np.bool_)
        starts = rng.integers(dataset.n_samples, size=_BLOCK)
        levels = rng.uniform(*_LEVELS_DB, _BLOCK)
        size = min(_BLOCK, n - at)
        rows = [
            pairs[index].watermarked if marked else pairs[index].clean
            for index, marked in zip(below[:size], is_marked[:size], strict=True)
        ]
        first, second = dataset.audio(rows), dataset.audio([pairs[index].clean for index in above[:size]])
        second = np.stack([np.roll(clip, -start) for clip, start in zip(second, starts[:size], strict=True)])
        gains = 10 ** (levels[:size] / 20) * _rms(first) / _rms(second)
        mixed = first + gains.astype(np.float32)[:, None] * second
        mixtures[at : at + size] = mixed / np.maximum(1, np.abs(mixed).max(axis=1, keepdims=True))
        below_marked[at : at + size] = is_marked[:size]
    return mixtures, below_marked


def _rms(audio: Audio) -> NDArray[np.float64]:
    # Near-silent clips are in no dataset, so this is not zero.
    level: NDArray[np.float64] = np.sqrt(np.mean(np.square(audio, dtype=np.float64), axis=1))
    return level
