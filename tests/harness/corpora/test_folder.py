"""A folder of any audio as a corpus: what is taken, how it is grouped and named, and what is refused."""

import os
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sealproof.harness.corpora.base import Clip, CorpusReport, interleave_groups, usable_pcm
from sealproof.harness.corpora.folder import FolderCorpus
from sealproof.harness.foundation.audio.files import AudioInfo, from_pcm, to_pcm
from sealproof.harness.foundation.errors import HarnessError

Floats = NDArray[np.float32]
ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


def take(
    corpus: FolderCorpus, n_clips: int = 10**6, *, clip_s: float = 1.0, seed: int = 0
) -> tuple[list[Clip], CorpusReport]:
    """All clips of a corpus, and its report."""
    report = CorpusReport()
    return list(corpus.clips(n_clips, clip_s=clip_s, seed=seed, report=report)), report


@pytest.fixture
def put(tmp_path: Path, audio_noise: Callable[..., Floats]) -> Callable[..., Path]:
    """put(name, duration_s, rate, channels): write noise to tmp_path/corpus/name."""

    def write(name: str, duration_s: float = 1.5, rate: int = 16_000, channels: int = 1) -> Path:
        path = tmp_path / "corpus" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        seed = sum(name.encode())
        soundfile.write(path, np.stack([audio_noise(round(duration_s * rate), seed)] * channels, 1), rate)
        return path

    return write


# --- What is taken ---


def test_a_tree_of_every_format_rate_and_channel_count_gives_clips_of_one_kind(
    tmp_path: Path, put: Callable[..., Path]
) -> None:
    put("a/low.wav", rate=8_000)
    put("a/tape.flac", rate=22_050, channels=2)
    put("b/deep/cd.ogg", rate=44_100, channels=2)
    put("b/deep/cd.mp3", rate=44_100)
    put("c/dat.aiff", rate=48_000, channels=6)
    put("c/LOUD.WAV", duration_s=3.2)
    (tmp_path / "corpus" / "c" / "cover.jpg").write_bytes(b"no audio")
    (tmp_path / "corpus" / "folder.wav").mkdir()
    clips, report = take(FolderCorpus(root=tmp_path / "corpus"))
    assert {(clip.pcm.dtype.str, clip.pcm.shape) for clip in clips} == {("<i2", (16_000,))}
    assert Counter(clip.source for clip in clips) == {
        "a/low.wav": 1, "a/tape.flac": 1, "b/deep/cd.ogg": 1, "b/deep/cd.mp3": 1, "c/dat.aiff": 1, "c/LOUD.WAV": 3,
    }  # fmt: skip
    assert {clip.group for clip in clips} == {"a", "b/deep", "c"}
    assert (report.taken, report.near_silent, report.too_short, report.bad_files) == (8, 0, 0, {})


def test_a_clip_is_the_source_at_start_s(tmp_path: Path, put: Callable[..., Path]) -> None:
    source, _ = soundfile.read(put("a/x.wav", duration_s=4.7), dtype="float32")
    clips, _ = take(FolderCorpus(root=tmp_path / "corpus"))
    assert len(clips) == 4
    for clip in clips:
        first = round(clip.start_s * 16_000)
        assert first == pytest.approx(clip.start_s * 16_000, abs=1e-6), "a start between samples"
        np.testing.assert_array_equal(from_pcm(clip.pcm), from_pcm(to_pcm(source[first : first + 16_000])))
    starts = sorted(clip.start_s for clip in clips)
    np.testing.assert_allclose(np.diff(starts), 1.0)
    assert 0 <= starts[0] <= 0.7


def test_the_offset_is_seeded_per_file(tmp_path: Path, put: Callable[..., Path]) -> None:
    for name in ("a/x.wav", "b/y.wav", "c/z.wav"):
        put(name, duration_s=1.9)
    corpus = FolderCorpus(root=tmp_path / "corpus")
    starts = [{clip.source: clip.start_s for clip in take(corpus, seed=seed)[0]} for seed in (0, 0, 1)]
    assert starts[0] == starts[1]
    assert starts[0] != starts[2]
    assert len(set(starts[0].values())) == 3, "every file must draw an offset of its own"
    put("d/new.wav")
    assert starts[0].items() <= {clip.source: clip.start_s for clip in take(corpus)[0]}.items()


@pytest.mark.parametrize(
    ("clip_s", "duration_s", "n"), [(0.1, 0.3, 3), (0.1, 0.7, 7), (2.5, 5.0, 2), (0.33333, 1.0, 3)]
)
def test_a_file_of_whole_clips_gives_all_of_them(
    tmp_path: Path, put: Callable[..., Path], clip_s: float, duration_s: float, n: int
) -> None:
    put("a/x.wav", duration_s=duration_s)
    clips, _ = take(FolderCorpus(root=tmp_path / "corpus"), clip_s=clip_s)
    assert len({clip.clip_id for clip in clips}) == n
    assert {clip.pcm.shape for clip in clips} == {(round(clip_s * 16_000),)}
    assert min(clip.start_s for clip in clips) == 0


def test_near_silent_clips_are_skipped_and_counted(tmp_path: Path, audio_noise: Callable[..., Floats]) -> None:
    song = audio_noise(48_000)
    song[16_000:32_000] *= 10 ** (-61 / 20) / 0.1
    song[32_000:] *= 10 ** (-59 / 20) / 0.1
    (tmp_path / "a").mkdir()
    soundfile.write(tmp_path / "a" / "x.wav", song, 16_000)
    clips, report = take(FolderCorpus(root=tmp_path))
    assert sorted(clip.start_s for clip in clips) == [0, 2]
    assert (report.taken, report.near_silent) == (2, 1)
    assert report.sentence() == "2 clips taken, 1 near-silent ones skipped"


def test_files_shorter_than_a_clip_are_counted(tmp_path: Path, put: Callable[..., Path]) -> None:
    put("a/jingle.wav", duration_s=0.9)
    put("a/song.wav")
    clips, report = take(FolderCorpus(root=tmp_path / "corpus"))
    assert [clip.source for clip in clips] == ["a/song.wav"]
    assert "1 files shorter than a clip skipped" in report.sentence()


def test_fewer_clips_are_spread_over_the_groups(tmp_path: Path, put: Callable[..., Path]) -> None:
    for group in range(4):
        put(f"g{group}/x.wav", duration_s=6 if group == 0 else 2.5)
    corpus = FolderCorpus(root=tmp_path / "corpus")
    clips, _ = take(corpus, 4)
    assert {clip.group for clip in clips} == {"g0", "g1", "g2", "g3"}
    assert [clip.clip_id for clip in take(corpus, 7)[0]][:4] == [clip.clip_id for clip in clips]


@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=60), st.integers(0, 2**64 - 1))
def test_any_leading_part_of_the_order_is_even(groups: list[str], seed: int) -> None:
    order = interleave_groups(groups, seed)
    assert sorted(order) == list(range(len(groups)))
    sizes = Counter(groups)
    taken: Counter[str] = Counter()
    for index in order:
        taken[groups[index]] += 1
        lead = max(taken.values())
        assert all(taken[group] >= min(lead - 1, size) for group, size in sizes.items())


def test_silence_is_measured_on_the_rounded_clip() -> None:
    report = CorpusReport()
    assert usable_pcm(np.zeros(1_600, np.float32), report) is None
    assert usable_pcm(np.full(1_600, 0.01, np.float32), report) is not None
    assert (report.taken, report.near_silent) == (1, 1)


# --- Groups ---


def test_group_by_file(tmp_path: Path, put: Callable[..., Path]) -> None:
    for name in ("a/x.wav", "a/y.wav", "z.wav"):
        put(name)
    clips, _ = take(FolderCorpus(root=tmp_path / "corpus", group_by="file"))
    assert {clip.source: clip.group for clip in clips} == {name: name for name in ("a/x.wav", "a/y.wav", "z.wav")}
    clips, _ = take(FolderCorpus(root=tmp_path / "corpus"))
    assert {clip.source: clip.group for clip in clips} == {"a/x.wav": "a", "a/y.wav": "a", "z.wav": "."}


def test_blanks_and_the_spelling_of_accents_tell_no_groups_apart(tmp_path: Path, put: Callable[..., Path]) -> None:
    composed, decomposed = (unicodedata.normalize(form, "é.wav") for form in ("NFC", "NFD"))
    for name in (decomposed, "b.wav", "c.wav"):
        put(name)
    table = tmp_path / "groups.csv"
    table.write_text(f"path,group\n{composed},Ann \nb.wav\t, Ann\nc.wav,Bo\nc.wav,Bo\n", encoding="utf-8")
    clips, _ = take(FolderCorpus(root=tmp_path / "corpus", groups_csv=table))
    assert {clip.source: clip.group for clip in clips} == {decomposed: "Ann", "b.wav": "Ann", "c.wav": "Bo"}


def test_what_was_resampled_mixed_down_or_cut_off_is_counted(tmp_path: Path, put: Callable[..., Path]) -> None:
    put("a.wav", 3.5, rate=44_100, channels=2)
    put("b.wav", 2.5, channels=2)
    loud = put("c.wav", 2.5)
    audio, rate = soundfile.read(loud, dtype="float32")
    # Where the clips begin is drawn from the name, within the half second that is left over.
    audio[8_000:8_200], audio[28_000] = 1.5, -1.5
    soundfile.write(loud, audio, rate, subtype="FLOAT")
    _, report = take(FolderCorpus(root=tmp_path / "corpus"))
    assert (report.taken, report.resampled, report.downmixed) == (7, 1, 2)
    assert (report.clipped, report.badly_clipped) == (2, 1)
    assert report.sentence().endswith("cut off at full scale, 1 files resampled to 16 kHz, 2 files mixed down to mono")


def test_groups_out_of_a_column_of_a_csv(tmp_path: Path, put: Callable[..., Path]) -> None:
    for name in ("a/x.wav", "b/y, loud.wav", "c/z.wav"):
        put(name)
    table = tmp_path / "groups.csv"
    # With the mark that spreadsheets put in front of UTF-8, and a column that has nothing to do with it.
    table.write_text('year,path,artist\n1,a/x.wav,Ann\n2,"b/y, loud.wav",Ann\n3,c/z.wav,Bo\n', encoding="utf-8-sig")
    corpus = FolderCorpus(root=tmp_path / "corpus", groups_csv=table, group_column="artist")
    assert {clip.source: clip.group for clip in take(corpus)[0]} == {
        "a/x.wav": "Ann", "b/y, loud.wav": "Ann", "c/z.wav": "Bo",
    }  # fmt: skip
    assert corpus.description() == {
        "kind": "folder",
        "name": "corpus",
        "group_by": "groups.csv:artist",
        "skip_bad": False,
    }


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"path,group\n", "must name every file of the corpus in its column 'path'. Missing: a/x.wav"),
        (b"path,group\na/x.wav,A\nother.wav,A\n", "in its column 'path'. Got 'other.wav', which is none"),
        (b"path,group\na/x.wav,A\na/x.wav ,B\n", "must give every file one group. Got 'A' and 'B' for a/x.wav"),
        (b"path,artist\na/x.wav,A\n", "must have the columns 'path' and 'group'. Got ['path', 'artist']"),
        (b"", "must have the columns 'path' and 'group'. Got []"),
        (b"path\na/x.wav,A,B\n", "must have the columns 'path' and 'group'. Got ['path']"),
        (b"path,group\na/x.wav\n", "must give every file a group. It is empty for a/x.wav"),
        (b"path,group\na/x.wav,\n", "must give every file a group. It is empty for a/x.wav"),
        (b"path,group\n\xff\xfe,A\n", "cannot be read as a CSV"),
        (b'path,group\n"' + b"x" * 200_000 + b'",A\n', "cannot be read as a CSV"),
        (None, "cannot be read as a CSV"),
    ],
)
def test_a_table_of_groups_that_does_not_fit_is_refused(
    tmp_path: Path, put: Callable[..., Path], content: bytes | None, rule: str
) -> None:
    put("a/x.wav")
    table = tmp_path / "groups.csv"
    if content is not None:
        table.write_bytes(content)
    with pytest.raises(HarnessError, match=re.escape(rule)) as caught:
        take(FolderCorpus(root=tmp_path / "corpus", groups_csv=table))
    assert str(caught.value).startswith(str(table))


# --- Names ---


HOSTILE = ["-rf.wav", "a b  c.wav", "Ünïcödé ☃.wav", "it's \"so\".wav", "x,y;z.wav", "tab\tnew\nline\r.wav", "- -.wav",
           "--.wav", "$(reboot).wav", "%s%n.wav", "n" * 200 + ".wav", "con.wav", "日本.wav"]  # fmt: skip


def test_hostile_file_names_give_tame_ids(tmp_path: Path, put: Callable[..., Path]) -> None:
    for name in HOSTILE:
        put(f"-dir '{len(name)}'/{name}")
    clips, report = take(FolderCorpus(root=tmp_path / "corpus"))
    assert {Path(clip.source).name for clip in clips} == set(HOSTILE)
    assert report.bad_files == {}
    for clip in clips:
        assert ID.fullmatch(clip.clip_id), clip.clip_id
        assert len(clip.clip_id) < 100


@given(st.lists(st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1), min_size=2, unique=True))
def test_ids_are_tame_and_unlike_for_any_names(names: list[str]) -> None:
    from sealproof.harness.corpora.folder import _Candidate, _clip_id

    ids = [_clip_id(_Candidate(Path(name), f"{name}.wav", "g", 0.5, AudioInfo(16_000, 16_000))) for name in names]
    assert all(ID.fullmatch(clip_id) for clip_id in ids)
    assert len({clip_id.lower() for clip_id in ids}) == len(names), "some file systems ignore case"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such a name themselves")
def test_a_name_that_is_no_utf8_is_refused_or_skipped(tmp_path: Path, put: Callable[..., Path]) -> None:
    good = put("a/good.wav")
    os.rename(good, os.fsencode(good.parent) + b"/\xff\xfe.wav")
    put("a/good.wav")
    with pytest.raises(HarnessError, match=r"The name of a/\\udcff\\udcfe\.wav must be UTF-8"):
        take(FolderCorpus(root=tmp_path / "corpus"))
    clips, report = take(FolderCorpus(root=tmp_path / "corpus", skip_bad=True))
    assert [clip.source for clip in clips] == ["a/good.wav"]
    assert list(report.bad_files) == [r"a/\udcff\udcfe.wav"]


# --- Bad input ---


def test_a_corpus_must_be_a_folder(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"must be 'demo' or a folder of audio. Got .*nowhere, which is no folder"):
        FolderCorpus(root=tmp_path / "nowhere")
    with pytest.raises(HarnessError, match=r"--group-by must be 'folder' or 'file'\. Got 'artist'"):
        FolderCorpus(root=tmp_path, group_by="artist")


def test_an_empty_folder_and_one_of_short_files_are_refused(tmp_path: Path, put: Callable[..., Path]) -> None:
    (tmp_path / "corpus").mkdir()
    with pytest.raises(HarnessError, match=r"corpus must hold at least one audio file of 1 s or more. Found none"):
        take(FolderCorpus(root=tmp_path / "corpus"))
    put("a/short.wav", duration_s=0.5)
    with pytest.raises(HarnessError, match=r"corpus must hold at least one audio file of 1 s or more. Found none"):
        take(FolderCorpus(root=tmp_path / "corpus"))


@pytest.mark.parametrize("clip_s", [0.0, 0.09, 61, float("nan"), -1, float("inf")])
def test_the_length_of_a_clip_has_limits(tmp_path: Path, clip_s: float) -> None:
    with pytest.raises(HarnessError, match=r"The clip length must be from 0\.1 to 60 s. Got"):
        take(FolderCorpus(root=tmp_path), clip_s=clip_s)


def test_a_bad_file_stops_the_corpus_or_is_counted(tmp_path: Path, put: Callable[..., Path]) -> None:
    put("a/good.wav")
    whole = put("a/cut.flac", duration_s=3)
    whole.write_bytes(whole.read_bytes()[:9_000])
    (tmp_path / "corpus" / "b").mkdir()
    (tmp_path / "corpus" / "b" / "empty.mp3").touch()
    soundfile.write(tmp_path / "corpus" / "b" / "nan.wav", np.full(16_000, np.nan), 16_000, subtype="FLOAT")
    with pytest.raises(HarnessError, match=r"cut\.flac must be whole.*--skip-bad leaves such files out"):
        take(FolderCorpus(root=tmp_path / "corpus"))
    clips, report = take(FolderCorpus(root=tmp_path / "corpus", skip_bad=True))
    assert [clip.source for clip in clips] == ["a/good.wav"]
    assert sorted(report.bad_files) == ["a/cut.flac", "b/empty.mp3", "b/nan.wav"]
    assert "finite" in report.bad_files["b/nan.wav"]
    assert report.sentence().endswith("3 bad files skipped")
