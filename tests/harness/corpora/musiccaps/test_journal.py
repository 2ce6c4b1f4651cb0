"""The journal keeps every attempt, and half a line costs nothing but itself."""

import json
from pathlib import Path
from typing import Any

import pytest

from sealproof.harness.corpora.musiccaps.collection.journal import Attempt, Journal, read_journal


def attempt(ytid: str = "AAAAAAAAAAA", **facts: Any) -> Attempt:
    usual: dict[str, Any] = {
        "clips": "clips/from-0ms-16000samples", "state": "done", "attempt": 1, "of": 3, "time": 1.5, "took_s": 0.25,
        "start_s": 30.0,
    }  # fmt: skip
    return Attempt(ytid=ytid, **{**usual, **facts})


def test_what_was_added_is_read_in_order(tmp_path: Path) -> None:
    added = [attempt(f"{index:011d}", words="caf\u00e9 \u2028 \u65e5\u672c", rms_dbfs=None) for index in range(5)]
    with Journal(tmp_path / "new" / "journal.jsonl") as journal:
        for one in added[:3]:
            journal.add(one)
    with Journal(tmp_path / "new" / "journal.jsonl") as journal:
        for one in added[3:]:
            journal.add(one)
    assert list(read_journal(tmp_path / "new" / "journal.jsonl")) == added


def test_there_is_no_journal_yet(tmp_path: Path) -> None:
    assert list(read_journal(tmp_path / "journal.jsonl")) == []


def test_a_line_is_on_the_disk_before_add_returns(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.add(attempt())
        assert json.loads(path.read_text())["ytid"] == "AAAAAAAAAAA"


def test_wherever_a_kill_cuts_a_line_the_others_stay(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.add(attempt("AAAAAAAAAAA", words="\u65e5\u672c"))
        journal.add(attempt("BBBBBBBBBBB", words="\u65e5\u672c"))
    whole = path.read_bytes()
    first_line = whole.index(b"\n") + 1
    for cut in range(first_line, len(whole)):
        path.write_bytes(whole[:cut])
        with Journal(path) as journal:
            journal.add(attempt("CCCCCCCCCCC"))
        found = [one.ytid for one in read_journal(path)]
        # Only the line's end was lost in the last case.
        torn = ["BBBBBBBBBBB"] if cut == len(whole) - 1 else []
        assert found == ["AAAAAAAAAAA", *torn, "CCCCCCCCCCC"]


@pytest.mark.parametrize("line", ["[]", "null", "{}", '{"ytid": "A"}', "\x00\x00", "not json"])
def test_lines_of_another_kind_are_skipped(line: str, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text(line + "\n")
    with Journal(path) as journal:
        journal.add(attempt())
    assert list(read_journal(path)) == [attempt()]


@pytest.mark.parametrize(
    ("state", "number", "is_over"),
    [("done", 1, True), ("permanent", 1, True), ("transient", 2, False), ("transient", 3, True), ("blocked", 3, True)],
)
def test_when_a_song_is_left_alone(state: str, number: int, is_over: bool) -> None:
    assert attempt(state=state, attempt=number).is_over is is_over
