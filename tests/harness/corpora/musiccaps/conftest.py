"""A guard that keeps every test on the loopback interface, made-up songs, audio in real containers, and a server."""

import functools
import ipaddress
import itertools
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sealproof.harness.corpora.musiccaps.table import Song

Floats = NDArray[np.float32]

_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """Refuse every connection and look-up that would leave the machine, and fail the test that tried one."""
    strays: list[object] = []
    connect, connect_ex, look_up = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def refuse_stray(host: object, family: int = socket.AF_INET) -> None:
        if family in (socket.AF_INET, socket.AF_INET6) and not _is_loopback(host):
            strays.append(host)
            msg = f"a test tried to reach {host!r}"
            raise OSError(msg)

    def guarded_connect(self: socket.socket, address: Any) -> None:
        refuse_stray(address[0], self.family)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        refuse_stray(address[0], self.family)
        return connect_ex(self, address)

    def guarded_look_up(host: Any, *rest: Any, **more: Any) -> Any:
        refuse_stray(host)
        return look_up(host, *rest, **more)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_look_up)
    for name in _PROXIES:
        monkeypatch.delenv(name, raising=False)
    yield strays
    assert not strays, f"left the loopback interface: {strays}"


def _is_loopback(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(name)).is_loopback
    except ValueError:
        return False


# --- Songs ---


@pytest.fixture(scope="session")
def make_song() -> Callable[..., Song]:
    """make_song(ytid, start_s): a made-up row."""

    def make(ytid: str = "AAAAAAAAAAA", start_s: int = 0, **changes: Any) -> Song:
        facts: dict[str, Any] = {
            "ytid": ytid,
            "start_s": start_s,
            "end_s": start_s + 10,
            "audioset_labels": ("/m/04rlf",),
            "aspects": ("made up",),
            "caption": "A made-up song.",
            "author_id": 0,
            "is_balanced_subset": False,
            "is_audioset_eval": False,
        }
        return Song(**{**facts, **changes})

    return make


# --- Audio in containers ---


@dataclass(frozen=True, eq=False)
class Recording:
    """A file and what was put into it: mono at `rate`, the same on both channels."""

    path: Path
    audio: Floats
    rate: int

    @functools.cached_property
    def at_16_khz(self) -> Floats:
        """What was put in, at the rate of a clip."""
        import soxr

        resampled: Floats = soxr.resample(self.audio, self.rate, 16_000)
        return resampled


@dataclass(frozen=True)
class Container:
    """How a kind of file is written."""

    name: str
    codec: str
    rate: int
    format: str
    options: dict[str, str] = field(default_factory=dict)
    # Added to every timestamp, in samples.
    shift: int = 0


CONTAINERS = {
    container.name: container
    for container in (
        # A cluster, and with it a cue, every ten seconds: as YouTube writes them (yt-dlp#12408).
        Container("cues.webm", "libopus", 48_000, "webm", {"cluster_time_limit": "10000"}),
        # Timestamps of 0, 20, 40 ms, where FFmpeg's own rounding gives 0, 21, 41.
        Container("round.webm", "libopus", 48_000, "webm", {"cluster_time_limit": "10000"}, -24),
        Container("no-cues.webm", "libopus", 48_000, "webm", {"live": "1"}),
        Container("opus.ogg", "libopus", 48_000, "ogg"),
        Container("index-last.m4a", "aac", 44_100, "mp4"),
        Container("index-first.m4a", "aac", 44_100, "mp4", {"movflags": "faststart"}),
        # Fragments with an index at the front, as YouTube's.
        Container("dash.m4a", "aac", 44_100, "mp4", {"movflags": "dash+global_sidx+delay_moov+skip_trailer"}),
        Container("index-at-both-ends.m4a", "aac", 44_100, "mp4", {"movflags": "dash+global_sidx+delay_moov"}),
        Container("aac.mkv", "aac", 48_000, "matroska"),
        Container("lame.mp3", "libmp3lame", 44_100, "mp3"),
        Container("lossless.flac", "flac", 44_100, "flac"),
        # These say nothing of the coder's priming.
        Container("bare.aac", "aac", 44_100, "adts"),
        Container("stream.ts", "aac", 44_100, "mpegts"),
        Container("no-edit-list.m4a", "aac", 44_100, "mp4", {"movflags": "frag_keyframe+empty_moov"}),
    )
}


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Recording]:
    """recording(name, duration_s=24): noise below 5 kHz in the container of that name, made once."""
    made: dict[tuple[str, float], Recording] = {}
    root = tmp_path_factory.mktemp("recordings")

    def make(name: str, duration_s: float = 24) -> Recording:
        key = (name, duration_s)
        if key not in made:
            container = CONTAINERS[name]
            audio = low_noise(container.rate, duration_s)
            path = root / f"{duration_s:g}s-{name}"
            encode(path, audio, container)
            made[key] = Recording(path, audio, container.rate)
        return made[key]

    return make


def low_noise(rate: int, duration_s: float, seed: int = 0) -> Floats:
    """Make noise whose every stretch is unlike every other, below 5 kHz so that coders keep its waveform."""
    n_samples = round(rate * duration_s)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(n_samples))
    spectrum[np.fft.rfftfreq(n_samples, 1 / rate) > 5000] = 0
    noise: Floats = (0.1 * np.fft.irfft(spectrum, n_samples)).astype(np.float32)
    return noise


def encode(path: Path, audio: Floats, container: Container, title: str = "") -> None:
    """Write mono audio as stereo through FFmpeg."""
    import av

    with av.open(str(path), "w", format=container.format, options=container.options) as out:
        if title:
            out.metadata["title"] = title
        stream = out.add_stream(container.codec, rate=container.rate, layout="stereo")
        stream.bit_rate = 160_000
        context: Any = stream.codec_context
        context.open()
        frame = av.AudioFrame.from_ndarray(np.stack([audio, audio]), format="fltp", layout="stereo")
        frame.sample_rate, frame.time_base, frame.pts = container.rate, Fraction(1, container.rate), 0
        fit = av.AudioResampler(context.format.name, "stereo", container.rate, frame_size=context.frame_size or 4096)
        for piece in itertools.chain(fit.resample(frame), fit.resample(None), [None]):
            for packet in stream.encode(piece):
                packet.pts += container.shift
                packet.dts += container.shift
                out.mux(packet)


@pytest.fixture(scope="session")
def song_wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve seconds of noise as a WAV at 16 kHz: what a made-up resolver finds without a network."""
    import soundfile

    path = tmp_path_factory.mktemp("song") / "song.wav"
    soundfile.write(path, low_noise(16_000, 12), 16_000)
    return path


# --- A server ---


@dataclass
class Loopback:
    """What a server on the loopback interface serves, how it fails, and what it was asked.

    Attributes:
        files: Contents by path.
        faults: What happens to the next requests for a path, one each, before it is served: a status, `hang`, `cut`
            (the connection, half way through the answer) or `ignore range`; None for an answer as it should be.
        asked: Path and header `Range` of every request.
        n_sent: Bytes of content sent.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[int | str | None]] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    n_sent: int = 0
    port: int = 0
    hang: threading.Event = field(default_factory=threading.Event)
    use_tls: Callable[[ssl.SSLContext], None] = field(init=False)

    def url(self, path: str) -> str:
        """Return the address of a path, with a query that nobody may see."""
        return f"http://127.0.0.1:{self.port}/{path}?signature=SECRET"

    def times_asked(self, path: str) -> int:
        """Return how often a path was asked for."""
        return sum(asked == path for asked, _ in self.asked)


_TYPES = {"webm": "audio/webm", "m4a": "audio/mp4", "html": "text/html"}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Or each answer waits 40 ms for the acknowledgement of its headers.
    disable_nagle_algorithm = True
    server: "_Server"

    def log_message(self, *_: object) -> None: ...

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        loopback = self.server.loopback
        path, wanted = self.path.split("?")[0].lstrip("/"), self.headers.get("Range")
        loopback.asked.append((path, wanted))
        loopback.headers.append(dict(self.headers))
        faults = loopback.faults.get(path)
        fault = faults.pop(0) if faults else None
        if fault == "hang":
            loopback.hang.wait()
            self.close_connection = True
            return
        content = loopback.files.get(path)
        if isinstance(fault, int) or content is None:
            self.send_response(fault if isinstance(fault, int) else 404)
            if fault == 429:
                self.send_header("Retry-After", "7")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted or "") if fault != "ignore range" else None
        first, last = (int(span[1]), int(span[2] or len(content) - 1)) if span else (0, len(content) - 1)
        last = min(last, len(content) - 1)
        self.send_response(206 if span else 200)
        if span:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Type", _TYPES.get(path.rsplit(".")[-1], "application/octet-stream"))
        self.send_header("Content-Length", str(last + 1 - first))
        self.end_headers()
        body = content[first : last + 1] if with_body else b""
        if fault == "cut":
            body = body[: len(body) // 2]
            self.close_connection = True
        self.wfile.write(body)
        loopback.n_sent += len(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    loopback: Loopback

    def use_tls(self, context: ssl.SSLContext) -> None:
        """Speak TLS from the next connection on."""
        self.socket = context.wrap_socket(self.socket, server_side=True)

    def get_request(self) -> tuple[Any, Any]:
        try:
            return super().get_request()
        except ssl.SSLError as error:
            # A client that did not like our certificate; the server takes an OSError for no request.
            raise ConnectionError(str(error)) from error

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that hung up."""


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    """A server on the loopback interface; it serves ranges."""
    served = Loopback()
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.loopback, served.port = served, server.server_address[1]
        served.use_tls = server.use_tls
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield served
        finally:
            served.hang.set()
            server.shutdown()
            thread.join()


# --- Time ---


class FakeClock:
    """A clock that goes on only while somebody sleeps."""

    def __init__(self) -> None:
        self.time_s = 0.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time_s

    def date(self) -> float:
        return 1_800_000_000 + self.time_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time_s += seconds


@pytest.fixture
def fake_clock() -> FakeClock:
    """A clock that goes on only while somebody sleeps."""
    return FakeClock()
