"""The clips that a scheme is trained and measured on: whole recordings on one side or the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.corpora.base import Corpus, CorpusReport
from sealproof.harness.datasets.split import split_by_group
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.seeds import derive_seed

CLIP_S = 1.0


@dataclass(frozen=True)
class CorpusClips:
    """A corpus, read and split as `sealproof build` splits it with the same seed.

    Attributes:
        description: What was read.
        pcm: Clips of each split, int16, shape (n, 16000).
        groups: The group of each of them.
    """

    description: Mapping[str, object]
    pcm: Mapping[str, NDArray[np.int16]]
    groups: Mapping[str, Sequence[str]]


def read_clips(corpus: Corpus, n_clips: int, seed: int) -> CorpusClips:
    """Read a corpus and split it by group.

    Args:
        corpus: Where the clips come from.
        n_clips: How many to take at most.
        seed: As of `sealproof build`. A dataset of all of the same corpus, in clips of a second and with the same seed,
            has the same splits; one that was built with `--clips` or another length has others.

    Raises:
        HarnessError: The corpus is unusable or has too few groups.
    """
    report = CorpusReport()
    clips = list(corpus.clips(n_clips, clip_s=CLIP_S, seed=seed, report=report))
    if not clips:
        raise HarnessError(f"The corpus must hold at least one usable clip. Got {report.sentence()}.")
    split_of = split_by_group([clip.group for clip in clips], derive_seed(seed, "split"))
    pcm: dict[str, NDArray[np.int16]] = {}
    groups: dict[str, list[str]] = {}
    for split in sorted(set(split_of.values())):
        members = sorted((clip for clip in clips if split_of[clip.group] == split), key=lambda clip: clip.clip_id)
        pcm[split] = np.stack([clip.pcm for clip in members])
        groups[split] = [clip.group for clip in members]
    return CorpusClips({**corpus.description(), "seed": seed, "clips": len(clips)}, pcm, groups)


def draw_batch(pcm: NDArray[np.int16], n: int, n_samples: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw windows of random clips at random levels: one in ten down to -35 dB, the others -12 to +6 dB.

    Args:
        pcm: Shape (clips, samples).
        n: How many to draw.
        n_samples: Length of a window; at most that of a clip.
        rng: Draws clips, places and levels.

    Returns:
        Shape (n, 1, n_samples), float32 in [-1, 1].
    """
    chosen = rng.integers(len(pcm), size=n)
    starts = rng.integers(pcm.shape[1] - n_samples + 1, size=n)
    windows = np.stack([pcm[clip, start : start + n_samples] for clip, start in zip(chosen, starts, strict=True)])
    lowest = np.where(rng.random(n) < 0.1, -35.0, -12.0)
    gain = 10 ** (rng.uniform(lowest, 6.0) / 20)
    return np.clip(windows * (gain / 32768)[:, None], -1, 1).astype(np.float32)[:, None]


def draw_varied(
    pcm: NDArray[np.int16], n: int, n_samples: int, fastest: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Draw windows as `draw_batch`, played faster or slower, half of them mixed with another one.

    Args:
        pcm: Shape (clips, samples).
        n: How many to draw.
        n_samples: Length of a window; at most that of a clip.
        fastest: Largest speed, where the clips are long enough for it; the smallest is its inverse.
        rng: Draws everything.

    Returns:
        Shape (n, 1, n_samples), float32 in [-1, 1].
    """
    fastest = min(fastest, (pcm.shape[1] - 1) / n_samples)
    windows = draw_batch(pcm, 2 * n, int(n_samples * fastest) + 1, rng)[:, 0]
    speeds = fastest ** rng.uniform(-1, 1, 2 * n)
    played = np.stack(
        [
            np.interp(np.arange(n_samples) * speed, np.arange(window.size), window)
            for window, speed in zip(windows, speeds, strict=True)
        ]
    )
    gain = np.where(rng.random(n) < 0.5, 0, 10 ** (rng.uniform(-12, 0, n) / 20))
    mixed: NDArray[np.float64] = np.clip(played[:n] + gain[:, None] * played[n:], -1, 1)
    return mixed.astype(np.float32)[:, None]


def draw_without_music(n_samples: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw what is neither music nor marked: silence, white noise or a steady tone, shape (1, n_samples)."""
    kind = rng.integers(3)
    if kind == 0:
        return np.zeros((1, n_samples), np.float32)
    if kind == 1:
        return (rng.standard_normal((1, n_samples)) * 10 ** -rng.uniform(1, 4)).astype(np.float32)
    time = np.arange(n_samples) / 16_000
    tone = np.sin(2 * np.pi * rng.uniform(50, 6000) * time) * 10 ** -rng.uniform(0.3, 3)
    return tone.astype(np.float32)[None]
