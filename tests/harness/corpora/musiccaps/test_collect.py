"""Whatever ends a run, what was finished stays and is not done again, and every song has a state with a reason."""

import errno
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sealproof.harness.corpora.musiccaps.collection import collect as collecting
from sealproof.harness.corpora.musiccaps.collection import workers
from sealproof.harness.corpora.musiccaps.collection.collect import collect
from sealproof.harness.corpora.musiccaps.collection.finished import finished
from sealproof.harness.corpora.musiccaps.collection.journal import read_journal
from sealproof.harness.corpora.musiccaps.collection.options import CollectOptions
from sealproof.harness.corpora.musiccaps.collection.pace import PAUSES, Pace
from sealproof.harness.corpora.musiccaps.collection.report import CollectReport
from sealproof.harness.corpora.musiccaps.youtube import readiness
from sealproof.harness.corpora.musiccaps.youtube.resolve import Audio
from sealproof.harness.foundation.errors import HarnessError

CHILD = Path(__file__).with_name("child_collect.py")
CLIPS = Path("clips") / "from-0ms-16000samples"

PRIVATE = Exception("Private video")
BOT_CHECK = Exception("Sign in to confirm you're not a bot")
NO_FORMAT = Exception("Requested format is not available")
RESET = Exception("Connection reset by peer")


class Local:
    """Finds one file for every video, after the failures that were planned for it."""

    name = "local"

    def __init__(self, audio: Path, plan: dict[str, Sequence[Exception]] | None = None) -> None:
        self.audio = audio
        self.plan = {ytid: list(failures) for ytid, failures in (plan or {}).items()}
        self.asked: list[str] = []

    def resolve(self, ytid: str) -> Audio:
        self.asked.append(ytid)
        if self.plan.get(ytid):
            raise self.plan[ytid].pop(0)
        return Audio(source=self.audio, format_id="251")


def ids(*indices: int) -> list[str]:
    return [f"-{index:010d}" for index in indices]


@pytest.fixture
def songs(make_song: Callable[..., Any]) -> list[Any]:
    """Six songs whose ids begin like an option."""
    return [make_song(ytid) for ytid in ids(*range(6))]


@pytest.fixture
def run(tmp_path: Path, fake_clock: Any, songs: list[Any]) -> Callable[..., CollectReport]:
    """run(resolver, **options): the songs into tmp_path."""

    def run_songs(resolver: Any, **options: Any) -> CollectReport:
        pace = Pace(per_hour=250, clock=fake_clock)
        return collect(songs, tmp_path, CollectOptions(**options), resolver, pace=pace)

    return run_songs


def states(folder: Path) -> list[tuple[str, str]]:
    return [(attempt.ytid, attempt.state) for attempt in read_journal(folder / "journal.jsonl")]


# --- Done, and not again ---


@pytest.mark.parametrize("workers", [1, 2])
def test_a_second_start_does_no_finished_work_again(
    workers: int, run: Callable[..., Any], song_wav: Path, songs: list[Any], tmp_path: Path
) -> None:
    resolver = Local(song_wav)
    report = run(resolver, workers=workers)
    assert (report.n_songs, report.n_done, report.n_new, report.n_not_tried) == (6, 6, 6, 0)
    assert list(finished(tmp_path, songs, CollectOptions())) == ids(*range(6))
    before = (tmp_path / "journal.jsonl").read_bytes()
    report = run(resolver, workers=workers)
    assert (report.n_done, report.n_new) == (6, 0)
    assert sorted(resolver.asked) == ids(*range(6))
    assert (tmp_path / "journal.jsonl").read_bytes() == before


def test_songs_are_fetched_in_their_order(run: Callable[..., Any], song_wav: Path) -> None:
    resolver = Local(song_wav)
    run(resolver)
    assert resolver.asked == ids(*range(6))


@pytest.mark.parametrize("damage", ["truncated", "emptied", "other samples", "gone"])
def test_a_damaged_file_under_a_finished_name_is_not_done(
    damage: str, run: Callable[..., Any], song_wav: Path, songs: list[Any], tmp_path: Path
) -> None:
    resolver = Local(song_wav)
    run(resolver)
    path = tmp_path / CLIPS / f"{ids(2)[0]}.wav"
    whole = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes({"truncated": whole[:-2], "emptied": b"", "other samples": whole[:-2] + b"\x01\x01"}[damage])
    assert list(finished(tmp_path, songs, CollectOptions())) == ids(0, 1, 3, 4, 5)
    assert run(resolver).n_new == 1
    assert resolver.asked[6:] == ids(2)
    assert path.read_bytes() == whole


def test_a_file_that_nobody_journalled_is_not_done(run: Callable[..., Any], song_wav: Path, tmp_path: Path) -> None:
    run(Local(song_wav))
    (tmp_path / "journal.jsonl").unlink()
    assert run(Local(song_wav)).n_new == 6


def test_another_offset_or_length_keeps_the_clips_of_the_first(
    run: Callable[..., Any], song_wav: Path, songs: list[Any], tmp_path: Path
) -> None:
    resolver = Local(song_wav, {ids(3)[0]: [PRIVATE]})
    run(resolver)
    kept = {path: path.read_bytes() for path in tmp_path.glob("clips/*/*.wav")}
    assert run(resolver, offset_s=2.5, clip_s=2.0).n_new == 5
    # What is private is so at every offset.
    assert resolver.asked.count(ids(3)[0]) == 1
    assert len(kept) == 5
    assert all(path.read_bytes() == content for path, content in kept.items())
    assert len(finished(tmp_path, songs, CollectOptions())) == 5
    assert len(finished(tmp_path, songs, CollectOptions(offset_s=2.5, clip_s=2.0))) == 5


# --- Failures ---


def test_every_song_has_a_state_and_a_reason(run: Callable[..., Any], song_wav: Path, tmp_path: Path) -> None:
    first, second, third, *_ = ids(*range(6))
    report = run(Local(song_wav, {first: [PRIVATE], second: [RESET] * 3, third: [RESET]}))
    assert report.failed == {("permanent", "private"): 1, ("transient", "network"): 1}
    assert (report.n_done, report.n_not_tried) == (4, 0)
    assert Counter(states(tmp_path)) == Counter(
        {(first, "permanent"): 1, (second, "transient"): 3, (third, "transient"): 1, (third, "done"): 1}
        | {(ytid, "done"): 1 for ytid in ids(3, 4, 5)}
    )
    text = "\n".join(report.lines())
    assert "4 of 6 clips are there, 4 of them new." in text
    assert "1 permanent: private" in text
    assert "--retry transient" in text
    assert "--retry blocked" not in text


def test_what_was_given_up_is_tried_again_only_when_told(run: Callable[..., Any], song_wav: Path) -> None:
    first, second, third, *_ = ids(*range(6))
    resolver = Local(song_wav, {first: [PRIVATE] * 9, second: [RESET] * 3, third: [BOT_CHECK] * 3})
    run(resolver)
    resolver.asked.clear()
    assert run(resolver).n_new == 0
    assert resolver.asked == []
    assert run(resolver, retry=("transient",)).n_new == 1
    assert run(resolver, retry=("blocked",)).n_new == 1
    assert resolver.asked == [second, third]
    assert run(resolver, retry=("blocked", "transient")).failed == {("permanent", "private"): 1}
    assert resolver.asked == [second, third]


def test_a_block_pauses_everything_and_the_song_comes_last(
    run: Callable[..., Any], song_wav: Path, fake_clock: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    resolver = Local(song_wav, {ids(1)[0]: [BOT_CHECK]})
    assert run(resolver).n_done == 6
    assert resolver.asked == ids(0, 1, 2, 3, 4, 5, 1)
    assert max(fake_clock.slept) >= 300
    assert "Pausing for 5 min" in capsys.readouterr().err.replace("6 min", "5 min")


def test_a_block_that_stays_ends_the_run_and_the_next_goes_on(
    run: Callable[..., Any], song_wav: Path, fake_clock: Any
) -> None:
    resolver = Local(song_wav, {ytid: [BOT_CHECK] * 9 for ytid in ids(*range(1, 6))})
    report = run(resolver)
    assert len(resolver.asked) == 1 + PAUSES + 1
    assert report.stopped is not None
    assert (report.n_done, report.of_state("blocked")) == (1, 5)
    assert "Give the same command again" in "\n".join(report.lines())
    # A new start does not hurry past the pause, and what has attempts left needs no --retry.
    resolver.plan.clear()
    before = fake_clock.now()
    assert run(resolver).n_done > 1
    assert fake_clock.now() - before > 3000
    before = fake_clock.now()
    assert run(resolver, retry=("blocked",)).n_done == 6
    assert fake_clock.now() - before < 300


def test_a_network_that_is_away_pauses_too(run: Callable[..., Any], song_wav: Path, fake_clock: Any) -> None:
    resolver = Local(song_wav, {ytid: [RESET] for ytid in ids(*range(5))})
    assert run(resolver).n_done == 6
    assert max(fake_clock.slept) >= 300


def test_songs_that_fail_in_a_row_by_themselves_pause_nothing_when_retried(
    run: Callable[..., Any], song_wav: Path, fake_clock: Any
) -> None:
    resolver = Local(song_wav, {ytid: [NO_FORMAT] * 9 for ytid in ids(*range(6))})
    # Of songs that nobody tried before it means that yt-dlp no longer copes.
    run(resolver)
    assert max(fake_clock.slept) >= 300
    fake_clock.slept.clear()
    assert run(resolver, retry=("transient",)).of_state("transient") == 6
    assert max(fake_clock.slept) < 300


def test_attempts_go_on_counting_after_a_kill(run: Callable[..., Any], song_wav: Path, tmp_path: Path) -> None:
    resolver = Local(song_wav, {ids(0)[0]: [RESET] * 9})
    run(resolver)
    lines = (tmp_path / "journal.jsonl").read_text().splitlines(keepends=True)
    # As if it had been killed after the first attempt.
    (tmp_path / "journal.jsonl").write_text(lines[0])
    run(resolver)
    numbers = [attempt.attempt for attempt in read_journal(tmp_path / "journal.jsonl") if attempt.state == "transient"]
    assert numbers == [1, 2, 3]


def test_a_song_that_hangs_holds_nobody_up(
    run: Callable[..., Any], song_wav: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging, never = threading.Event(), threading.Event()

    def now() -> float:
        # Its time is up once it hangs, and nobody else's, for the only thread is with it.
        return 1000.0 if hanging.is_set() else 0.0

    monkeypatch.setattr(workers, "time", SimpleNamespace(monotonic=now))

    class Hanging(Local):
        def resolve(self, ytid: str) -> Audio:
            if ytid == ids(2)[0]:
                hanging.set()
                never.wait()
            return super().resolve(ytid)

    report = run(Hanging(song_wav), attempts=1, workers=1)
    never.set()
    assert report.failed == {("transient", "hung"): 1}
    assert report.n_done == 5
    assert not (tmp_path / CLIPS / f"{ids(2)[0]}.wav").exists()


def test_an_error_of_ours_is_no_failure_of_a_song(run: Callable[..., Any], song_wav: Path) -> None:
    with pytest.raises(HarnessError, match="my own"):
        run(Local(song_wav, {ids(1)[0]: [HarnessError("my own")]}))
    with pytest.raises(KeyboardInterrupt):
        run(Local(song_wav, {ids(1)[0]: [KeyboardInterrupt()]}))  # type: ignore[list-item]


# --- What ends a run ---


def test_a_full_disk_ends_the_run_and_loses_nothing(
    run: Callable[..., Any], song_wav: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    written: list[Any] = []
    write_wav = vars(collecting)["write_wav"]

    def write_until_full(path: Path, pcm: Any) -> str:
        if len(written) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written.append(path)
        return write_wav(path, pcm)

    resolver = Local(song_wav)
    with monkeypatch.context() as patch:
        patch.setattr(collecting, "write_wav", write_until_full)
        with pytest.raises(OSError, match="No space left"):
            run(resolver)
    assert len(states(tmp_path)) == 3
    assert run(resolver).n_new == 3
    assert resolver.asked == [*ids(0, 1, 2, 3), *ids(3, 4, 5)]


def test_a_disk_that_is_full_in_the_middle_of_a_line(
    run: Callable[..., Any], song_wav: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write, calls = os.write, []

    def write_half(fd: int, content: bytes) -> int:
        calls.append(content)
        if len(calls) == 3:
            return write(fd, content[:20])
        if len(calls) == 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(fd, content)

    with monkeypatch.context() as patch:
        patch.setattr("sealproof.harness.corpora.musiccaps.collection.journal.os.write", write_half)
        with pytest.raises(OSError, match="No space left"):
            run(Local(song_wav))
    assert run(Local(song_wav)).n_new == 4
    assert len(states(tmp_path)) == 6


def child(folder: Path, audio: Path, death: str) -> "subprocess.Popen[str]":
    command = [sys.executable, str(CHILD), str(folder), str(audio), "6", death]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        # A shell's background job is started deaf to Ctrl-C, and so would be whatever runs these tests from one.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@pytest.mark.parametrize("death", ["rename", "journal"])
def test_a_killed_process_loses_the_clip_under_way_and_no_other(
    death: str, song_wav: Path, songs: list[Any], tmp_path: Path
) -> None:
    with child(tmp_path, song_wav, death) as process:
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert list(finished(tmp_path, songs, CollectOptions())) == ids(0, 1)
    leftovers = list((tmp_path / CLIPS).glob(".*"))
    assert len(leftovers) == (1 if death == "rename" else 0)
    with child(tmp_path, song_wav, "none") as process:
        assert process.communicate()[0].strip() == "4"
    assert list(finished(tmp_path, songs, CollectOptions())) == ids(*range(6))
    assert sorted(path.name for path in (tmp_path / CLIPS).iterdir()) == [f"{ytid}.wav" for ytid in ids(*range(6))]


def test_ctrl_c_ends_it_at_once_though_a_song_hangs(song_wav: Path, songs: list[Any], tmp_path: Path) -> None:
    with child(tmp_path, song_wav, "wait") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=600) == 130
    assert list(finished(tmp_path, songs, CollectOptions())) == ids(0, 1)


def test_two_at_once_are_refused(run: Callable[..., Any], song_wav: Path, tmp_path: Path) -> None:
    with child(tmp_path, song_wav, "wait") as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(HarnessError, match="one sealproof at a time"):
            run(Local(song_wav))
        process.kill()
    # A lock dies with its process.
    assert run(Local(song_wav)).n_new == 4


# --- Before the first download ---


def test_what_is_missing_is_said_before_the_first_download(
    songs: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "missing_tool", lambda _: "Fetching needs X.")
    with pytest.raises(HarnessError, match="Fetching needs X"):
        collect(songs, tmp_path, CollectOptions())
    assert not (tmp_path / "journal.jsonl").exists()


def test_nothing_is_needed_where_all_is_there(
    run: Callable[..., Any], song_wav: Path, songs: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(Local(song_wav))
    monkeypatch.setattr(readiness, "missing_tool", lambda _: "Fetching needs X.")
    assert collect(songs, tmp_path, CollectOptions()).n_done == 6


@pytest.mark.parametrize(
    "options",
    [
        {"offset_s": -1.0}, {"offset_s": 9.5}, {"offset_s": float("nan")}, {"offset_s": 0.0005}, {"clip_s": 10.5},
        {"clip_s": 0.01}, {"workers": 3}, {"workers": 0}, {"per_hour": 0}, {"per_hour": 10_000},
        {"retry": ("permanent",)}, {"attempts": 0},
    ],
    ids=str,
)  # fmt: skip
def test_options_that_cannot_be_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(HarnessError, match=r"Got|must"):
        CollectOptions(**options)


def test_the_whole_segment_can_be_asked_for(run: Callable[..., Any], song_wav: Path) -> None:
    assert run(Local(song_wav), clip_s=10.0).n_done == 6
    assert run(Local(song_wav), clip_s=0.1, offset_s=9.9).n_done == 6
