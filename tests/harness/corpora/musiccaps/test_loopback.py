"""The way of a real run, over HTTP on the loopback interface: yt-dlp finds the audio, its connection fetches parts."""

import json
import re
import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealproof.harness.corpora.musiccaps.collection.collect import collect
from sealproof.harness.corpora.musiccaps.collection.journal import Attempt, read_journal
from sealproof.harness.corpora.musiccaps.collection.options import CollectOptions
from sealproof.harness.corpora.musiccaps.collection.pace import FIRST_PAUSE_S, Pace
from sealproof.harness.corpora.musiccaps.collection.report import CollectReport
from sealproof.harness.corpora.musiccaps.cutting.cut import cut
from sealproof.harness.corpora.musiccaps.cutting.errors import CutError
from sealproof.harness.corpora.musiccaps.cutting.http_ranges import FetchError, HttpOptions, open_url
from sealproof.harness.corpora.musiccaps.youtube.options import AccessOptions
from sealproof.harness.corpora.musiccaps.youtube.resolve import Audio, YtDlpResolver
from sealproof.harness.foundation.audio.files import read_wav
from sealproof.harness.foundation.errors import HarnessError

YtDlp = Callable[..., YtDlpResolver]

# Begins like an option, as one id in fifty does.
YTID = "-AAAAAAAA_A"


@pytest.fixture
def yt_dlp(tmp_path: Path) -> Iterator[YtDlp]:
    """yt_dlp(address, **options): yt-dlp that takes one address for every video's page."""
    with ExitStack() as at_end:

        def make(address: str = "", **options: Any) -> YtDlpResolver:
            resolver = YtDlpResolver(AccessOptions(**options), tmp_path / "cache", lambda _: address)
            return at_end.enter_context(closing(resolver))

        yield make


@pytest.fixture
def http(yt_dlp: YtDlp) -> HttpOptions:
    """yt-dlp's connection, with patience for a busy machine."""
    return HttpOptions(session=yt_dlp()._session(), timeout_s=600.0, total_s=600.0)


class Direct:
    """Finds every video at one address, without looking."""

    name = "direct"

    def __init__(self, url: str, http: HttpOptions) -> None:
        self.audio = Audio(source=url, http=http, format_id="251")

    def resolve(self, _ytid: str) -> Audio:
        return self.audio


@pytest.fixture
def run(tmp_path: Path, fake_clock: Any, make_song: Callable[..., Any]) -> Callable[..., CollectReport]:
    """run(resolver, start_s, **options): one song, on a clock that does not tick."""

    def run_one(resolver: Any, start_s: int = 10, **options: Any) -> CollectReport:
        pace = Pace(per_hour=250, clock=fake_clock)
        return collect([make_song(YTID, start_s)], tmp_path, CollectOptions(**options), resolver, pace=pace)

    return run_one


@pytest.fixture
def attempts(tmp_path: Path) -> Callable[[], list[Attempt]]:
    """attempts(): what the journal holds."""
    return lambda: list(read_journal(tmp_path / "journal.jsonl"))


# --- Cutting what lies at an address ---


@pytest.mark.parametrize(
    "name", ["cues.webm", "no-cues.webm", "index-last.m4a", "index-first.m4a", "dash.m4a", "index-at-both-ends.m4a"]
)
def test_an_address_gives_the_samples_of_the_file(
    name: str, loopback: Any, recording: Callable[..., Any], http: HttpOptions
) -> None:
    path = recording(name).path
    loopback.files[name] = path.read_bytes()
    for start_s in (0.0, 1.25, 20.0):
        piece = cut(loopback.url(name), start_s, 16_000, http=http)
        np.testing.assert_array_equal(piece.pcm, cut(path, start_s, 16_000).pcm)


@pytest.mark.parametrize("name", ["cues.webm", "dash.m4a"])
def test_only_the_parts_needed_are_fetched(
    name: str, loopback: Any, recording: Callable[..., Any], http: HttpOptions
) -> None:
    loopback.files[name] = recording(name, 60).path.read_bytes()
    cut(loopback.url(name), 45.0, 16_000, http=http)
    # Header and index, and at most twelve seconds: ten to the clip and the rest of a block.
    assert loopback.n_sent < 0.4 * len(loopback.files[name])
    assert all(re.fullmatch(r"bytes=\d+-\d+", span) for _, span in loopback.asked)


def test_a_file_at_an_address_reads_like_a_file(loopback: Any, http: HttpOptions) -> None:
    content = np.random.default_rng(0).bytes(300_000)
    loopback.files["a"] = content
    with open_url(loopback.url("a"), http) as file:
        assert file.seek(0, 2) == len(content)
        assert file.read() == b""
        for offset, n_bytes in ((0, 10), (299_990, 50), (131_000, 200), (5, 300_000), (400_000, 1)):
            assert file.seek(offset) == offset
            assert file.read(n_bytes) == content[offset : offset + n_bytes]


@pytest.mark.parametrize("fault", ["cut", "ignore range"])
def test_a_server_that_sends_less_or_other_than_it_should(
    fault: str, loopback: Any, recording: Callable[..., Any], http: HttpOptions
) -> None:
    loopback.files["a.webm"] = recording("cues.webm").path.read_bytes()
    # The header comes whole, the audio does not.
    loopback.faults["a.webm"] = [None, fault]
    with pytest.raises(Exception, match=r"cut|bytes read|range it is asked") as refused:
        cut(loopback.url("a.webm"), 20.0, 16_000, http=http)
    assert not isinstance(refused.value, CutError)


def test_a_server_that_drips_is_given_up(loopback: Any, http: HttpOptions) -> None:
    loopback.files["a"] = bytes(200_000)
    with pytest.raises(FetchError, match="timed out"), open_url(loopback.url("a"), HttpOptions(
        session=http.session, total_s=0.0
    )) as file:  # fmt: skip
        file.read(100)


# --- yt-dlp's generic extractor, as far as the WAV ---


@pytest.mark.parametrize("name", ["cues.webm", "dash.m4a"])
def test_a_clip_is_brought_through_yt_dlp(
    name: str, yt_dlp: YtDlp, loopback: Any, recording: Callable[..., Any], run: Callable[..., Any],
    attempts: Callable[[], list[Attempt]], tmp_path: Path,
) -> None:  # fmt: skip
    file_name = f"{YTID}.{name.rsplit('.')[-1]}"
    path = recording(name).path
    loopback.files[file_name] = path.read_bytes()
    resolver = yt_dlp(loopback.url(file_name))
    report = run(resolver, offset_s=2.5)
    assert (report.n_done, report.n_new, report.failed) == (1, 1, {})
    pcm = read_wav(tmp_path / "clips" / "from-2500ms-16000samples" / f"{YTID}.wav", 16_000)
    np.testing.assert_array_equal(pcm, cut(path, 12.5, 16_000).pcm)
    (attempt,) = attempts()
    assert (attempt.state, attempt.start_s, attempt.n_samples) == ("done", 12.5, 16_000)
    assert attempt.resolver.startswith("yt-dlp 2")
    assert attempt.codec in ("opus", "aac")


def test_a_page_that_is_gone_is_permanent(
    yt_dlp: YtDlp,
    loopback: Any,
    run: Callable[..., Any],
    attempts: Callable[[], list[Attempt]],
    tmp_path: Path,
) -> None:
    resolver = yt_dlp(loopback.url("gone.webm"))
    report = run(resolver)
    assert report.failed == {("permanent", "not found"): 1}
    assert "HTTP Error 404" in attempts()[0].words
    assert run(resolver).failed == report.failed
    assert len(attempts()) == 1


def test_a_page_without_a_video_is_not_taken(
    yt_dlp: YtDlp, loopback: Any, run: Callable[..., Any], tmp_path: Path
) -> None:
    loopback.files["page.html"] = b"<html><title>\x1b[31m../../etc</title><body>nothing here</body></html>"
    resolver = yt_dlp(loopback.url("page.html"))
    report = run(resolver)
    assert report.n_done == 0
    assert len(report.failed) == 1


# --- Faults ---


@pytest.fixture
def served(loopback: Any, recording: Callable[..., Any], http: HttpOptions) -> Direct:
    """A song's audio, to be spoilt by `loopback.faults["a.webm"]`."""
    loopback.files["a.webm"] = recording("cues.webm").path.read_bytes()
    return Direct(loopback.url("a.webm"), http)


@pytest.mark.parametrize(
    ("faults", "states"),
    [
        ([403], [("transient", "refused (403)"), ("done", "")]),
        ([404], [("transient", "not found"), ("done", "")]),
        ([503, 500], [("transient", "server error"), ("transient", "server error"), ("done", "")]),
        ([429], [("blocked", "too many requests"), ("done", "")]),
        (["cut"], [("transient", "network"), ("done", "")]),
        ([None, "cut"], [("transient", "network"), ("done", "")]),
        (["hang"], [("transient", "timed out"), ("done", "")]),
        ([None, "hang"], [("transient", "timed out"), ("done", "")]),
    ],
    ids=str,
)
def test_a_fault_that_passes_costs_an_attempt(
    faults: list[Any], states: list[tuple[str, str]], served: Direct, loopback: Any, run: Callable[..., Any],
    attempts: Callable[[], list[Attempt]], recording: Callable[..., Any], tmp_path: Path, http: HttpOptions,
) -> None:  # fmt: skip
    loopback.faults["a.webm"] = faults
    if "hang" in faults:
        # So long it is waited for.
        served.audio = replace(served.audio, http=replace(http, timeout_s=4.0))
    report = run(served)
    assert [(attempt.state, attempt.reason) for attempt in attempts()] == states
    assert (report.n_done, report.failed) == (1, {})
    pcm = read_wav(tmp_path / "clips" / "from-0ms-16000samples" / f"{YTID}.wav", 16_000)
    np.testing.assert_array_equal(pcm, cut(recording("cues.webm").path, 10, 16_000).pcm)


@pytest.mark.parametrize(("fault", "state"), [(403, "transient"), (404, "transient"), (429, "blocked")])
def test_a_fault_that_stays_gives_the_song_up_until_told_to_retry(
    fault: int, state: str, served: Direct, loopback: Any, run: Callable[..., Any],
    attempts: Callable[[], list[Attempt]],
) -> None:  # fmt: skip
    loopback.faults["a.webm"] = [fault] * 3
    report = run(served)
    assert report.of_state(state) == 1
    assert [attempt.attempt for attempt in attempts()] == [1, 2, 3]
    assert run(served).of_state(state) == 1
    assert len(attempts()) == 3
    assert run(served, retry=(state,)).n_done == 1
    assert attempts()[-1].attempt == 1


def test_too_many_requests_pause_everything(
    served: Direct, loopback: Any, run: Callable[..., Any], fake_clock: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    loopback.faults["a.webm"] = [429]
    run(served)
    assert FIRST_PAUSE_S <= fake_clock.now() <= 1.3 * FIRST_PAUSE_S
    assert "Pausing for" in capsys.readouterr().err


def test_a_video_shorter_than_its_segment_is_permanent(served: Direct, run: Callable[..., Any]) -> None:
    assert run(served, start_s=20, offset_s=5.0).failed == {("permanent", "too short"): 1}
    # What is too short at one offset may do at another; for that the song is tried.
    assert run(served, start_s=20).n_done == 1


def test_a_server_that_is_not_there(run: Callable[..., Any], http: HttpOptions, loopback: Any) -> None:
    report = run(Direct("http://127.0.0.1:1/a.webm", http))
    assert report.failed == {("transient", "network"): 1}


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate with openssl")
def test_a_server_whose_certificate_nobody_vouches_for_is_not_believed(
    loopback: Any, run: Callable[..., Any], http: HttpOptions, tmp_path: Path
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *files]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    loopback.use_tls(context)
    report = run(Direct(loopback.url("a.webm").replace("http:", "https:"), http))
    assert report.failed == {("transient", "certificate"): 1}
    assert not loopback.asked


# --- Secrets ---


def test_cookies_and_proxy_are_used_and_shown_nowhere(
    yt_dlp: YtDlp, loopback: Any, recording: Callable[..., Any], run: Callable[..., Any], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    cookies = tmp_path / "cookies.txt"
    cookies.write_text("# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t2147483647\tSID\tCOOKIE-SECRET\n")
    before = cookies.read_bytes()
    loopback.files["a.webm"] = recording("cues.webm").path.read_bytes()
    loopback.faults["a.webm"] = [None, None, 403]
    report = run(yt_dlp(loopback.url("a.webm"), cookies=cookies))
    assert report.n_done == 1
    assert all("COOKIE-SECRET" in headers.get("Cookie", "") for headers in loopback.headers)
    assert cookies.read_bytes() == before
    # A proxy that is this server: it is asked for the whole address.
    proxy = f"http://user:PROXY-SECRET@127.0.0.1:{loopback.port}"
    resolver = yt_dlp("http://video.example/a.webm?signature=SECRET", proxy=proxy)
    assert run(resolver, clip_s=2.0).failed == {("permanent", "not found"): 1}
    assert "Proxy-Authorization" in loopback.headers[-1]
    shown = (
        "".join(capsys.readouterr())
        + (tmp_path / "journal.jsonl").read_text()
        + repr(CollectOptions(access=AccessOptions(proxy=proxy, cookies=Path("SECRET"))))
    )
    assert "SECRET" not in shown


def test_every_byte_of_the_journal_is_json_without_queries(
    served: Direct, loopback: Any, run: Callable[..., Any], tmp_path: Path
) -> None:
    loopback.faults["a.webm"] = [403, 503, 403]
    run(served)
    for line in (tmp_path / "journal.jsonl").read_text().splitlines():
        assert "signature" not in json.dumps(json.loads(line))


@pytest.mark.parametrize(
    "options",
    [{"cookies": Path("nowhere.txt")}, {"js_runtime": "java"}, {"cookies_from_browser": "lynx"},
     {"cookies_from_browser": ""}],
    ids=str,
)  # fmt: skip
def test_options_that_yt_dlp_refuses_are_refused_before_the_first_song(options: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="--"):
        YtDlpResolver(AccessOptions(**options), tmp_path / "cache")


def test_what_yt_dlp_is_told(yt_dlp: YtDlp, tmp_path: Path) -> None:
    options = {"player_clients": ("tv", "web"), "js_runtime": "node:/opt/node", "proxy": "socks5://127.0.0.1:9"}
    params = yt_dlp(**options)._session().params
    assert params["extractor_args"] == {"youtube": {"player_client": ["tv", "web"]}}
    assert params["js_runtimes"] == {"node": {"path": "/opt/node"}}
    assert params["proxy"] == "socks5://127.0.0.1:9"
    assert params["cachedir"] == str(tmp_path / "cache")


def test_the_address_of_a_video_is_youtubes(tmp_path: Path) -> None:
    with closing(YtDlpResolver(AccessOptions(), tmp_path)) as resolver:
        assert resolver._address_of(YTID) == f"https://www.youtube.com/watch?v={YTID}"


@pytest.mark.parametrize(("in_s", "waits_s"), [(None, None), (-5, None), (7, 7), (3600, 60)])
def test_an_address_is_not_asked_before_it_is_available(
    in_s: float | None, waits_s: float | None, yt_dlp: YtDlp, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[Any] = []
    resolver = yt_dlp()
    monkeypatch.setattr("sealproof.harness.corpora.musiccaps.youtube.resolve.time.time", lambda: 1000.0)
    monkeypatch.setattr("sealproof.harness.corpora.musiccaps.youtube.resolve.time.sleep", waited.append)
    info = {"url": "http://127.0.0.1/a.webm", "protocol": "http", "available_at": None if in_s is None else 1000 + in_s}
    monkeypatch.setattr(resolver._session(), "extract_info", lambda _address, download: info)
    assert resolver.resolve(YTID).source == info["url"]
    assert waited == ([] if waits_s is None else [waits_s])
