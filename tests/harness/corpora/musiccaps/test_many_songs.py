"""All 5,521 songs, made up: memory stays flat, the journal agrees with the files, and a second start does nothing."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sealproof.harness.corpora.musiccaps.collection.journal import read_journal

CHILD = Path(__file__).with_name("child_many.py")
CLIPS = Path("clips") / "from-0ms-16000samples"
N_SONGS = 5_521


def run(folder: Path) -> dict[str, Any]:
    command = [sys.executable, str(CHILD), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=1800)
    said: dict[str, Any] = json.loads(done.stdout)
    return said


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads the memory of a process from /proc")
def test_all_songs(tmp_path: Path) -> None:
    folder = tmp_path / "musiccaps"
    n_private = sum(index % 10 == 0 for index in range(N_SONGS))
    n_twice = sum(index % 7 == 0 and index % 10 != 0 for index in range(N_SONGS))

    first = run(folder)
    assert first["done"] == first["new"] == N_SONGS - n_private
    assert first["failed"] == {"permanent private": n_private}
    assert first["asked"] == N_SONGS + n_twice
    # The first hundreds fill caches.
    assert max(first["memory"]) - first["memory"][1] < 10, first["memory"]

    attempts = list(read_journal(folder / "journal.jsonl"))
    assert Counter(attempt.state for attempt in attempts) == {
        "done": N_SONGS - n_private, "permanent": n_private, "transient": n_twice,
    }  # fmt: skip
    names = {path.name for path in (folder / CLIPS).iterdir()}
    assert names == {f"{attempt.ytid}.wav" for attempt in attempts if attempt.state == "done"}

    journal = (folder / "journal.jsonl").read_bytes()
    second = run(folder)
    assert (second["asked"], second["new"], second["done"]) == (0, 0, N_SONGS - n_private)
    assert (folder / "journal.jsonl").read_bytes() == journal
