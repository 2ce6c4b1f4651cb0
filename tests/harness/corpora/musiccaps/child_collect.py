"""Collects in a process of its own, which a test kills: python child_collect.py FOLDER AUDIO N [where it dies].

`rename` kills the process with SIGKILL between writing the third clip and giving it its name; `journal` after half of
the journal's third line; `wait` makes the third song hang until the test sends a signal.
"""

import os
import signal
import sys
import threading
from pathlib import Path

from sealproof.harness.corpora.musiccaps.collection import journal
from sealproof.harness.corpora.musiccaps.collection.collect import collect
from sealproof.harness.corpora.musiccaps.collection.options import CollectOptions
from sealproof.harness.corpora.musiccaps.collection.pace import Pace
from sealproof.harness.corpora.musiccaps.table import Song
from sealproof.harness.corpora.musiccaps.youtube.resolve import Audio


class NoWait:
    """A clock on which nobody waits."""

    def __init__(self) -> None:
        self.time_s = 0.0

    def now(self) -> float:
        return self.time_s

    def date(self) -> float:
        return 1_800_000_000 + self.time_s

    def sleep(self, seconds: float) -> None:
        self.time_s += seconds


def song(index: int) -> Song:
    """Make a row up."""
    return Song(
        ytid=f"-{index:010d}", start_s=0, end_s=10, audioset_labels=(), aspects=(), caption="", author_id=0,
        is_balanced_subset=False, is_audioset_eval=False,
    )  # fmt: skip


class Local:
    """Finds one file for every video; the third may never come."""

    name = "local"

    def __init__(self, audio: Path, *, hangs: bool) -> None:
        self.audio, self.hangs = audio, hangs

    def resolve(self, ytid: str) -> Audio:
        if self.hangs and ytid.endswith("2"):
            print("waiting", flush=True)
            threading.Event().wait()
        return Audio(source=self.audio)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at_third_rename() -> None:
    replace, renamed = Path.replace, []

    def replace_or_die(self: Path, target: Path) -> Path:
        renamed.append(target)
        if len(renamed) == 3:
            die()
        return replace(self, target)

    Path.replace = replace_or_die  # type: ignore[assignment, method-assign]


def die_in_third_line() -> None:
    write, written = journal._write_whole, []

    def write_or_die(fd: int, content: bytes) -> None:
        written.append(content)
        if len(written) == 3:
            os.write(fd, content[: len(content) // 2])
            die()
        write(fd, content)

    journal._write_whole = write_or_die


if __name__ == "__main__":
    folder, audio, n_songs, death = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    {"rename": die_at_third_rename, "journal": die_in_third_line}.get(death, lambda: None)()
    songs = [song(index) for index in range(n_songs)]
    pace = Pace(per_hour=250, clock=NoWait())  # type: ignore[arg-type]
    try:
        report = collect(songs, folder, CollectOptions(), Local(audio, hangs=death == "wait"), pace=pace)
    except KeyboardInterrupt:
        sys.exit(130)
    print(report.n_new, flush=True)
