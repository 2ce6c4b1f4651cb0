"""MusicCaps' table: 5,521 rows that say which ten seconds of which video were described, and how."""

import ast
import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.files import write_atomically

REVISION = "0a51889b340037bb75a9a0858af2e4ece21f7f89"
"""Commit of the dataset repository google/MusicCaps on the Hugging Face hub that is fetched."""

TABLE = "musiccaps-public.csv"
URL = f"https://huggingface.co/datasets/google/MusicCaps/resolve/{REVISION}/{TABLE}"

PUBLISHED_SHA256 = "8cc109ac507b5e5aed8ea73a5c8f897a9d0793f7397427e000adf4c05f6021c7"
"""Hash of the table at that revision. Copies with other line ends are about and hold the same rows."""

N_SONGS = 5_521
SEGMENT_S = 10
"""Length of every described segment, in seconds."""

COLUMNS = (
    "ytid",
    "start_s",
    "end_s",
    "audioset_positive_labels",
    "aspect_list",
    "caption",
    "author_id",
    "is_balanced_subset",
    "is_audioset_eval",
)

_ID = re.compile(r"[A-Za-z0-9_-]{11}")
_LABEL = re.compile(r"/[a-z]/[0-9a-z_]+")
_LARGEST_TABLE = 64 * 2**20
"""Bytes beyond which a file is no copy of the table, which has 3 million."""


@dataclass(frozen=True, kw_only=True)
class Song:
    """A row: ten seconds of a video, described by a musician.

    Attributes:
        ytid: The video's id at YouTube, 11 of `A-Z a-z 0-9 _ -`; unique, and safe as part of a file's name.
        start_s: Where the segment starts in the video, in whole seconds.
        end_s: Where it ends: `start_s` + 10.
        audioset_labels: AudioSet's labels, as machine ids of its ontology (`/m/04rlf` is Music).
        aspects: Short descriptions, as `low quality` or `slow tempo`; each once, in the order of the table.
        caption: The description in words.
        author_id: Which musician wrote it, 0 to 9.
        is_balanced_subset: One of the 1,000 that the authors balanced by genre.
        is_audioset_eval: From AudioSet's evaluation split, otherwise from its training split.
    """

    ytid: str
    start_s: int
    end_s: int
    audioset_labels: tuple[str, ...]
    aspects: tuple[str, ...]
    caption: str
    author_id: int
    is_balanced_subset: bool
    is_audioset_eval: bool

    def __post_init__(self) -> None:
        """Refuse an id that could be anything but a name: it becomes part of paths and of addresses."""
        if not _ID.fullmatch(self.ytid):
            raise HarnessError(f"A ytid must be 11 letters, digits, '_' or '-'. Got {self.ytid[:40]!r}.")


@dataclass(frozen=True)
class Table:
    """The rows, in the order of the file, and the file's sha256."""

    songs: tuple[Song, ...]
    sha256: str

    @property
    def warning(self) -> str | None:
        """What to tell of a file that holds the rows but is not the published one, bit for bit."""
        if self.sha256 == PUBLISHED_SHA256:
            return None
        return (
            f"Mind: the table is not the published file (sha256 {self.sha256[:12]}..., published "
            f"{PUBLISHED_SHA256[:12]}...). Its columns, its {len(self.songs):,} rows and its ids are as they must be; "
            "copies with other line ends are about."
        )


def read_table(path: Path, n_songs: int | None = N_SONGS) -> Table:
    """Read the table and check that it is whole.

    Args:
        path: The published CSV, from the hub or from Kaggle.
        n_songs: Rows that it must have; None for any number.

    Raises:
        HarnessError: It cannot be read, or columns, values, ids or the number of rows are not MusicCaps'.
    """
    try:
        if path.stat().st_size > _LARGEST_TABLE:
            raise HarnessError(
                f"{path} must be MusicCaps' table, which has 3 MB. Got {path.stat().st_size / 1e6:.0f} MB."
            )
        content = path.read_bytes()
    except OSError as error:
        raise HarnessError(f"The table {path} cannot be read ({error.strerror}).") from error
    songs = _parse(content, path)
    if n_songs is not None and len(songs) != n_songs:
        raise HarnessError(
            f"{path} must have MusicCaps' {n_songs:,} rows. Got {len(songs):,}: fetch it again. "
            "(To take fewer songs use --limit or --ids.)"
        )
    twice = [ytid for ytid, count in Counter(song.ytid for song in songs).items() if count > 1]
    if twice:
        raise HarnessError(f"{path} must name every video once. Got {twice[0]} more than once: fetch it again.")
    return Table(songs, hashlib.sha256(content).hexdigest())


def fetch_table(folder: Path) -> Path:
    """Return the table in the user's folder, fetched from the hub when it is not there yet.

    Raises:
        HarnessError: It cannot be fetched, or what came is not the published file.
    """
    path = folder / TABLE
    if path.is_file():
        return path
    content = _download(URL)
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != PUBLISHED_SHA256:
        raise HarnessError(
            f"{URL} must have sha256 {PUBLISHED_SHA256[:12]}... Got {sha256[:12]}..., {len(content):,} bytes: nothing "
            f"was kept. {_BY_HAND}"
        )
    write_atomically(path, lambda file: file.write(content))
    return path


_BY_HAND = (
    "Fetch it by hand, from https://huggingface.co/datasets/google/MusicCaps or "
    "https://www.kaggle.com/datasets/googleai/musiccaps, and say --table PATH."
)


def _download(url: str, timeout_s: float = 30.0) -> bytes:
    from http.client import HTTPException
    from urllib.request import urlopen

    try:
        with urlopen(url, timeout=timeout_s) as response:  # noqa: S310 - a constant, https
            content: bytes = response.read(_LARGEST_TABLE)
    except (OSError, HTTPException) as error:
        raise HarnessError(f"MusicCaps' table could not be fetched from {url} ({error}). {_BY_HAND}") from error
    return content


def _parse(content: bytes, path: Path) -> tuple[Song, ...]:
    try:
        # A caption may hold line ends: the reader must see them as they are.
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            columns = ", ".join(reader.fieldnames or ())[:200]
            raise HarnessError(f"{path} must have MusicCaps' columns, {', '.join(COLUMNS)}. Got {columns!r}.")
        return tuple(_song(record, f"{path}, line {reader.line_num}") for record in reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise HarnessError(f"{path} cannot be read as a CSV ({error}): fetch it again.") from error


def _song(record: Mapping[str, str | None], where: str) -> Song:
    if None in record or None in record.values():
        raise HarnessError(
            f"{where}: a row must have {len(COLUMNS)} fields. It is cut off or has too many: fetch the table again."
        )
    text = {name: str(value) for name, value in record.items()}
    try:
        song = Song(
            ytid=text["ytid"],
            start_s=int(text["start_s"]),
            end_s=int(text["end_s"]),
            audioset_labels=_labels(text["audioset_positive_labels"]),
            aspects=_aspects(text["aspect_list"]),
            caption=text["caption"],
            author_id=int(text["author_id"]),
            is_balanced_subset=_yes_no(text["is_balanced_subset"]),
            is_audioset_eval=_yes_no(text["is_audioset_eval"]),
        )
    except (HarnessError, ValueError) as error:
        raise HarnessError(f"{where}: {error}") from error
    if song.start_s < 0 or song.end_s - song.start_s != SEGMENT_S:
        raise HarnessError(
            f"{where}: a segment must be {SEGMENT_S} s of a video. Got {song.start_s} s to {song.end_s} s."
        )
    return song


def _labels(text: str) -> tuple[str, ...]:
    labels = tuple(dict.fromkeys(text.split(",")))
    strange = [label for label in labels if not _LABEL.fullmatch(label)]
    if strange:
        raise ValueError(
            f"audioset_positive_labels must be ids as /m/04rlf, joined by commas. Got {strange[0][:40]!r}."
        )
    return labels


def _aspects(text: str) -> tuple[str, ...]:
    """Read a list of strings in Python's notation."""
    try:
        aspects = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"aspect_list must be a list in Python's notation. Got {text[:40]!r}.") from error
    # Printable, for aspects are shown in tables and on terminals.
    if not isinstance(aspects, list) or not all(isinstance(aspect, str) and aspect.isprintable() for aspect in aspects):
        raise ValueError(f"aspect_list must be a list of printable texts. Got {text[:40]!r}.")
    return tuple(dict.fromkeys(aspect.strip() for aspect in aspects))


def _yes_no(text: str) -> bool:
    if text not in ("True", "False"):
        raise ValueError(f"is_balanced_subset and is_audioset_eval must be True or False. Got {text[:40]!r}.")
    return text == "True"
