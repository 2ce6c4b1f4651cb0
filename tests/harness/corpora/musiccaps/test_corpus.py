"""The corpus: which songs, with what, in which splits, and never fewer without saying why."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealproof.harness.corpora.base import ALL_CLIPS, Clip, CorpusReport
from sealproof.harness.corpora.musiccaps.corpus import MusicCapsCorpus, Selection, read_ids
from sealproof.harness.corpora.musiccaps.table import Song, Table
from sealproof.harness.datasets import build as build_module
from sealproof.harness.datasets.build import BuildRequest, build_dataset
from sealproof.harness.datasets.check import check_dataset
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.foundation.audio.files import Pcm, read_wav
from sealproof.harness.foundation.errors import HarnessError

GONE = "video removed"


def song(number: int) -> Song:
    """A made-up song; every second one is of the evaluation half, every fourth balanced."""
    return Song(
        ytid=f"-{number:010d}",
        start_s=10 * number,
        end_s=10 * number + 10,
        audioset_labels=("/m/04rlf", f"/m/0{number % 3}"),
        aspects=("low quality" if number % 2 else "studio", "señor, “quoted”\tno"[: 6 + number % 5]),
        caption=f"Song {number},\nin two lines.",
        author_id=number % 10,
        is_balanced_subset=number % 4 == 0,
        is_audioset_eval=number % 2 == 0,
    )


SONGS = tuple(song(number) for number in range(40))
TABLE = Table(SONGS, "0" * 64)


@dataclass
class MadeUp:
    """A source that has every song's clip but those that it lacks."""

    offset_s: float = 0.0
    lacks: frozenset[str] = frozenset()
    asked: list[str] = field(default_factory=list)

    def description(self) -> dict[str, object]:
        return {"audio": "made up", "offset_s": self.offset_s}

    def files(self) -> dict[str, Path]:
        return {}

    def advice(self) -> Iterator[str]:
        yield "Sing it yourself."

    def clips(self, songs: Sequence[Song], n_samples: int, report: CorpusReport) -> Iterator[tuple[Song, Pcm]]:
        for one in songs:
            self.asked.append(one.ytid)
            if one.ytid in self.lacks:
                report.unavailable[GONE] += 1
                continue
            rng = np.random.default_rng(int(one.ytid[1:]))
            yield one, (3000 * rng.standard_normal(n_samples)).astype(np.int16)


def clips_of(corpus: MusicCapsCorpus, *, seed: int = 0, clip_s: float = 1.0) -> tuple[list[Clip], CorpusReport]:
    report = CorpusReport()
    return list(corpus.clips(ALL_CLIPS, clip_s=clip_s, seed=seed, report=report)), report


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Dataset]:
    """build(name, **corpus): a spread_spectrum dataset of the made-up songs."""

    def make(name: str = "data", **options: Any) -> Dataset:
        corpus = MusicCapsCorpus(**{"table": TABLE, "source": MadeUp(), **options})
        request = BuildRequest(scheme="spread_spectrum", n_clips=ALL_CLIPS)
        return build_dataset(corpus, request, tmp_path / name)[0]

    return make


# --- Which songs ---


def test_a_song_is_a_group_with_what_the_table_says_and_where_it_was_cut() -> None:
    (clip,), _ = clips_of(MusicCapsCorpus(table=Table(SONGS[3:4], ""), source=MadeUp(offset_s=2.5)))
    assert (clip.clip_id, clip.group) == ("yt.-0000000003", "-0000000003")
    assert (clip.source, clip.start_s) == ("https://www.youtube.com/watch?v=-0000000003", 32.5)
    assert (clip.caption, clip.aspects, clip.audioset_labels) == (
        SONGS[3].caption,
        SONGS[3].aspects,
        SONGS[3].audioset_labels,
    )
    assert clip.held_out is None


def test_a_limit_draws_by_the_seed_and_a_larger_one_holds_the_smaller() -> None:
    few, more = (Selection(limit=limit).of(SONGS, 5) for limit in (10, 20))
    assert few == more[:10]
    assert Selection(limit=10).of(SONGS[::-1], 5) == few, "the order of the table must not matter"
    assert Selection(limit=10).of(SONGS, 6) != few
    assert few != sorted(few, key=lambda one: one.ytid)


def test_only_the_wanted_songs_are_asked_for() -> None:
    source = MadeUp()
    ids = frozenset(one.ytid for one in SONGS[:12])
    clips_of(MusicCapsCorpus(table=TABLE, source=source, selection=Selection(ids=ids, balanced=True)))
    assert sorted(source.asked) == [SONGS[0].ytid, SONGS[4].ytid, SONGS[8].ytid]


def test_ids_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "ids.txt"
    path.write_text("# mine\n-0000000001\r\n\n -0000000002 \n")
    assert read_ids(path) == {"-0000000001", "-0000000002"}
    path.write_text("# none\n")
    with pytest.raises(HarnessError, match="must name at least one ytid"):
        read_ids(path)
    path.write_bytes(b"\xff")
    with pytest.raises(HarnessError, match="must be a text file of ytids, one a line"):
        read_ids(path)


def test_a_selection_of_nothing_is_refused() -> None:
    with pytest.raises(HarnessError, match=r"It lacks '-0000000099' and 1 others"):
        Selection(ids=frozenset({"-0000000099", "x"})).of(SONGS, 0)
    with pytest.raises(HarnessError, match="must leave at least one song"):
        Selection(ids=frozenset({SONGS[1].ytid}), balanced=True).of(SONGS, 0)
    with pytest.raises(HarnessError, match=r"--limit must be at least 1\. Got 0"):
        Selection(limit=0)


@pytest.mark.parametrize(("offset_s", "clip_s"), [(9.5, 1.0), (-0.5, 1.0), (0.0, 10.5)])
def test_a_clip_outside_the_segment_is_refused(offset_s: float, clip_s: float) -> None:
    with pytest.raises(HarnessError, match="must lie within the 10 s of a segment"):
        clips_of(MusicCapsCorpus(table=TABLE, source=MadeUp(offset_s)), clip_s=clip_s)
    assert len(clips_of(MusicCapsCorpus(table=TABLE, source=MadeUp(9.0)))[0]) == 40


def test_what_cannot_be_had_is_counted_by_reason() -> None:
    lacks = frozenset(one.ytid for one in SONGS[:3])
    clips, report = clips_of(MusicCapsCorpus(table=TABLE, source=MadeUp(lacks=lacks)))
    assert {clip.group for clip in clips} == {one.ytid for one in SONGS[3:]}
    assert report.sentence() == f"37 clips taken, 0 near-silent ones skipped, 3 not to be had ({GONE})"


# --- The dataset ---


def test_the_manifest_says_what_each_recording_is(build: Callable[..., Dataset]) -> None:
    dataset = build()
    assert check_dataset(dataset.root) == []
    for pair in dataset.pairs:
        one = SONGS[int(pair.group) * -1]
        for row in (pair.clean, pair.watermarked):
            assert (row.caption, row.aspects, row.audioset_labels) == (one.caption, one.aspects, one.audioset_labels)
    header = (dataset.root / "manifest.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header.endswith(",sha256,caption,aspects,audioset_labels")
    assert dataset.facts["corpus"]["table_sha256"] == "0" * 64


def test_audioset_s_split_is_kept_whole(build: Callable[..., Dataset]) -> None:
    dataset = build(keep_split=True)
    held_out = {split: {int(pair.group[1:]) % 2 == 0 for pair in dataset.split(split)} for split in ("test", "train")}
    assert held_out == {"test": {True}, "train": {False}}
    sizes = dataset.facts["pairs_per_split"]
    assert sizes["calibration"] + sizes["test"] == sizes["train"] + sizes["validation"] == 20
    assert sizes["test"] in (11, 12)
    assert sizes["train"] in (16, 17)
    assert check_dataset(dataset.root) == []


def test_a_split_with_an_empty_half_is_refused(build: Callable[..., Dataset]) -> None:
    with pytest.raises(
        HarnessError, match=r"at least 2 groups must be held out for evaluation and 2 not\. Got 10 and 0"
    ):
        build(keep_split=True, selection=Selection(balanced=True))


def test_a_killed_build_goes_on_with_what_can_be_had_by_then(
    build: Callable[..., Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_module, "_BLOCK", 4)
    whole = build("whole")
    source = MadeUp(lacks=frozenset(one.ytid for one in SONGS[10:]))

    class Killed(MadeUp):
        def clips(self, songs: Sequence[Song], n_samples: int, report: CorpusReport) -> Iterator[tuple[Song, Pcm]]:
            yield from source.clips(songs, n_samples, report)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build("killed", source=Killed())
    journal = (whole.root.parent / "killed" / "journal.jsonl").read_text(encoding="utf-8")
    assert len(journal.splitlines()) == 8
    resumed = build("killed")
    assert resumed.sha256 == whole.sha256
    assert resumed.rows == whole.rows


def test_near_silent_clips_are_left_out() -> None:
    class Silent(MadeUp):
        def clips(self, songs: Sequence[Song], n_samples: int, report: CorpusReport) -> Iterator[tuple[Song, Pcm]]:
            for index, (one, pcm) in enumerate(super().clips(songs, n_samples, report)):
                yield one, pcm // 3000 if index < 5 else pcm

    clips, report = clips_of(MusicCapsCorpus(table=TABLE, source=Silent()))
    assert (len(clips), report.taken, report.near_silent) == (35, 35, 5)


def test_clips_are_written_as_they_came(build: Callable[..., Dataset]) -> None:
    dataset = build()
    (came,) = (pcm for one, pcm in MadeUp().clips(SONGS[7:8], 16_000, CorpusReport()))
    np.testing.assert_array_equal(read_wav(dataset.root / "clean/yt.-0000000007.wav", 16_000), came)
