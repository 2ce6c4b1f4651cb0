"""The table: read as it is published, and refused where it is not MusicCaps'."""

import csv
import hashlib
import io
import os
import re
from collections.abc import Callable
from http.client import IncompleteRead
from pathlib import Path
from urllib.error import URLError

import pytest

from sealproof.harness.corpora.musiccaps import table as table_module
from sealproof.harness.corpora.musiccaps.table import COLUMNS, N_SONGS, PUBLISHED_SHA256, Song, fetch_table, read_table
from sealproof.harness.foundation.errors import HarnessError

ROW = {
    "ytid": "-0Abc_dEf-1",
    "start_s": "30",
    "end_s": "40",
    "audioset_positive_labels": "/m/0140xf,/m/04rlf",
    "aspect_list": "['low quality', 'sad', 'punchy \"4 on the floor\" kick', 'sad']",
    "caption": "A tune,\nsung “softly”.",
    "author_id": "4",
    "is_balanced_subset": "False",
    "is_audioset_eval": "True",
}


def rows_of(n: int) -> list[dict[str, str]]:
    return [{**ROW, "ytid": f"-{index:010d}"} for index in range(n)]


def write(path: Path, rows: list[dict[str, str]], columns: tuple[str, ...] = COLUMNS) -> Path:
    """Write a table as Google did: CRLF between rows, LF within a caption."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes(text.getvalue().encode())
    return path


# --- What is read ---


def test_a_row_comes_back_with_its_line_ends_quotes_and_hyphen(tmp_path: Path) -> None:
    path = write(tmp_path / "table.csv", [ROW, {**ROW, "ytid": "00000000000"}])
    table = read_table(path, n_songs=None)
    assert [song.ytid for song in table.songs] == ["-0Abc_dEf-1", "00000000000"]
    assert table.songs[0] == Song(
        ytid="-0Abc_dEf-1",
        start_s=30,
        end_s=40,
        audioset_labels=("/m/0140xf", "/m/04rlf"),
        aspects=("low quality", "sad", 'punchy "4 on the floor" kick'),
        caption="A tune,\nsung “softly”.",
        author_id=4,
        is_balanced_subset=False,
        is_audioset_eval=True,
    )
    assert table.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("change", [lambda b: b.replace(b"\r\n", b"\n"), lambda b: b"\xef\xbb\xbf" + b])
def test_other_line_ends_and_a_byte_order_mark_change_no_row_but_are_told(
    tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    path = write(tmp_path / "table.csv", rows_of(3))
    original = read_table(path, n_songs=None)
    path.write_bytes(change(path.read_bytes()))
    copy = read_table(path, n_songs=None)
    assert copy.songs == original.songs
    assert copy.sha256 != original.sha256
    assert copy.warning is not None
    assert re.search(rf"not the published file \(sha256 {copy.sha256[:12]}.*copies with other line ends", copy.warning)


def test_all_rows_are_wanted_by_default(tmp_path: Path) -> None:
    path = write(tmp_path / "table.csv", rows_of(N_SONGS))
    assert len(read_table(path).songs) == 5_521
    write(path, rows_of(N_SONGS - 1))
    with pytest.raises(HarnessError, match=r"must have MusicCaps' 5,521 rows\. Got 5,520: fetch it again.*--limit"):
        read_table(path)


@pytest.mark.skipif("SEALPROOF_MUSICCAPS_TABLE" not in os.environ, reason="the real table is not part of the project")
def test_the_published_table() -> None:
    table = read_table(Path(os.environ["SEALPROOF_MUSICCAPS_TABLE"]))
    assert (table.sha256, table.warning) == (PUBLISHED_SHA256, None)
    songs = table.songs
    assert sum(song.ytid.startswith("-") for song in songs) == 107
    assert sorted(song.ytid for song in songs if "\n" in song.caption) == sorted(
        ["3OUNEL8XaR0", "JC41M7RPSec", "UfZP677y3Dc", "ocCIB2bPq_Y", "yl6LJDi0gi0"]
    )
    assert sum(song.is_balanced_subset for song in songs) == 1_000
    assert sum(song.is_audioset_eval for song in songs) == 2_858
    assert all(song.is_audioset_eval for song in songs if song.is_balanced_subset)
    assert len({label for song in songs for label in song.audioset_labels}) == 346
    assert sum("/m/04rlf" in song.audioset_labels for song in songs) == 4_464


# --- What is refused ---


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("ytid", "../../../etc", "line 3: A ytid must be 11 letters, digits, '_' or '-'. Got '../../../etc'"),
        ("ytid", "0Abc_dEf-1", "A ytid must be 11"),
        ("ytid", "0Abc_dEf-1é", "A ytid must be 11"),
        ("ytid", "0Abc_dEf-1\n", "A ytid must be 11"),
        ("start_s", "soon", "line 3: invalid literal for int()"),
        ("start_s", "-1", "a segment must be 10 s of a video. Got -1 s to 40 s"),
        ("end_s", "41", "Got 30 s to 41 s"),
        ("audioset_positive_labels", "Music", "must be ids as /m/04rlf, joined by commas. Got 'Music'"),
        ("audioset_positive_labels", "", "Got ''"),
        ("aspect_list", "['a'", "must be a list in Python's notation"),
        ("aspect_list", "print(1)", "must be a list in Python's notation"),
        ("aspect_list", "[" * 9_999, "must be a list in Python's notation"),
        ("aspect_list", "('a',)", "must be a list of printable texts"),
        ("aspect_list", "['a', 1]", "must be a list of printable texts"),
        ("aspect_list", r"['\x1b[2Jgone']", "must be a list of printable texts"),
        ("aspect_list", r"['\ud800']", "must be a list of printable texts"),
        ("is_audioset_eval", "yes", "must be True or False. Got 'yes'"),
    ],
)
def test_a_value_that_is_not_musiccaps_is_refused(tmp_path: Path, column: str, value: str, rule: str) -> None:
    path = write(tmp_path / "table.csv", [{**ROW, column: value}])
    with pytest.raises(HarnessError, match=re.escape(rule)):
        read_table(path, n_songs=None)


def test_an_id_that_comes_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"must name every video once\. Got -0Abc_dEf-1 more than once"):
        read_table(write(tmp_path / "table.csv", [ROW, ROW]), n_songs=None)


@pytest.mark.parametrize(
    "content",
    [b"", b"ytid\r\n", ",".join(reversed(COLUMNS)).encode(), b"<!DOCTYPE html>", b"version https://git-lfs.github.com"],
)
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(HarnessError, match=r"must have MusicCaps' columns, ytid, start_s, .*Got"):
        read_table(tmp_path / "table.csv")


@pytest.mark.parametrize("keep", [-2, -20])
def test_a_table_that_is_cut_off_is_refused(tmp_path: Path, keep: int) -> None:
    path = write(tmp_path / "table.csv", rows_of(2))
    path.write_bytes(path.read_bytes().rstrip()[:keep])
    with pytest.raises(HarnessError, match=r"fetch the table again|must be True or False|cannot be read as a CSV"):
        read_table(path, n_songs=None)


def test_bytes_that_are_no_text_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "table.csv", [ROW])
    path.write_bytes(path.read_bytes().replace(b"tune", b"t\xffne"))
    with pytest.raises(HarnessError, match="cannot be read as a CSV"):
        read_table(path, n_songs=None)
    with pytest.raises(HarnessError, match="cannot be read"):
        read_table(tmp_path / "nowhere.csv")


# --- Fetching ---


class Response(io.BytesIO):
    """What `urlopen` returns."""


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """A hub that serves a table of 5,521 made-up rows; the addresses that were asked for."""
    content = write(tmp_path / "served.csv", rows_of(N_SONGS)).read_bytes()
    asked: list[str] = []

    def urlopen(url: str, timeout: float) -> Response:
        asked.append(url)
        return Response(content)

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    monkeypatch.setattr(table_module, "PUBLISHED_SHA256", hashlib.sha256(content).hexdigest())
    return asked


def test_the_table_is_fetched_once_from_the_pinned_revision(hub: list[str], tmp_path: Path) -> None:
    path = fetch_table(tmp_path / "music")
    assert path == fetch_table(tmp_path / "music")
    assert len(hub) == 1
    assert re.fullmatch(r"https://huggingface\.co/datasets/google/MusicCaps/resolve/[0-9a-f]{40}/.*\.csv", hub[0])
    assert read_table(path).warning is None


@pytest.mark.usefixtures("hub")
def test_another_file_than_the_published_one_is_not_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(table_module, "PUBLISHED_SHA256", PUBLISHED_SHA256)
    with pytest.raises(HarnessError, match=r"must have sha256 8cc109ac507b.*nothing was kept.*--table PATH"):
        fetch_table(tmp_path / "music")
    assert not (tmp_path / "music").exists()


@pytest.mark.parametrize("error", [URLError("no route"), TimeoutError("timed out"), IncompleteRead(b"")])
def test_without_a_network_it_says_what_to_do(
    error: Exception, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def urlopen(url: str, timeout: float) -> Response:
        raise error

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    with pytest.raises(
        HarnessError, match=r"could not be fetched from https://hugg.*Fetch it by hand.*kaggle.*--table"
    ):
        fetch_table(tmp_path)
