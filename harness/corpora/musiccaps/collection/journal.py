"""The journal: a line for every attempt at a song, on the disk before the next begins."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Self

JOURNAL = "journal.jsonl"

DONE, PERMANENT, BLOCKED, TRANSIENT = "done", "permanent", "blocked", "transient"


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One attempt at one song.

    Attributes:
        ytid: The song's video.
        clips: Folder of the clip, which names offset and length; relative to the user's folder.
        state: `done`, `permanent`, `blocked` or `transient`.
        reason: Why it failed, in a word or two; empty when done.
        words: What was said by yt-dlp, the server or FFmpeg; empty when done.
        attempt: 1 for the first, up to `of`; then over.
        of: How many attempts are made in a row before a song is left alone.
        time: When it ended, in seconds since 1970.
        took_s: How long it took.
        start_s: Where the clip was cut in the video.
        resolver: Who found the audio, with version.
        format_id: YouTube's number of the format.
        codec: FFmpeg's name of it.
        source_rate: Its sample rate in Hz.
        sha256: Of the WAV.
        n_samples: Of the clip.
        rms_dbfs: Its level; None for digital silence.
    """

    ytid: str
    clips: str
    state: str
    reason: str = ""
    words: str = ""
    attempt: int
    of: int
    time: float
    took_s: float
    start_s: float
    resolver: str = ""
    format_id: str = ""
    codec: str = ""
    source_rate: int = 0
    sha256: str = ""
    n_samples: int = 0
    rms_dbfs: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether a run leaves the song alone that is not told to retry."""
        return self.state in (DONE, PERMANENT) or self.attempt >= self.of


_REQUIRED = frozenset(field.name for field in fields(Attempt))


class Journal:
    """Appends attempts to a file, each in one piece and synchronised.

    A process killed while it writes leaves half a line. The next one ends that line first, and readers skip it.
    """

    def __init__(self, path: Path) -> None:
        """Open it for appending; its folder is made when missing.

        Raises:
            OSError: The disk is full or the folder cannot be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
        size = os.fstat(self._fd).st_size
        if size:
            os.lseek(self._fd, size - 1, os.SEEK_SET)
            if os.read(self._fd, 1) != b"\n":
                _write_whole(self._fd, b"\n")

    def add(self, attempt: Attempt) -> None:
        """Write an attempt and wait until the disk has it.

        Raises:
            OSError: The disk is full.
        """
        _write_whole(self._fd, (json.dumps(asdict(attempt), ensure_ascii=False) + "\n").encode())
        os.fsync(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)


def _write_whole(fd: int, content: bytes) -> None:
    while content:
        content = content[os.write(fd, content) :]


def read_journal(path: Path) -> Iterator[Attempt]:
    """Yield the attempts of a journal in order; lines that a kill cut off are skipped, a missing file has none.

    Raises:
        OSError: It cannot be read.
    """
    if not path.is_file():
        return
    with path.open("rb") as file:
        for line in file:
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict) and record.keys() >= _REQUIRED:
                yield Attempt(**{name: record[name] for name in _REQUIRED})
