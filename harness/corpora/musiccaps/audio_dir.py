"""Clips out of audio that is already there: a folder with one file for each song, named after its ytid."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sealproof.harness.corpora.base import CorpusReport
from sealproof.harness.corpora.musiccaps.cutting.cut import cut
from sealproof.harness.corpora.musiccaps.cutting.errors import CutError
from sealproof.harness.corpora.musiccaps.table import SEGMENT_S, Song
from sealproof.harness.foundation.audio.files import Pcm
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.parallel import map_ahead

EXTENSIONS = frozenset(
    (".aac", ".aif", ".aiff", ".flac", ".m4a", ".mka", ".mp3", ".mp4", ".oga", ".ogg", ".opus", ".wav", ".webm", ".wma")
)
"""Of files that are taken for audio."""

NO_FILE = "no file of that name in --audio-dir"

_SEGMENT_TOLERANCE_S = 1.0
"""How much longer than a segment a file may be: coders pad, and tools that cut are not exact."""


@dataclass(frozen=True, kw_only=True)
class AudioDir:
    """A folder of `YTID.wav` (or another format that PyAV reads) below which every file is a segment or a clip.

    A file holds the ten seconds that the table names, or fewer from their beginning on (the study kept one).

    Attributes:
        folder: The folder; its subfolders are not looked at.
        offset_s: Where in the segment, and so in the file, the clip starts, in seconds.
    """

    folder: Path
    offset_s: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what is no folder."""
        if not self.folder.is_dir():
            raise HarnessError(
                f"--audio-dir must be a folder of audio files named after their ytids. Got {self.folder}."
            )

    def description(self) -> dict[str, object]:
        """Say where the audio came from."""
        return {"audio": "audio_dir", "offset_s": self.offset_s}

    def files(self) -> dict[str, Path]:
        """Return the audio files of the folder, by name."""
        return {path.name: path for path in self.folder.iterdir() if path.suffix.lower() in EXTENSIONS}

    def advice(self) -> Iterator[str]:
        """Yield nothing: who brings the audio knows best where the rest is."""
        yield from ()

    def clips(self, songs: Sequence[Song], n_samples: int, report: CorpusReport) -> Iterator[tuple[Song, Pcm]]:
        """Yield the clips that can be had, in the order of the songs; see `ClipSource.clips`."""
        files = self._files({song.ytid for song in songs})
        there = [song for song in songs if song.ytid in files]
        if len(there) < len(songs):
            report.unavailable[NO_FILE] += len(songs) - len(there)
        if not there:
            raise HarnessError(
                f"{self.folder} must hold audio files named after ytids, as {songs[0].ytid}.wav. Found none."
            )

        def read(song: Song) -> Pcm | HarnessError:
            try:
                return read_segment(files[song.ytid], self.offset_s, n_samples)
            except HarnessError as error:
                return error

        for song, read_or_not in zip(there, map_ahead(read, there), strict=True):
            if isinstance(read_or_not, CutError) and read_or_not.reason == "too_short":
                report.too_short += 1
            elif isinstance(read_or_not, HarnessError):
                report.bad_files[files[song.ytid].name] = str(read_or_not)
            else:
                yield song, read_or_not

    def _files(self, ytids: Collection[str]) -> dict[str, Path]:
        files: dict[str, Path] = {}
        for path in sorted(self.folder.iterdir()):
            if path.stem not in ytids or path.suffix.lower() not in EXTENSIONS:
                continue
            if path.stem in files:
                both = f"{files[path.stem].name} and {path.name}"
                raise HarnessError(f"{self.folder} must hold one file for each ytid. Got {both}: remove one.")
            files[path.stem] = path
        return files


def read_segment(path: Path, offset_s: float, n_samples: int) -> Pcm:
    """Read a clip out of a file that begins where the song's segment does.

    Args:
        path: Any format that PyAV reads.
        offset_s: Where the clip starts in it, in seconds.
        n_samples: Length of the clip in samples at 16 kHz.

    Returns:
        16-bit samples of shape (n_samples,).

    Raises:
        HarnessError: It cannot be decoded, is too short, or is so long that it cannot be a segment.
    """
    try:
        piece = cut(path, offset_s, n_samples)
    except OSError as error:
        raise HarnessError(f"{path} cannot be read ({error.strerror}). Make it readable or remove it.") from error
    if piece.duration_s is not None and piece.duration_s > SEGMENT_S + _SEGMENT_TOLERANCE_S:
        raise HarnessError(
            f"{path.name} must be a segment of {SEGMENT_S} s or less. It has {piece.duration_s:.1f} s: it is a "
            "whole video, or was cut at a key frame before the segment, so where the song's second lies is not known."
        )
    return piece.pcm
