"""Clips that are fetched: what `collect` brings to the user's folder, read back for the dataset."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sealproof.harness.corpora.base import CorpusReport
from sealproof.harness.corpora.musiccaps.collection.collect import collect
from sealproof.harness.corpora.musiccaps.collection.finished import finished
from sealproof.harness.corpora.musiccaps.collection.options import CollectOptions
from sealproof.harness.corpora.musiccaps.collection.report import CollectReport
from sealproof.harness.corpora.musiccaps.table import Song
from sealproof.harness.corpora.musiccaps.youtube.resolve import Resolver
from sealproof.harness.foundation.audio.files import SAMPLE_RATE, Pcm, read_wav
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.parallel import map_ahead


@dataclass(kw_only=True)
class YouTube:
    """The videos themselves: `collect` fetches what is missing, and what is there is never fetched again.

    Attributes:
        folder: The user's folder, with journal and clips.
        options: What is cut and how it is asked for; the length of a clip is the build's.
        resolver: Finds the audio of a video; yt-dlp where None.
    """

    folder: Path
    options: CollectOptions
    resolver: Resolver | None = None
    _outcome: CollectReport | None = field(default=None, init=False)

    @property
    def offset_s(self) -> float:
        """Where in its segment a clip starts, in seconds."""
        return self.options.offset_s

    def description(self) -> dict[str, object]:
        """Say where the audio came from."""
        return {"audio": "youtube", "offset_s": self.offset_s}

    def files(self) -> dict[str, Path]:
        """Return none: what is fetched has its hash in the journal of the collection."""
        return {}

    def advice(self) -> Iterator[str]:
        """Yield the counts by reason and what to do, once the clips were fetched."""
        if self._outcome is not None:
            yield from self._outcome.lines()

    def clips(self, songs: Sequence[Song], n_samples: int, report: CorpusReport) -> Iterator[tuple[Song, Pcm]]:
        """Fetch what is missing, then yield the clips that are there, in the order of the songs.

        Args:
            songs: Whose clips are asked for.
            n_samples: Length of a clip in samples at 16 kHz.
            report: Songs without a clip are counted in it by reason.

        Raises:
            HarnessError: Nothing can be fetched here, no clip at all was had, or the network was lost for so long that
                most songs were not tried: a dataset of those at hand would then be final.
            OSError: The disk is full or the folder cannot be written.
        """
        options = replace(self.options, clip_s=n_samples / SAMPLE_RATE)
        outcome = self._outcome = collect(songs, self.folder, options, self.resolver)
        report.unavailable.update({f"{state}: {reason}": n for (state, reason), n in outcome.failed.items()})
        if outcome.n_not_tried:
            report.unavailable["not tried"] += outcome.n_not_tried
        if outcome.stopped is not None or outcome.n_done == 0:
            raise HarnessError(self._why_not(outcome, self.folder / options.clips))
        paths = finished(self.folder, songs, options)
        there = [song for song in songs if song.ytid in paths]
        read = map_ahead(lambda song: read_wav(paths[song.ytid], n_samples), there)
        yield from zip(there, read, strict=True)

    def _why_not(self, outcome: CollectReport, clips: Path) -> str:
        told = "; ".join(line.strip() for line in outcome.lines())
        if outcome.n_done == 0:
            return f"At least one clip must be had. {told}"
        return (
            f"The dataset was not built, as not every song was tried. {told} (Of what is there: --audio-dir {clips}.)"
        )
