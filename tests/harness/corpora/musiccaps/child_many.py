"""Collects 5,521 made-up songs in a process of its own and tells what it took: python child_many.py FOLDER.

Nothing is decoded and nothing synchronised, for that is the machine's time; all else is as in a run.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from child_collect import NoWait, song  # type: ignore[import-not-found]

from sealproof.harness.corpora.musiccaps.collection import collect as collecting
from sealproof.harness.corpora.musiccaps.collection.collect import collect
from sealproof.harness.corpora.musiccaps.collection.options import CollectOptions
from sealproof.harness.corpora.musiccaps.collection.pace import Pace
from sealproof.harness.corpora.musiccaps.cutting.cut import Cut
from sealproof.harness.corpora.musiccaps.youtube.resolve import Audio

N_SONGS = 5_521


def memory_mb() -> float:
    """What this process has in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


class Local:
    """Finds every video, but every tenth is private and every seventh fails once."""

    name = "local"

    def __init__(self) -> None:
        self.failed, self.memory = set[str](), list[float]()
        self.n_asked = 0

    def resolve(self, ytid: str) -> Audio:
        self.n_asked += 1
        if self.n_asked % 500 == 0:
            self.memory.append(memory_mb())
        if int(ytid) % 10 == 0:
            raise ValueError("Private video")
        if int(ytid) % 7 == 0 and ytid not in self.failed:
            self.failed.add(ytid)
            raise ConnectionResetError("Connection reset by peer")
        return Audio(source=Path("song"))


def fake_cut(_source: object, _start_s: float, n_samples: int, **_: Any) -> Cut:
    """A clip of noise, another one each time."""
    pcm = np.random.default_rng().integers(-9_000, 9_000, n_samples, dtype=np.int16)
    return Cut(pcm=pcm, source_rate=48_000, channels=2, codec="opus", container="webm", duration_s=12.0)


if __name__ == "__main__":
    vars(collecting)["cut"] = fake_cut
    vars(os)["fsync"] = lambda _fd: None
    resolver = Local()
    songs = [song(index) for index in range(N_SONGS)]
    pace = Pace(per_hour=250, clock=NoWait())
    report = collect(songs, Path(sys.argv[1]), CollectOptions(), resolver, pace=pace)
    said = {"done": report.n_done, "new": report.n_new, "asked": resolver.n_asked, "memory": resolver.memory}
    print(json.dumps({**said, "failed": {" ".join(key): count for key, count in report.failed.items()}}))
