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


def mixed_clips(dataset: Dataset, pairs: Sequence[Pair], n: int, seed: int) -> NDArray[np.float16]:
    """Mix training clips, clean or watermarked, with clean ones that start anywhere in themselves.

    A detector's rare errors hang on the host; a few thousand clips hold few such hosts, mixtures hold any number.

    Args:
        dataset: Where the clips are.
        pairs: Training pairs, at least one.
        n: How many mixtures; half of them, by chance, of a watermarked clip.
        seed: Decides everything that is drawn.

    Returns:
        (n, samples), never beyond full scale: a mixture that would be is scaled down.
    """
    rng = np.random.default_rng(derive_seed(seed, "mixtures"))
    mixtures = np.zeros((n, dataset.n_samples), dtype=np.float16)
    for at in range(0, n, _BLOCK):
        size = min(_BLOCK, n - at)
        below, above = rng.integers(len(pairs), size=(2, size))
        is_marked = rng.integers(2, size=size)
        rows = [
            pairs[index].watermarked if marked else pairs[index].clean
            for index, marked in zip(below, is_marked, strict=True)
        ]
        first, second = dataset.audio(rows), dataset.audio([pairs[index].clean for index in above])
        starts = rng.integers(dataset.n_samples, size=size)
        second = np.stack([np.roll(clip, -start) for clip, start in zip(second, starts, strict=True)])
        gains = 10 ** (rng.uniform(*_LEVELS_DB, size) / 20) * _rms(first) / _rms(second)
        mixed = first + gains.astype(np.float32)[:, None] * second
        mixtures[at : at + size] = mixed / np.maximum(1, np.abs(mixed).max(axis=1, keepdims=True))
    return mixtures


def _rms(audio: Audio) -> NDArray[np.float64]:
    # Near-silent clips are in no dataset, so this is not zero.
    level: NDArray[np.float64] = np.sqrt(np.mean(np.square(audio, dtype=np.float64), axis=1))
    return level
