"""Clean clips: where they come from, which of them are taken, and which are refused."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from sealproof.harness.foundation.audio.files import SAMPLE_RATE, Audio, Pcm, clipped_share, to_pcm
from sealproof.harness.foundation.errors import HarnessError

ALL_CLIPS = 1_000_000_000
"""Stands for `as many as the corpus has`."""

BADLY_CLIPPED = 0.01
"""A clip is badly clipped when more than this share of its samples is beyond full scale."""

SILENCE_DBFS = -60.0
"""A clip whose root mean square is below this, in dB re full scale, counts as near-silent and is skipped."""


@dataclass(frozen=True)
class Clip:
    """One clean clip and where it was cut.

    Attributes:
        clip_id: Unique in its corpus; letters, digits and `. _ -` only.
        group: The recording, or folder of recordings, that the clip belongs to; a group never crosses a split.
        source: The file it was cut from, relative to the corpus, or the piece of demo music.
        start_s: Where it starts in the source, in seconds.
        pcm: 16-bit samples at 16 kHz, shape (samples,).
        caption: What it is, in words; empty where the corpus does not say.
        aspects: The same in tags.
        audioset_labels: AudioSet's labels, as ids of its ontology.
        held_out: Whether the corpus' own split keeps it for evaluation; None where the groups are dealt out by chance.
    """

    clip_id: str
    group: str
    source: str
    start_s: float
    pcm: Pcm
    caption: str = ""
    aspects: tuple[str, ...] = ()
    audioset_labels: tuple[str, ...] = ()
    held_out: bool | None = None


@dataclass
class CorpusReport:
    """What was taken and what was left out, filled in while a corpus is read."""

    taken: int = 0
    near_silent: int = 0
    too_short: int = 0
    clipped: int = 0
    """How many clips go beyond full scale, where 16 bits cut them off."""
    badly_clipped: int = 0
    """Those of them in which more than `BADLY_CLIPPED` of the samples do."""
    resampled: int = 0
    """Files of another rate than 16 kHz of which clips were taken."""
    downmixed: int = 0
    """Files of several channels of which clips were taken; they were averaged."""
    bad_files: dict[str, str] = field(default_factory=dict)
    unavailable: Counter[str] = field(default_factory=Counter)
    """How many recordings could not be had, by reason; those of a corpus that is fetched."""

    def sentence(self) -> str:
        """Tell the counts in one line."""
        parts = [f"{self.taken} clips taken", f"{self.near_silent} near-silent ones skipped"]
        if self.too_short:
            parts.append(f"{self.too_short} files shorter than a clip skipped")
        if self.bad_files:
            parts.append(f"{len(self.bad_files)} bad files skipped")
        if self.clipped:
            parts.append(f"{self.clipped} clips cut off at full scale")
        if self.resampled:
            parts.append(f"{self.resampled} files resampled to 16 kHz")
        if self.downmixed:
            parts.append(f"{self.downmixed} files mixed down to mono")
        parts += [f"{count} not to be had ({reason})" for reason, count in self.unavailable.most_common() if count]
        return ", ".join(parts)


class Corpus(Protocol):
    """A source of clean clips.

    One whose threads decode clips ahead of those that are taken says so with `reads_ahead = True`: the embedder then
    leaves them a core.
    """

    @property
    def name(self) -> str:
        """What the corpus is called in tables."""
        ...

    def description(self) -> dict[str, object]:
        """Say what was read and how, for dataset.json."""
        ...

    def sources(self) -> Mapping[str, Path]:
        """Return the files that the clips rest on, by the names that clips give as their `source`.

        Files that say something about them (groups, say) are among them, under another name. Empty for a corpus that
        makes or fetches its clips.
        """
        ...

    def clips(self, n_clips: int, *, clip_s: float, seed: int, report: CorpusReport) -> Iterator[Clip]:
        """Yield at most `n_clips` clips, the same ones in the same order for the same arguments.

        Args:
            n_clips: How many to take; fewer are yielded when the corpus holds fewer.
            clip_s: Length of a clip in seconds.
            seed: Decides offsets, and which clips are taken when there are more than `n_clips`.
            report: Counts of what was skipped are added to it.

        Raises:
            HarnessError: A source is unusable.
        """
        ...


def clip_samples(clip_s: float) -> int:
    """Turn a clip length in seconds into samples at 16 kHz.

    Raises:
        HarnessError: The length is not from 0.1 to 60 s.
    """
    if not 0.1 <= clip_s <= 60:
        raise HarnessError(f"The clip length must be from 0.1 to 60 s. Got {clip_s:g}.")
    return round(clip_s * SAMPLE_RATE)


def usable_pcm(audio: Audio, report: CorpusReport) -> Pcm | None:
    """Round a clip to 16-bit PCM, or count it as near-silent and return None."""
    pcm = to_pcm(audio)
    return pcm if is_usable(pcm, clipped_share(audio), report) else None


def is_usable(pcm: Pcm, cut_off: float, report: CorpusReport) -> bool:
    """Count a clip as taken or as near-silent; say whether it was taken.

    Args:
        pcm: Its samples.
        cut_off: Which share of them 16 bits cut off.
        report: Counts it.
    """
    rms = float(np.sqrt(np.mean(np.square(pcm / 32768.0))))
    if rms < 10 ** (SILENCE_DBFS / 20):
        report.near_silent += 1
        return False
    report.taken += 1
    report.clipped += cut_off > 0
    report.badly_clipped += cut_off > BADLY_CLIPPED
    return True


def interleave_groups(group_of: list[str], seed: int) -> list[int]:
    """Order candidates so that any leading part is spread evenly over the groups.

    Args:
        group_of: Each candidate's group.
        seed: Shuffles within a group and the order of the groups.

    Returns:
        The candidates' indices: every group's first in shuffled order, then every group's second, and so on.
    """
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(group_of))
    seen: Counter[str] = Counter()
    rank = np.zeros(len(group_of), dtype=np.int64)
    for index in shuffled:
        rank[index] = seen[group_of[index]]
        seen[group_of[index]] += 1
    groups = sorted(seen)
    order_of_group = dict(zip(groups, rng.permutation(len(groups)).tolist(), strict=True))
    return sorted(range(len(group_of)), key=lambda index: (rank[index], order_of_group[group_of[index]]))
