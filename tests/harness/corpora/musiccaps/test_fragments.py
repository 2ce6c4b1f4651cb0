"""Videos in fragments alone: yt-dlp fetches them over the loopback interface, and nothing of them stays."""

import errno
import functools
import gc
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealproof.harness.corpora.musiccaps.collection.collect import collect
from sealproof.harness.corpora.musiccaps.collection.journal import read_journal
from sealproof.harness.corpora.musiccaps.collection.options import CollectOptions
from sealproof.harness.corpora.musiccaps.collection.pace import Pace
from sealproof.harness.corpora.musiccaps.collection.report import CollectReport
from sealproof.harness.corpora.musiccaps.collection.workers import Workers
from sealproof.harness.corpora.musiccaps.cutting.errors import CutError
from sealproof.harness.corpora.musiccaps.cutting.http_ranges import FetchError
from sealproof.harness.corpora.musiccaps.youtube import fragments, resolve
from sealproof.harness.corpora.musiccaps.youtube.fragments import Fragments
from sealproof.harness.corpora.musiccaps.youtube.options import AccessOptions
from sealproof.harness.corpora.musiccaps.youtube.resolve import YtDlpResolver
from sealproof.harness.foundation.audio.files import from_pcm, read_wav

# yt-dlp leaves it to the garbage collector to close file and connection when a download fails.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

YTID = "-AAAAAAAA_A"
CLIP = Path("clips") / "from-0ms-16000samples" / f"{YTID}.wav"
# FFmpeg's muxers write an edit list into DASH, and none into HLS.
LATE = {"ts": 1024 * 16_000 / 44_100, "fmp4": 1024 * 16_000 / 44_100, "dash": 0.0}

KINDS = {
    "ts": ("hls", {"hls_time": "5", "hls_list_size": "0"}, "list.m3u8"),
    "fmp4": ("hls", {"hls_time": "5", "hls_list_size": "0", "hls_segment_type": "fmp4"}, "list.m3u8"),
    "dash": ("dash", {"seg_duration": "5"}, "list.mpd"),
}

CHILD = """
import sys
from pathlib import Path
from sealproof.harness.corpora.musiccaps.collection.collect import CollectOptions, collect
from sealproof.harness.corpora.musiccaps.table import Song
from sealproof.harness.corpora.musiccaps.youtube.options import AccessOptions
from sealproof.harness.corpora.musiccaps.youtube.resolve import YtDlpResolver
folder, address, ytid = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
song = Song(ytid=ytid, start_s=2, end_s=12, audioset_labels=(), aspects=(), caption="", author_id=0,
            is_balanced_subset=False, is_audioset_eval=False)
collect([song], folder, CollectOptions(), YtDlpResolver(AccessOptions(), folder / "cache", lambda _: address))
"""


PATIENT_S, IMPATIENT_S = 600.0, 4.0
"""For how long a server may be silent: a busy machine is slow; a server that hangs is waited for so long each time."""


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[np.ndarray[Any, Any], dict[str, bytes]]]:
    """made(kind): 50 s of noise, and the files of its playlist and fragments."""
    import av
    import soxr

    @functools.cache
    def make(kind: str) -> tuple[np.ndarray[Any, Any], dict[str, bytes]]:
        container, options, name = KINDS[kind]
        folder = tmp_path_factory.mktemp(kind)
        noise = np.random.default_rng(0).standard_normal(50 * 16_000).astype(np.float32) * 0.1
        audio = soxr.resample(noise, 16_000, 44_100)
        with av.open(str(folder / name), "w", format=container, options=options) as out:
            stream = out.add_stream("aac", rate=44_100, layout="mono")
            stream.bit_rate = 96_000
            frame = av.AudioFrame.from_ndarray(audio[None], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 44_100, 0
            for piece in [*av.AudioResampler("fltp", "mono", 44_100, frame_size=1024).resample(frame), None]:
                out.mux(stream.encode(piece))
        return noise, {path.name: path.read_bytes() for path in folder.iterdir()}

    return make


@pytest.fixture
def serve(loopback: Any, made: Callable[..., Any]) -> Callable[..., str]:
    """serve(kind): the address of a playlist whose fragments are served."""

    def serve_kind(kind: str = "ts") -> str:
        loopback.files.update(made(kind)[1])
        address: str = loopback.url(KINDS[kind][2])
        return address

    return serve_kind


@pytest.fixture
def run(
    tmp_path: Path, fake_clock: Any, make_song: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., CollectReport]]:
    """run(address, start_s, patience_s, **options): one song, and nothing stays that was fetched."""

    def run_one(address: str, start_s: int = 2, patience_s: float = PATIENT_S, **options: Any) -> CollectReport:
        monkeypatch.setattr(resolve, "_TIMEOUT_S", patience_s)
        wanted = CollectOptions(**options)
        pace = Pace(per_hour=250, clock=fake_clock)
        with closing(YtDlpResolver(wanted.access, tmp_path / "cache", lambda _: address)) as resolver:
            resolver._params["sleep_interval_requests"] = 0
            report = collect([make_song(YTID, start_s)], tmp_path, wanted, resolver, pace=pace)
        assert not leftovers(tmp_path)
        return report

    yield run_one
    gc.collect()


def leftovers(folder: Path) -> list[Path]:
    return list(folder.glob(".fragments-*"))


def said(folder: Path) -> list[tuple[str, str]]:
    return [(attempt.state, attempt.reason) for attempt in read_journal(folder / "journal.jsonl")]


def lag(pcm: np.ndarray[Any, Any], noise: np.ndarray[Any, Any], start_s: float) -> int:
    """By how many samples at 16 kHz a clip is late."""
    first, reach = round(start_s * 16_000), 1_000
    around = np.pad(noise, reach)[first : first + len(pcm) + 2 * reach]
    return reach - int(np.argmax(np.correlate(around, from_pcm(pcm), "valid")))


@contextmanager
def resolved(address: str, folder: Path) -> Iterator[Fragments]:
    with closing(YtDlpResolver(AccessOptions(), folder / "cache", lambda _: address)) as resolver:
        source = resolver.resolve(YTID).source
        assert isinstance(source, Fragments)
        yield source


# --- The right second ---


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("start_s", [2, 11])
def test_a_clip_is_cut_from_fragments(
    kind: str, start_s: int, serve: Callable[..., str], run: Callable[..., Any], made: Callable[..., Any],
    loopback: Any, tmp_path: Path,
) -> None:  # fmt: skip
    assert run(serve(kind), start_s).n_done == 1
    pcm = read_wav(tmp_path / CLIP, 16_000)
    assert lag(pcm, made(kind)[0], start_s) == pytest.approx(LATE[kind], abs=1)


@pytest.mark.parametrize("kind", KINDS)
def test_fragments_behind_the_clip_are_not_fetched(
    kind: str, serve: Callable[..., str], run: Callable[..., Any], loopback: Any, made: Callable[..., Any]
) -> None:
    assert run(serve(kind)).n_done == 1
    files = made(kind)[1]
    asked = {path for path, _ in loopback.asked}
    # 3 s and a margin of 30 of 50.
    assert asked < set(files)
    assert 0.6 < sum(len(files[path]) for path in asked) / sum(map(len, files.values())) < 0.75


def test_durations_that_are_wrong_are_no_proof_of_a_short_video(
    serve: Callable[..., str], run: Callable[..., Any], loopback: Any, tmp_path: Path
) -> None:
    address = serve()
    loopback.files["list.m3u8"] = loopback.files["list.m3u8"].replace(b"#EXTINF:", b"#EXTINF:1")
    run(address, 20, attempts=1)
    assert said(tmp_path) == [("transient", "truncated")]
    (attempt,) = read_journal(tmp_path / "journal.jsonl")
    assert attempt.words.startswith("The video ends at")


def test_a_playlist_that_does_not_tell_every_duration_is_fetched_whole(
    serve: Callable[..., str], run: Callable[..., Any], loopback: Any
) -> None:
    address = serve()
    playlist = loopback.files["list.m3u8"]
    # One that is not told is enough not to know.
    loopback.files["list.m3u8"] = re.sub(rb"#EXTINF:.*\n(?=list3)", b"", playlist)
    assert loopback.files["list.m3u8"] != playlist
    assert run(address).n_done == 1
    assert {path for path, _ in loopback.asked} == set(loopback.files)


def test_a_video_that_ends_before_the_clip_is_permanent(
    serve: Callable[..., str], run: Callable[..., Any], tmp_path: Path
) -> None:
    run(serve(), 60)
    assert said(tmp_path) == [("permanent", "too short")]


# --- Which format ---


def test_audio_alone_is_fetched_where_there_is_any(
    serve: Callable[..., str], run: Callable[..., Any], loopback: Any
) -> None:
    serve()
    loopback.files["master.m3u8"] = (
        b'#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",URI="list.m3u8"\n'
        b'#EXT-X-STREAM-INF:BANDWIDTH=900000,RESOLUTION=1280x720,CODECS="avc1.4d401f,mp4a.40.2",AUDIO="a"\nbig.m3u8\n'
    )
    assert run(loopback.url("master.m3u8")).n_done == 1
    assert not loopback.times_asked("big.m3u8")


def test_one_address_is_preferred_to_fragments(
    serve: Callable[..., str], run: Callable[..., Any], loopback: Any, recording: Callable[..., Any]
) -> None:
    serve()
    loopback.files["a.webm"] = recording("cues.webm").path.read_bytes()
    loopback.files["page.html"] = (
        b'<html><body><video><source src="list.m3u8" type="application/x-mpegurl">'
        b'<source src="a.webm" type="video/webm"></video></body></html>'
    )
    assert run(loopback.url("page.html")).n_done == 1
    assert loopback.times_asked("a.webm")
    assert not loopback.times_asked("list0.ts")


def test_a_hostile_title_names_nothing(
    serve: Callable[..., str], run: Callable[..., Any], loopback: Any, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    serve()
    loopback.files["page.html"] = (
        b"<html><head><title>../../../evil\x1b[31m %(id)s</title></head><body>"
        b'<video><source src="list.m3u8" type="application/x-mpegurl"></video></body></html>'
    )
    seen: set[str] = set()
    remove = os.remove
    monkeypatch.setattr(os, "remove", lambda path: (seen.add(Path(path).name), remove(path)))
    assert run(loopback.url("page.html")).n_done == 1
    assert {path.name for path in tmp_path.iterdir()} <= {"clips", "journal.jsonl", ".lock", "cache"}
    assert seen
    assert all(name.startswith("audio") for name in seen)
    assert "evil" not in "".join(capsys.readouterr())


@pytest.mark.parametrize("key", ["METHOD=SAMPLE-AES", 'METHOD=AES-128,URI="skd://a"'])
def test_encrypted_fragments_are_refused_and_no_ffmpeg_is_asked(
    key: str, serve: Callable[..., str], run: Callable[..., Any], loopback: Any, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    address = serve()
    playlist = loopback.files["list.m3u8"]
    loopback.files["list.m3u8"] = playlist.replace(b"#EXTINF", f"#EXT-X-KEY:{key}\n#EXTINF".encode(), 1)
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a program was started"))
    run(address, attempts=1)
    assert said(tmp_path)[0][0] != "done"
    assert not loopback.times_asked("list0.ts")


# --- Faults ---


@pytest.mark.parametrize(
    ("faults", "states"),
    [
        ([404], [("transient", "not found"), ("done", "")]),
        ([429], [("blocked", "too many requests"), ("done", "")]),
        ([503], [("done", "")]),
        ([503] * 3, [("transient", "server error"), ("done", "")]),
        (["cut"] * 3, [("transient", "network"), ("done", "")]),
        (["hang"] * 3, [("transient", "timed out"), ("done", "")]),
    ],
    ids=str,
)
def test_a_fault_in_a_fragment_that_passes_costs_an_attempt(
    faults: list[Any], states: list[tuple[str, str]], serve: Callable[..., str], run: Callable[..., Any],
    loopback: Any, made: Callable[..., Any], tmp_path: Path,
) -> None:  # fmt: skip
    address = serve()
    loopback.faults["list2.ts"] = list(faults)
    run(address, patience_s=IMPATIENT_S if "hang" in faults else PATIENT_S)
    assert said(tmp_path) == states
    assert lag(read_wav(tmp_path / CLIP, 16_000), made("ts")[0], 2) == pytest.approx(LATE["ts"], abs=1)
    assert "SECRET" not in (tmp_path / "journal.jsonl").read_text()


def test_a_playlist_that_is_refused_is_asked_for_later(
    serve: Callable[..., str], run: Callable[..., Any], loopback: Any, tmp_path: Path
) -> None:
    address = serve()
    # yt-dlp's extractor gets it; the fetch does not.
    loopback.faults["list.m3u8"] = [None, 429]
    run(address)
    assert said(tmp_path) == [("blocked", "too many requests"), ("done", "")]


def test_a_fragment_is_never_left_out(
    serve: Callable[..., str], run: Callable[..., Any], loopback: Any, tmp_path: Path
) -> None:
    address = serve("dash")
    loopback.faults["chunk-stream0-00002.m4s"] = [404]
    run(address)
    assert said(tmp_path) == [("transient", "not found"), ("done", "")]


@pytest.mark.parametrize("kind", ["ts", "dash"])
def test_what_is_live_is_refused(kind: str, serve: Callable[..., str], tmp_path: Path, loopback: Any) -> None:
    with resolved(serve(kind), tmp_path) as source:
        live = Fragments(session=source.session, info={**source.info, "is_live": True})
        with pytest.raises(CutError, match="live"):
            live.cut(2.0, 16_000, tmp_path, time.monotonic() + 600)
    assert not leftovers(tmp_path)
    assert all(path.startswith("list.") for path, _ in loopback.asked)


def test_time_and_size_are_bounded(serve: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with resolved(serve(), tmp_path) as source:
        with pytest.raises(FetchError, match="timed out"):
            source.cut(2.0, 16_000, tmp_path, time.monotonic())
        monkeypatch.setattr(fragments, "_MOST_BYTES", 100_000)
        with pytest.raises(CutError, match="larger"):
            source.cut(2.0, 16_000, tmp_path, time.monotonic() + 600)
    assert not leftovers(tmp_path)
    gc.collect()


def test_a_full_disk_is_not_the_songs_failure(
    serve: Callable[..., str], run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from yt_dlp.downloader.http import HttpFD

    def full(self: Any, *_: object) -> None:
        try:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            # What it does when it cannot write.
            self.report_error(f"unable to write data: {error}")

    monkeypatch.setattr(HttpFD, "real_download", full)
    with pytest.raises(OSError, match="No space left"):
        run(serve())
    assert not leftovers(tmp_path)
    assert said(tmp_path) == []


# --- What ends a run ---


def test_ctrl_c_leaves_nothing(
    serve: Callable[..., str], run: Callable[..., Any], loopback: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = serve()
    loopback.faults["list2.ts"] = ["hang"]
    wait = Workers.wait

    def wait_or_stop(self: Any, seconds: float) -> Any:
        if loopback.times_asked("list2.ts"):
            assert leftovers(tmp_path)
            raise KeyboardInterrupt
        return wait(self, min(seconds, 0.02))

    with monkeypatch.context() as patch:
        patch.setattr(Workers, "wait", wait_or_stop)
        with pytest.raises(KeyboardInterrupt):
            run(address)
    assert not leftovers(tmp_path)
    loopback.hang.set()
    for thread in threading.enumerate():
        if thread.name == "musiccaps":
            thread.join()
    assert not leftovers(tmp_path)
    assert run(address).n_done == 1


def test_what_a_killed_process_left_is_removed_at_the_next_start(
    serve: Callable[..., str], run: Callable[..., Any], loopback: Any, tmp_path: Path
) -> None:
    address = serve()
    loopback.faults["list2.ts"] = ["hang"]
    with subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path), address, YTID]) as process:
        while not loopback.times_asked("list2.ts") and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    (left,) = leftovers(tmp_path)
    assert (left / "audio").stat().st_size > 0
    assert run(address).n_done == 1
