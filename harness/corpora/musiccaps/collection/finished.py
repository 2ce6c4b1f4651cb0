"""Which clips are finished: by the journal, and by the file itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sealproof.harness.corpora.musiccaps.collection.journal import DONE, JOURNAL, PERMANENT, Attempt, read_journal
from sealproof.harness.corpora.musiccaps.collection.options import CollectOptions
from sealproof.harness.corpora.musiccaps.table import Song
from sealproof.harness.foundation.audio.files import read_wav
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.files import sha256_file


def finished(folder: Path, songs: Sequence[Song], options: CollectOptions) -> dict[str, Path]:
    """Return the clips that are whole: journalled as done, and the file still has the journal's hash and the format.

    Args:
        folder: The user's.
        songs: Whose clips are asked for.
        options: Whose offset and length count.

    Returns:
        Paths by ytid, in the order of the songs.
    """
    return whole(folder, songs, options, last_attempts(folder, options))


def clip_path(folder: Path, ytid: str, options: CollectOptions) -> Path:
    """Return where a song's clip stands."""
    return folder / options.clips / f"{ytid}.wav"


def last_attempts(folder: Path, options: CollectOptions) -> dict[str, Attempt]:
    """Return each video's last attempt that says something of clips of this offset and length."""
    last: dict[str, Attempt] = {}
    for attempt in read_journal(folder / JOURNAL):
        # What is gone for good is gone for every offset; only its being too short depends on that.
        if attempt.clips == options.clips or (attempt.state == PERMANENT and attempt.reason != "too short"):
            last[attempt.ytid] = attempt
    return last


def whole(folder: Path, songs: Sequence[Song], options: CollectOptions, last: Mapping[str, Attempt]) -> dict[str, Path]:
    """Return the clips of `finished`, of a journal that was read before."""
    clips = {}
    for song in songs:
        attempt = last.get(song.ytid)
        if attempt is None or attempt.state != DONE:
            continue
        path = clip_path(folder, song.ytid, options)
        try:
            if sha256_file(path) == attempt.sha256:
                read_wav(path, options.n_samples)
                clips[song.ytid] = path
        except (OSError, HarnessError):
            # Missing, unreadable or cut short: not finished.
            continue
    return clips
