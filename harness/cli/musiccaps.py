"""What the command line knows of MusicCaps: its options of `build`, and the corpus that they name."""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sealproof.harness.corpora.base import CorpusReport
    from sealproof.harness.corpora.musiccaps.collection.options import CollectOptions
    from sealproof.harness.corpora.musiccaps.corpus import ClipSource, MusicCapsCorpus

NAME = "musiccaps"
"""What `--corpus` says."""

FOLDER = Path("data/musiccaps")
GROUP, AUDIOSET = "group", "audioset"

_OWN = ("table", "music_dir", "audio_dir", "offset_s", "limit", "ids", "balanced", "split")
_FETCHING = (
    "retry", "workers", "per_hour", "cookies", "cookies_from_browser", "proxy", "player_client", "js_runtime",
)  # fmt: skip
_OF_FOLDERS = {"clips": None, "group_by": "folder", "groups": None, "group_column": "group", "skip_bad": False}
"""Options of other corpora that mean nothing here, with their defaults."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that only `--corpus musiccaps` has to those of `build`; none has a default but None."""
    own = parser.add_argument_group("--corpus musiccaps")
    own.add_argument("--table", type=Path, metavar="CSV", help="the table by hand (default: fetched from the hub)")
    own.add_argument("--music-dir", type=Path, metavar="DIR", help=f"what is fetched is kept there (default {FOLDER})")
    own.add_argument(
        "--audio-dir", type=Path, metavar="DIR", help="audio that is there: YTID.wav, 10-s segment or clip"
    )
    own.add_argument("--offset-s", type=float, metavar="S", help="where in the 10-s segment (default 0, as the study)")
    own.add_argument("--limit", type=int, metavar="N", help="at most N songs, drawn by --seed (default: all 5,521)")
    own.add_argument("--ids", type=Path, metavar="FILE", help="only these ytids, one a line")
    own.add_argument("--balanced", action="store_true", default=None, help="only the 1,000 balanced by genre")
    own.add_argument("--split", metavar="NAME", help="`group` (default), or `audioset`: its eval half is held out")
    own.add_argument(
        "--retry", action="append", metavar="WHICH", help="`blocked` or `transient`: try once more what failed so"
    )
    own.add_argument("--workers", type=int, metavar="N", help="1 (default) or 2 downloads at a time")
    own.add_argument("--per-hour", type=int, metavar="N", help="videos an hour at most (default 250)")
    own.add_argument("--cookies", type=Path, metavar="FILE", help="for yt-dlp; at the account's risk")
    own.add_argument("--cookies-from-browser", metavar="NAME", help="for yt-dlp; at the account's risk")
    own.add_argument("--proxy", metavar="URL", help="for yt-dlp and the download")
    own.add_argument("--player-client", action="append", metavar="NAME", help="for yt-dlp; may be given again")
    own.add_argument("--js-runtime", metavar="NAME", help="for yt-dlp (default deno)")


def refuse_foreign(options: argparse.Namespace) -> None:
    """Refuse options of MusicCaps with another corpus.

    Raises:
        HarnessError: One was given.
    """
    from sealproof.harness.foundation.errors import HarnessError

    given = _given(options, (*_OWN, *_FETCHING))
    if given:
        raise HarnessError(f"{given[0]} is an option of --corpus {NAME}. Got --corpus {options.corpus}: leave it out.")


def corpus_from(options: argparse.Namespace, show: Callable[[str], object] = print) -> "MusicCapsCorpus":
    """Return the corpus that the options of `build` name; the table is fetched where it is not there.

    Args:
        options: What `add_options` and `build` parsed.
        show: What shows the note on the licence, at the first start, and a warning about the table.

    Raises:
        HarnessError: Options contradict each other, or the table cannot be had or is not MusicCaps'.
        OSError: The user's folder cannot be written.
    """
    from sealproof.harness.corpora.musiccaps.corpus import MusicCapsCorpus, Selection, read_ids
    from sealproof.harness.corpora.musiccaps.licence import show_once
    from sealproof.harness.corpora.musiccaps.table import fetch_table, read_table

    _refuse_contradictions(options)
    selection = Selection(
        limit=options.limit,
        ids=None if options.ids is None else read_ids(options.ids),
        balanced=bool(options.balanced),
    )
    folder = options.music_dir or FOLDER
    source = _source(options, folder)
    show_once(folder, show)
    table = read_table(options.table or fetch_table(folder))
    if table.warning:
        show(table.warning)
    return MusicCapsCorpus(table=table, source=source, selection=selection, keep_split=options.split == AUDIOSET)


def report_lines(corpus: "MusicCapsCorpus", report: "CorpusReport") -> Iterator[str]:
    """Yield what a build ends with: how many clips there are, of how many songs, and what the study had."""
    from sealproof.harness.corpora.musiccaps.corpus import STUDY_CLIPS
    from sealproof.harness.corpora.musiccaps.table import N_SONGS

    yield f"{report.sentence()}."
    yield f"MusicCaps names {N_SONGS:,} songs; the study had {STUDY_CLIPS:,} clips of them."
    yield from corpus.source.advice()


def note_when_built(options: argparse.Namespace) -> str | None:
    """Return what to say to somebody who wants more songs in a dataset that is finished; None for nothing."""
    if not options.retry:
        return None
    return (
        "A finished dataset is not changed, so --retry did nothing. Choose another --out: the clips that are there are "
        "not fetched again."
    )


def _source(options: argparse.Namespace, folder: Path) -> "ClipSource":
    from sealproof.harness.corpora.musiccaps.audio_dir import AudioDir
    from sealproof.harness.corpora.musiccaps.fetched import YouTube

    offset_s = options.offset_s or 0.0
    if options.audio_dir is not None:
        return AudioDir(folder=options.audio_dir, offset_s=offset_s)
    return YouTube(folder=folder, options=_collect_options(options, offset_s))


def _collect_options(options: argparse.Namespace, offset_s: float) -> "CollectOptions":
    from sealproof.harness.corpora.musiccaps.collection.options import CollectOptions
    from sealproof.harness.corpora.musiccaps.youtube.options import AccessOptions

    given = {
        "retry": None if options.retry is None else tuple(dict.fromkeys(options.retry)),
        "workers": options.workers,
        "per_hour": options.per_hour,
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    access = AccessOptions(
        cookies=options.cookies,
        cookies_from_browser=options.cookies_from_browser,
        proxy=options.proxy,
        player_clients=tuple(options.player_client or ()),
        js_runtime=options.js_runtime,
    )
    return CollectOptions(offset_s=offset_s, clip_s=options.clip_s, access=access, **chosen)


def _refuse_contradictions(options: argparse.Namespace) -> None:
    from sealproof.harness.foundation.errors import HarnessError

    for name, default in _OF_FOLDERS.items():
        if getattr(options, name) != default:
            instead = "say --limit N" if name == "clips" else "its groups are its videos"
            raise HarnessError(f"{_flag(name)} is no option of --corpus {NAME}: {instead}.")
    if options.split not in (None, GROUP, AUDIOSET):
        raise HarnessError(f"--split must be {GROUP} or {AUDIOSET}. Got {options.split!r}.")
    if options.balanced and options.split == AUDIOSET:
        raise HarnessError(
            f"--balanced cannot go with --split {AUDIOSET}: all balanced songs are of AudioSet's evaluation half, so "
            "none would be left to learn from."
        )
    fetching = _given(options, _FETCHING)
    if options.audio_dir is not None and fetching:
        raise HarnessError(
            f"{fetching[0]} is for fetching, and with --audio-dir nothing is fetched: leave one of them out."
        )
    if options.audio_dir is not None and options.out.resolve().is_relative_to(options.audio_dir.resolve()):
        raise HarnessError(
            f"--out must not lie in --audio-dir {options.audio_dir}. Got {options.out}: choose a folder beside it."
        )


def _given(options: argparse.Namespace, names: tuple[str, ...]) -> list[str]:
    return [_flag(name) for name in names if getattr(options, name) is not None]


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")
