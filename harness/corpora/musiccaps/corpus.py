"""The corpus MusicCaps: which songs are taken, and their clips with what the table says of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from sealproof.harness.corpora.base import Clip, CorpusReport, clip_samples, is_usable
from sealproof.harness.corpora.musiccaps.table import SEGMENT_S, Song, Table
from sealproof.harness.foundation.audio.files import Pcm, full_scale_share
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.seeds import derive_seed

STUDY_CLIPS = 5_271
"""Clips that the study still found on YouTube in 2025."""


class ClipSource(Protocol):
    """Where the audio of songs comes from."""

    @property
    def offset_s(self) -> float:
        """Where in its segment a song's clip starts, in seconds."""
        ...

    def description(self) -> dict[str, object]:
        """Say where the audio came from, for dataset.json."""
        ...

    def files(self) -> Mapping[str, Path]:
        """Return the user's own files that clips are cut from, by name; none where they are fetched."""
        ...

    def advice(self) -> Iterator[str]:
        """Yield what to do for the songs without a clip, once `clips` is through."""
        ...

    def clips(self, songs: Sequence[Song], n_samples: int, report: CorpusReport) -> Iterator[tuple[Song, Pcm]]:
        """Yield the clips that can be had, in the order of the songs.

        Args:
            songs: Whose clips are asked for.
            n_samples: Length of a clip in samples at 16 kHz.
            report: Songs without a clip are counted in it by reason; they are never fatal.

        Raises:
            HarnessError: Nothing at all can be had.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which songs of the table are wanted.

    Attributes:
        limit: At most so many, drawn by the seed; a larger limit holds those of a smaller one. None for all.
        ids: These only; None for all.
        balanced: Only the 1,000 that the authors balanced by genre.
    """

    limit: int | None = None
    ids: frozenset[str] | None = None
    balanced: bool = False

    def __post_init__(self) -> None:
        """Refuse a limit of no songs."""
        if self.limit is not None and self.limit < 1:
            raise HarnessError(f"--limit must be at least 1. Got {self.limit}.")

    def of(self, songs: Sequence[Song], seed: int) -> list[Song]:
        """Return the wanted songs, in an order drawn by the seed.

        Raises:
            HarnessError: The table lacks one of the ids, or nothing is left.
        """
        strange = (self.ids or frozenset()) - {song.ytid for song in songs}
        if strange:
            raise HarnessError(
                f"--ids must name songs of the table. It lacks {min(strange)!r} and {len(strange) - 1} others."
            )
        wanted = [
            song
            for song in sorted(songs, key=lambda song: song.ytid)
            if (self.ids is None or song.ytid in self.ids) and (song.is_balanced_subset or not self.balanced)
        ]
        if not wanted:
            raise HarnessError("--ids and --balanced must leave at least one song. They leave none.")
        order = np.random.default_rng(derive_seed(seed, "selection")).permutation(len(wanted))
        return [wanted[index] for index in order[: self.limit]]

    def description(self) -> dict[str, object]:
        """Say what was asked for, for dataset.json."""
        return {
            "limit": self.limit,
            "ids": None if self.ids is None else sorted(self.ids),
            "balanced": self.balanced,
        }


@dataclass(frozen=True, kw_only=True)
class MusicCapsCorpus:
    """One clip of each song: a video is a group.

    Attributes:
        table: MusicCaps' table.
        source: Where the audio comes from.
        selection: Which songs are wanted.
        keep_split: AudioSet's evaluation half becomes calibration and test, its training half train and validation.
    """

    table: Table
    source: ClipSource
    selection: Selection = Selection()
    keep_split: bool = False

    name = "musiccaps"
    reads_ahead = True

    def description(self) -> dict[str, object]:
        """Say what was read and how."""
        return {
            "kind": "musiccaps",
            "name": self.name,
            "table_sha256": self.table.sha256,
            **self.source.description(),
            **self.selection.description(),
            "split": "audioset" if self.keep_split else "group",
        }

    def sources(self) -> Mapping[str, Path]:
        """Return the user's own files; the table's hash is in the description."""
        return self.source.files()

    def clips(self, n_clips: int, *, clip_s: float, seed: int, report: CorpusReport) -> Iterator[Clip]:
        """Yield a clip of each song that one can be had of, in an order drawn by the seed; see `Corpus.clips`."""
        n_samples = clip_samples(clip_s)
        offset_s = self.source.offset_s
        if not 0 <= offset_s <= SEGMENT_S - clip_s:
            raise HarnessError(
                f"--offset-s and --clip-s must lie within the {SEGMENT_S} s of a segment. "
                f"Got {offset_s:g} s + {clip_s:g} s."
            )
        songs = self.selection.of(self.table.songs, seed)
        for song, pcm in self.source.clips(songs, n_samples, report):
            if report.taken == n_clips:
                return
            if is_usable(pcm, full_scale_share(pcm), report):
                yield self._clip(song, pcm)

    def _clip(self, song: Song, pcm: Pcm) -> Clip:
        return Clip(
            # Not the id alone: one in fifty begins with a hyphen, which tools take for an option.
            f"yt.{song.ytid}",
            song.ytid,
            f"https://www.youtube.com/watch?v={song.ytid}",
            song.start_s + self.source.offset_s,
            pcm,
            song.caption,
            song.aspects,
            song.audioset_labels,
            song.is_audioset_eval if self.keep_split else None,
        )


def read_ids(path: Path) -> frozenset[str]:
    """Read a file of ytids, one a line; empty lines and those that begin with `#` are skipped.

    Raises:
        HarnessError: It cannot be read, or names none.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise HarnessError(
            f"--ids {path} must be a text file of ytids, one a line. It cannot be read ({error})."
        ) from error
    ids = frozenset(line for line in lines if line and not line.startswith("#"))
    if not ids:
        raise HarnessError(f"--ids {path} must name at least one ytid. It names none.")
    return ids
