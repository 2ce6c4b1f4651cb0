"""What the command line takes for MusicCaps, and what it refuses before anything is fetched."""

import argparse
import csv
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from sealproof.harness.cli import musiccaps as command
from sealproof.harness.corpora.base import ALL_CLIPS, CorpusReport
from sealproof.harness.corpora.musiccaps import table as table_module
from sealproof.harness.corpora.musiccaps.audio_dir import AudioDir
from sealproof.harness.corpora.musiccaps.collection.options import CollectOptions
from sealproof.harness.corpora.musiccaps.corpus import MusicCapsCorpus, Selection
from sealproof.harness.corpora.musiccaps.cutting.errors import CutError
from sealproof.harness.corpora.musiccaps.fetched import YouTube
from sealproof.harness.corpora.musiccaps.licence import FILE, NOTE
from sealproof.harness.corpora.musiccaps.table import COLUMNS, Song, Table, read_table
from sealproof.harness.corpora.musiccaps.youtube.options import AccessOptions
from sealproof.harness.corpora.musiccaps.youtube.resolve import Audio
from sealproof.harness.datasets.build import BuildRequest, build_dataset
from sealproof.harness.foundation.audio.files import to_pcm
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.files import read_json

N_SONGS = 24
IDS = [f"-{number:010d}" for number in range(N_SONGS)]


@pytest.fixture(autouse=True)
def small_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """MusicCaps with 24 songs."""
    monkeypatch.setattr(table_module.read_table, "__defaults__", (N_SONGS,))


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "table.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for number, ytid in enumerate(IDS):
            flags = (number % 4 == 0, number % 2 == 0)
            writer.writerow([ytid, 10, 20, "/m/04rlf", "['sad']", f"Song {number}", 3, *flags])
    return path


def parse(tmp_path: Path, *arguments: str) -> argparse.Namespace:
    """Parse as `sealproof build` does."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--corpus", default="musiccaps")
    parser.add_argument("--clips", type=int)
    parser.add_argument("--out", type=Path, default=tmp_path / "out")
    parser.add_argument("--clip-s", type=float, default=1.0)
    parser.add_argument("--group-by", default="folder")
    parser.add_argument("--groups", type=Path)
    parser.add_argument("--group-column", default="group")
    parser.add_argument("--skip-bad", action="store_true")
    command.add_options(parser)
    return parser.parse_args([*arguments, "--music-dir", str(tmp_path / "music")])


# --- Options ---


def test_options_become_the_corpus(tmp_path: Path, table: Path) -> None:
    (tmp_path / "ids.txt").write_text("\n".join(IDS[:6]))
    options = parse(
        tmp_path,
        *f"--table {table} --limit 5 --balanced --ids {tmp_path / 'ids.txt'} --offset-s 2.5 --clip-s 2".split(),
        *shlex.split(
            "--retry blocked --retry transient --workers 2 --per-hour 100 --cookies jar.txt --proxy socks5://x:1"
        ),
        *shlex.split("--cookies-from-browser firefox --player-client tv --player-client web --js-runtime node"),
    )
    corpus = command.corpus_from(options, show=list)
    assert corpus.selection == Selection(limit=5, ids=frozenset(IDS[:6]), balanced=True)
    assert corpus.keep_split is False
    assert isinstance(corpus.source, YouTube)
    assert corpus.source.folder == tmp_path / "music"
    assert corpus.source.options == CollectOptions(
        offset_s=2.5,
        clip_s=2.0,
        workers=2,
        per_hour=100,
        retry=("blocked", "transient"),
        access=AccessOptions(
            cookies=Path("jar.txt"),
            cookies_from_browser="firefox",
            proxy="socks5://x:1",
            player_clients=("tv", "web"),
            js_runtime="node",
        ),
    )


def test_defaults_are_the_study_s_and_polite(tmp_path: Path, table: Path) -> None:
    corpus = command.corpus_from(parse(tmp_path, "--table", str(table)), show=list)
    assert corpus.selection == Selection(limit=None, ids=None, balanced=False)
    assert isinstance(corpus.source, YouTube)
    assert corpus.source.options == CollectOptions(offset_s=0.0, clip_s=1.0, workers=1, per_hour=250)
    assert len(corpus.table.songs) == N_SONGS


def test_audio_that_is_there_is_not_fetched(tmp_path: Path, table: Path) -> None:
    (tmp_path / "audio").mkdir()
    arguments = (
        "--table",
        str(table),
        "--audio-dir",
        str(tmp_path / "audio"),
        "--offset-s",
        "3",
        "--split",
        "audioset",
    )
    corpus = command.corpus_from(parse(tmp_path, *arguments), show=list)
    assert corpus.source == AudioDir(folder=tmp_path / "audio", offset_s=3.0)
    assert corpus.keep_split is True


@pytest.mark.parametrize(
    "given",
    [
        "--table x", "--audio-dir x", "--offset-s 0", "--limit 3", "--ids x", "--balanced", "--split group",
        "--retry blocked", "--workers 1", "--per-hour 250", "--cookies x", "--cookies-from-browser x", "--proxy x",
        "--player-client x", "--js-runtime x",
    ],
)  # fmt: skip
def test_each_option_is_refused_with_another_corpus(tmp_path: Path, given: str) -> None:
    options = parse(tmp_path, "--corpus", "demo", *given.split())
    options.music_dir = None
    rule = f"{given.split()[0]} is an option of --corpus musiccaps. Got --corpus demo: leave it out."
    with pytest.raises(HarnessError, match=re.escape(rule)):
        command.refuse_foreign(options)


def test_another_corpus_without_them_is_let_pass(tmp_path: Path) -> None:
    options = parse(tmp_path, "--corpus", "demo")
    with pytest.raises(HarnessError, match="--music-dir is an option"):
        command.refuse_foreign(options)
    options.music_dir = None
    command.refuse_foreign(options)


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ("--clips 10", "--clips is no option of --corpus musiccaps: say --limit N."),
        ("--group-by file", "--group-by is no option of --corpus musiccaps: its groups are its videos."),
        ("--skip-bad", "--skip-bad is no option of --corpus musiccaps"),
        ("--split leaky", "--split must be group or audioset. Got 'leaky'."),
        ("--balanced --split audioset", "so none would be left to learn from."),
        ("--retry permanent", "--retry must be blocked or transient. Got permanent."),
        ("--audio-dir . --workers 2", "--workers is for fetching, and with --audio-dir nothing is fetched"),
        ("--audio-dir . --out ./x", "--out must not lie in --audio-dir"),
        ("--audio-dir nowhere", "--audio-dir must be a folder"),
        ("--limit 0", "--limit must be at least 1"),
        ("--ids nowhere.txt", "must be a text file of ytids"),
        ("--workers 3", "--workers must be 1 or 2"),
        ("--per-hour 0", "--per-hour must be from 1"),
    ],
)
def test_contradictions_are_refused_before_anything_is_written(
    tmp_path: Path, table: Path, given: str, rule: str
) -> None:
    with pytest.raises(HarnessError, match=re.escape(rule)):
        command.corpus_from(parse(tmp_path, "--table", str(table), *given.split()), show=list)
    assert not (tmp_path / "music").exists()


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import argparse, sys; from sealproof.harness.cli import musiccaps as command; p = argparse.ArgumentParser(); "
        "command.add_options(p); p.format_help(); "
        "print({'numpy', 'av', 'yt_dlp', 'pandas', 'scipy', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


# --- The licence ---


def test_the_licence_is_told_once_for_a_folder(tmp_path: Path, table: Path) -> None:
    said: list[object] = []
    for _ in range(2):
        command.corpus_from(parse(tmp_path, "--table", str(table)), show=said.append)
    notes = [text for text in said if text == NOTE]
    assert len(notes) == 1
    assert (tmp_path / "music" / FILE).read_text() == NOTE
    for words in ("CC-BY-SA 4.0", "audio is not licensed", "2301.11325"):
        assert words in NOTE
    assert any("not the published file" in str(text) for text in said), "the table of this test is made up"


# --- Fetching, with a resolver of our own ---


class Local:
    """Finds a video's audio in a folder; a video that is not there was removed."""

    name = "local"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []

    def resolve(self, ytid: str) -> Audio:
        self.asked.append(ytid)
        path = self.folder / f"{ytid}.wav"
        if not path.is_file():
            raise CutError("no_audio", "This video has been removed by the uploader")
        return Audio(source=path)


def video(number: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(number).standard_normal(21 * 16_000)).astype(np.float32)


@pytest.fixture
def site(tmp_path: Path) -> Local:
    """Videos of 21 s, of which the last two are gone."""
    (tmp_path / "site").mkdir()
    for number, ytid in enumerate(IDS[:-2]):
        soundfile.write(tmp_path / "site" / f"{ytid}.wav", video(number), 16_000)
    return Local(tmp_path / "site")


def corpus_of(site: Local, table: Path, folder: Path, **options: Any) -> MusicCapsCorpus:
    source = YouTube(folder=folder, options=CollectOptions(per_hour=2_000, **options), resolver=site)
    return MusicCapsCorpus(table=read_table(table), source=source)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Politeness is for YouTube; its tests are those of `collect`."""
    monkeypatch.setattr("sealproof.harness.corpora.musiccaps.collection.pace.Pace.wait_s", lambda self: 0.0)


def test_a_build_fetches_once_and_a_second_scheme_nothing(tmp_path: Path, table: Path, site: Local) -> None:
    corpus = corpus_of(site, table, tmp_path / "music", offset_s=0.5)
    request = BuildRequest(scheme="spread_spectrum", n_clips=ALL_CLIPS)
    dataset, report = build_dataset(corpus, request, tmp_path / "one")
    assert report is not None
    assert (report.taken, sum(report.unavailable.values())) == (22, 2)
    assert len(site.asked) >= N_SONGS
    for row in dataset.rows:
        if row.label == "clean":
            pcm, _ = soundfile.read(dataset.root / row.path, dtype="int16")
            wanted = to_pcm(video(int(row.group[1:])))[168_000:184_000]
            assert np.abs(pcm.astype(int) - wanted).max() <= 1
    ends = "\n".join(command.report_lines(corpus, report))
    assert "22 clips taken" in ends
    assert "the study had 5,271 clips" in ends
    assert "22 of 24 clips are there, 22 of them new" in ends
    assert read_json(tmp_path / "one" / "dataset.json")["skipped_unavailable"] == dict(report.unavailable)

    fetched = len(site.asked)
    again = corpus_of(site, table, tmp_path / "music", offset_s=0.5)
    other, second = build_dataset(again, BuildRequest(scheme="perth", n_clips=ALL_CLIPS), tmp_path / "two")
    assert {row.clip_id for row in other.rows} == {row.clip_id for row in dataset.rows}
    assert len([ytid for ytid in site.asked[fetched:] if ytid in IDS[:-2]]) == 0
    assert second is not None
    assert second.unavailable == report.unavailable


def test_no_clip_at_all_is_an_error_that_says_why(tmp_path: Path, table: Path) -> None:
    corpus = corpus_of(Local(tmp_path), table, tmp_path / "music")
    with pytest.raises(HarnessError, match=r"At least one clip must be had\. 0 of 24 clips are there"):
        list(corpus.clips(ALL_CLIPS, clip_s=1.0, seed=0, report=CorpusReport()))


def test_a_dataset_of_the_few_that_were_tried_before_the_network_went_is_not_built(
    tmp_path: Path, table: Path, site: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sealproof.harness.corpora.musiccaps import fetched as youtube
    from sealproof.harness.corpora.musiccaps.collection.report import CollectReport

    def gave_up(*_: object) -> CollectReport:
        return CollectReport(n_songs=24, n_done=3, n_new=3, n_not_tried=21, stopped="The network is gone.")

    monkeypatch.setattr(youtube, "collect", gave_up)
    corpus = corpus_of(site, table, tmp_path / "music")
    with pytest.raises(HarnessError, match=r"was not built, as not every song was tried\. 3 of 24 .*--audio-dir"):
        list(corpus.clips(ALL_CLIPS, clip_s=1.0, seed=0, report=CorpusReport()))


def test_retrying_into_a_finished_dataset_says_why_nothing_changed(tmp_path: Path) -> None:
    assert command.note_when_built(parse(tmp_path)) is None
    note = command.note_when_built(parse(tmp_path, "--retry", "blocked"))
    assert note is not None
    assert "A finished dataset is not changed" in note


def test_a_song_is_hashable_and_a_table_holds_it() -> None:
    song = Song(
        ytid=IDS[0], start_s=0, end_s=10, audioset_labels=(), aspects=(), caption="", author_id=0,
        is_balanced_subset=False, is_audioset_eval=False,
    )  # fmt: skip
    assert Table((song,), "").songs == (song,)
    assert hash(song)
