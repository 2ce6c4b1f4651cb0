"""Building: twins that differ in the watermark alone, and a build that survives whatever stops it."""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from sealproof.detectors import get_scheme
from sealproof.detectors.base import Audio, Bits, Detector, DetectorError, Scheme, UnavailableError, Watermarker
from sealproof.detectors.files import TEMPORARY
from sealproof.harness.cli.dataset import describe
from sealproof.harness.cli.main import main
from sealproof.harness.corpora.base import ALL_CLIPS, CorpusReport
from sealproof.harness.corpora.folder import FolderCorpus
from sealproof.harness.datasets import build as build_module
from sealproof.harness.datasets.build import BuildRequest, build_dataset
from sealproof.harness.datasets.check import check_dataset
from sealproof.harness.datasets.dataset import Dataset, messages
from sealproof.harness.datasets.manifest import CLEAN, WATERMARKED
from sealproof.harness.foundation.audio.files import read_wav
from sealproof.harness.foundation.errors import HarnessError

Floats = NDArray[np.float32]
Build = Callable[..., Dataset]


class BlankWatermarker:
    """Embeds nothing."""

    sample_rate = 16_000
    message_bits = 3

    def embed(self, batch: Audio, messages: Bits) -> Audio:
        assert messages.shape == (len(batch), self.message_bits)
        return batch.copy()


class BlankScheme(Scheme):
    """A stand-in whose watermark is zero."""

    name = "blank"
    summary = "No watermark at all"
    version = "1"

    def load_watermarker(self) -> Watermarker:
        return BlankWatermarker()

    def load_detector(self) -> Detector:
        raise NotImplementedError


def bytes_of(dataset: Dataset, label: str) -> list[bytes]:
    """The WAVs of a label as bytes, ordered by clip id."""
    return [(dataset.root / row.path).read_bytes() for row in dataset.rows if row.label == label]


# --- What a dataset is ---


def test_every_wav_is_16_bit_pcm_of_exactly_a_second(small_dataset: Dataset) -> None:
    assert len(small_dataset.rows) == 48
    for row in small_dataset.rows:
        info = soundfile.info(small_dataset.root / row.path)
        assert (info.format, info.subtype, info.samplerate, info.channels) == ("WAV", "PCM_16", 16_000, 1)
        assert info.frames == 16_000


def test_without_a_watermark_the_twins_are_the_same_bytes(small_build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_module, "get_scheme", lambda _: BlankScheme())
    dataset = small_build()
    assert bytes_of(dataset, CLEAN) == bytes_of(dataset, WATERMARKED)
    assert {row.snr_db for row in dataset.rows} == {None}
    assert (dataset.facts["unmarked_pairs"], dataset.facts["median_watermark_snr_db"]) == (24, None)


def test_nothing_but_the_watermark_tells_the_twins_apart(small_dataset: Dataset) -> None:
    clean, marked = bytes_of(small_dataset, CLEAN), bytes_of(small_dataset, WATERMARKED)
    assert {len(content) for content in clean + marked} == {44 + 2 * 16_000}
    assert {content[:44] for content in clean + marked} == {clean[0][:44]}
    assert all(one != other for one, other in zip(clean, marked, strict=True))


def test_clean_clips_are_the_corpus_and_the_snr_is_that_of_the_files(
    small_dataset: Dataset, small_corpus: Path
) -> None:
    for pair in small_dataset.pairs:
        song, _ = soundfile.read(small_corpus / pair.clean.source, dtype="int16")
        first = round(pair.clean.start_s * 16_000)
        clean, marked = (
            read_wav(small_dataset.root / row.path, 16_000).astype(float) for row in (pair.clean, pair.watermarked)
        )
        np.testing.assert_array_equal(clean, song[first : first + 16_000])
        snr_db = 10 * np.log10((clean**2).sum() / ((marked - clean) ** 2).sum())
        assert pair.watermarked.snr_db == pytest.approx(snr_db, abs=6e-4)
        assert pair.clean.snr_db is None


def test_the_detector_finds_watermark_and_message(small_dataset: Dataset) -> None:
    detector = get_scheme("spread_spectrum").detector
    clean, marked = ([getattr(pair, label) for pair in small_dataset.pairs] for label in ("clean", "watermarked"))
    absent, found = (detector.detect(small_dataset.audio(rows)) for rows in (clean, marked))
    # White noise hides less of a mark than music: it is found in most clips, not in all.
    assert (absent.score <= detector.threshold).all()
    assert np.median(found.score) > detector.threshold
    assert (found.score > absent.score).all()
    assert found.bits is not None
    assert (found.bits == messages(marked)).mean() > 0.75
    assert len({row.message for row in marked}) == len(marked), "every clip must have a message of its own"
    assert {row.message for row in clean} == {""}


def test_splits_keep_groups_and_pairs_together(small_dataset: Dataset) -> None:
    split_of: dict[str, str] = {}
    for pair in small_dataset.pairs:
        assert pair.clean.split == pair.watermarked.split == split_of.setdefault(pair.group, pair.clean.split)
    assert len(set(split_of.values())) == 4
    assert sum(len(small_dataset.split(name)) for name in set(split_of.values())) == 24
    assert check_dataset(small_dataset.root) == []


def test_the_facts_say_what_made_it(small_dataset: Dataset) -> None:
    facts = small_dataset.facts
    assert facts["scheme"] == "spread_spectrum"
    assert facts["scheme_version"] == get_scheme("spread_spectrum").version
    assert facts["scheme_weights_sha256"] is None
    assert (facts["seed"], facts["clip_s"], facts["n_samples"], facts["sample_rate"]) == (0, 1.0, 16_000, 16_000)
    assert (facts["n_pairs"], facts["n_groups"], facts["skipped_near_silent"]) == (24, 8, 0)
    assert facts["corpus"] == {"kind": "folder", "name": "corpus", "group_by": "folder", "skip_bad": False}
    assert facts["packages"].keys() >= {"python", "numpy", "soundfile", "soxr"}
    assert sum(facts["pairs_per_split"].values()) == 24
    drops = facts["detectable_drop"]
    assert drops["test_clips"] == facts["pairs_per_split"]["test"]
    assert drops["test_recordings"] == len({pair.group for pair in small_dataset.split("test")})


def test_only_the_dataset_is_left_in_its_folder(small_dataset: Dataset) -> None:
    assert sorted(path.name for path in small_dataset.root.iterdir()) == [
        "build.json", "clean", "dataset.json", "manifest.csv", "watermarked",
    ]  # fmt: skip
    ids = {row.clip_id for row in small_dataset.rows}
    for label in (CLEAN, WATERMARKED):
        assert {path.name for path in (small_dataset.root / label).iterdir()} == {f"{name}.wav" for name in ids}


def test_another_clip_length_is_that_length(small_corpus: Path, tmp_path: Path) -> None:
    request = BuildRequest(scheme="spread_spectrum", n_clips=8, clip_s=0.25)
    dataset, _ = build_dataset(FolderCorpus(root=small_corpus), request, tmp_path / "data")
    assert dataset.audio(dataset.rows).shape == (16, 4_000)


# --- The same for the same seed ---


def test_the_same_seed_gives_the_same_manifest_and_another_another(small_build: Build, small_original: Dataset) -> None:
    first, again, other = small_original, small_build("again"), small_build("other", seed=1)
    assert (first.root / "manifest.csv").read_bytes() == (again.root / "manifest.csv").read_bytes()
    assert first.sha256 == again.sha256 != other.sha256
    assert {pair.clip_id for pair in first.pairs} != {pair.clip_id for pair in other.pairs}, "offsets must be seeded"


@pytest.mark.parametrize("block", [1, 5, 1000])
def test_the_manifest_does_not_depend_on_the_block_size(
    small_build: Build, small_original: Dataset, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(build_module, "_BLOCK", block)
    assert small_build().sha256 == small_original.sha256


def test_a_clip_s_message_does_not_depend_on_how_many_there_are(small_build: Build, small_original: Dataset) -> None:
    few, many = (
        {pair.clip_id: pair.watermarked.message for pair in dataset.pairs}
        for dataset in (small_build(n_clips=8), small_original)
    )
    assert few.items() <= many.items()
    assert len(few) == 8


# --- Resuming ---


def test_a_finished_dataset_is_left_alone(
    small_dataset: Dataset, small_corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = small_dataset.root
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    monkeypatch.setattr(build_module, "_watermark", None)
    request = BuildRequest(scheme="spread_spectrum", n_clips=24)
    _, report = build_dataset(FolderCorpus(root=small_corpus), request, root)
    assert report is None
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


@pytest.mark.parametrize(
    ("change", "named"),
    [({"seed": 1}, "seed"), ({"n_clips": 23}, "n_clips"), ({"clip_s": 0.5}, "clip_s"), ({"scheme": "perth"}, "scheme")],
)
def test_another_request_does_not_overwrite(
    small_dataset: Dataset, small_corpus: Path, change: dict[str, Any], named: str
) -> None:
    request = BuildRequest(**{"scheme": "spread_spectrum", "n_clips": 24, **change})
    with pytest.raises(HarnessError, match=rf"holds a dataset with another {named}.*Choose another --out"):
        build_dataset(FolderCorpus(root=small_corpus), request, small_dataset.root)
    assert check_dataset(small_dataset.root) == []


def test_a_folder_with_something_else_is_left_alone(small_build: Build, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "thesis.tex").touch()
    with pytest.raises(HarnessError, match="--out must be a new or empty folder, or an earlier build"):
        small_build("data")
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_a_damaged_request_is_refused(small_build: Build, small_dataset: Dataset, content: bytes) -> None:
    (small_dataset.root / "build.json").write_bytes(content)
    with pytest.raises(HarnessError, match=r"build\.json is damaged .*Choose another --out, or delete the folder"):
        small_build()


def interrupt_after(monkeypatch: pytest.MonkeyPatch, n_wavs: int, error: BaseException) -> None:
    """Let the n-th WAV and all after it fail."""
    written: list[Path] = []
    write_wav = vars(build_module)["write_wav"]

    def write(path: Path, pcm: NDArray[np.int16]) -> str:
        if len(written) >= n_wavs:
            raise error
        written.append(path)
        return write_wav(path, pcm)

    monkeypatch.setattr(build_module, "write_wav", write)


def test_a_resumed_build_writes_what_is_missing_or_damaged_and_nothing_else(
    small_build: Build, small_original: Dataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(build_module, "_BLOCK", 4)
    with monkeypatch.context() as patch:
        interrupt_after(patch, 20, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            small_build("data")
    root = tmp_path / "data"
    assert not (root / "dataset.json").exists()
    journal = (root / "journal.jsonl").read_text().splitlines()
    assert len(journal) == 8, "two blocks of four were whole; the third stopped in its second pair"
    done = [root / record["path"] for line in journal for record in json.loads(line)]
    damaged, *untouched = done
    damaged.write_bytes(b"RIFF")
    with (root / "journal.jsonl").open("a") as file:
        file.write('[{"clip_id": "cut o')
    (root / "clean" / f".half.wav.1{TEMPORARY}").write_bytes(b"RIFF")
    before = {path: path.stat().st_mtime_ns for path in untouched if path.name != damaged.name}
    resumed = small_build("data")
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert resumed.sha256 == small_original.sha256
    assert check_dataset(root) == []
    assert not (root / "journal.jsonl").exists()
    assert list(root.rglob("*.tmp")) == []


# --- Its sources ---


@pytest.fixture
def own_corpus(small_corpus: Path, tmp_path: Path) -> Path:
    """A copy of the small corpus, which a test may change."""
    return Path(shutil.copytree(small_corpus, tmp_path / "x" / "corpus"))


def test_another_corpus_of_the_same_name_is_not_the_one_that_was_built(
    small_build: Build, own_corpus: Path, tmp_path: Path, audio_noise: Callable[..., Floats]
) -> None:
    small_build(corpus=own_corpus)
    other = tmp_path / "y" / "corpus"
    for group in range(8):
        (other / f"artist{group}").mkdir(parents=True)
        soundfile.write(other / f"artist{group}" / "song.wav", audio_noise(54_400, 100 + group), 16_000)
    with pytest.raises(HarnessError, match=r"8 changed \(artist0/song.wav, .*, and 5 others\)\. Choose"):
        small_build(corpus=other)


def test_sources_that_were_only_touched_or_moved_are_the_same(small_build: Build, own_corpus: Path) -> None:
    built = small_build(corpus=own_corpus)
    os.utime(own_corpus / "artist0" / "song.wav", ns=(1, 1))
    moved = own_corpus.parent.rename(own_corpus.parents[1] / "moved") / "corpus"
    assert small_build(corpus=moved).sha256 == built.sha256


def test_a_killed_build_does_not_go_on_with_other_sources(
    small_build: Build, own_corpus: Path, monkeypatch: pytest.MonkeyPatch, audio_noise: Callable[..., Floats]
) -> None:
    monkeypatch.setattr(build_module, "_BLOCK", 4)
    with monkeypatch.context() as patch:
        interrupt_after(patch, 20, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            small_build(corpus=own_corpus)
    before = (own_corpus / "artist1" / "song.wav").read_bytes()
    soundfile.write(own_corpus / "artist1" / "song.wav", audio_noise(54_400, 50), 16_000)
    soundfile.write(own_corpus / "artist0" / "more.wav", audio_noise(54_400, 51), 16_000)
    (own_corpus / "artist2" / "song.wav").rename(own_corpus.parent / "song.wav")
    rule = "1 changed (artist1/song.wav), 1 new (artist0/more.wav), 1 gone (artist2/song.wav). Choose another --out"
    with pytest.raises(HarnessError, match=re.escape(rule)):
        small_build(corpus=own_corpus)
    (own_corpus / "artist1" / "song.wav").write_bytes(before)
    (own_corpus / "artist0" / "more.wav").unlink()
    (own_corpus.parent / "song.wav").rename(own_corpus / "artist2" / "song.wav")
    assert check_dataset(small_build(corpus=own_corpus).root) == []


def test_sources_that_change_during_a_build_stop_it(
    small_build: Build, own_corpus: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    soundfile.write(own_corpus / "artist3" / "silence.wav", np.zeros(16_000), 16_000)
    watermark = vars(build_module)["_watermark"]

    def watermark_and_lose(*arguments: Any) -> Any:
        rows = watermark(*arguments)
        (own_corpus / "artist3" / "silence.wav").unlink()
        return rows

    monkeypatch.setattr(build_module, "_watermark", watermark_and_lose)
    with pytest.raises(HarnessError, match=r"1 gone \(artist3/silence\.wav\)"):
        small_build(corpus=own_corpus)
    assert not (tmp_path / "data" / "dataset.json").exists()


def test_other_groups_are_not_those_that_were_built(small_corpus: Path, tmp_path: Path) -> None:
    request = BuildRequest(scheme="spread_spectrum", n_clips=24)
    table = tmp_path / "groups.csv"

    def built() -> Dataset:
        return build_dataset(FolderCorpus(root=small_corpus, groups_csv=table), request, tmp_path / "data")[0]

    lines = [f"artist{index}/song.wav,g{index}" for index in range(8)]
    table.write_text("\n".join(["path,group", *lines]))
    first = built()
    table.write_text("\n".join(["path,group", *lines[:-1], "artist7/song.wav,g0"]))
    with pytest.raises(HarnessError, match=r"1 changed \(--groups groups\.csv\)"):
        built()
    table.write_text("\n".join(["path,group", *lines]))
    assert built().sha256 == first.sha256


def test_groups_that_share_a_recording_are_joined_and_said(
    small_build: Build, own_corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for group in (1, 5):
        # A copy is cut elsewhere, as its offset is drawn from its name: only the file's hash tells.
        shutil.copy(own_corpus / "artist0" / "song.wav", own_corpus / f"artist{group}" / "copy.wav")
    (own_corpus / "artist6" / "link.wav").symlink_to(own_corpus / "artist7" / "song.wav")
    dataset = small_build(corpus=own_corpus, n_clips=40)
    assert dataset.facts["joined_groups"] == {"artist0": ["artist1", "artist5"], "artist6": ["artist7"]}
    assert {row.group for row in dataset.rows} == {"artist0", "artist2", "artist3", "artist4", "artist6"}
    assert check_dataset(dataset.root) == []
    describe(dataset.facts)
    said = "Mind: 5 groups share audio and count as 2: artist0 = artist1 = artist5; artist6 = artist7.\n"
    assert said in capsys.readouterr().out


def test_groups_that_share_a_clip_are_joined(
    small_build: Build, own_corpus: Path, audio_noise: Callable[..., Floats]
) -> None:
    one = audio_noise(16_000, 70)
    for group, rest in (("artist2", 71), ("artist4", 72)):
        soundfile.write(own_corpus / group / "song.wav", np.concatenate([one, audio_noise(16_000, rest)]), 16_000)
    dataset = small_build(corpus=own_corpus, n_clips=ALL_CLIPS)
    assert dataset.facts["joined_groups"] == {"artist2": ["artist4"]}


# --- What a watermarker returns ---


class BadWatermarker(BlankWatermarker):
    """Returns what a watermarker must not."""

    def __init__(self, spoil: Callable[[Audio], Any], sample_rate: int = 16_000) -> None:
        self.spoil, self.sample_rate = spoil, sample_rate

    def embed(self, batch: Audio, messages: Bits) -> Audio:
        return self.spoil(batch)


class BadScheme(BlankScheme):
    """The scheme around it."""

    def __init__(self, watermarker: Watermarker) -> None:
        self._watermarker = watermarker

    def load_watermarker(self) -> Watermarker:
        return self._watermarker


def into(batch: Audio) -> Audio:
    batch[0] = 0
    return batch


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (lambda batch: batch * np.float32(np.nan), "must return finite samples. Got 384000 NaN or infinite of 384000"),
        (lambda batch: batch.astype(np.float64), "must return a float32 array. Got float64"),
        (lambda batch: batch.tolist(), "must return a float32 array. Got list"),
        (lambda batch: batch[:, :-1], "must keep the shape (24, 16000). Got (24, 15999)"),
    ],
    ids=["NaN", "float64", "list", "cut"],
)
def test_a_watermarker_s_output_is_checked(
    small_build: Build, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, spoil: Callable[[Audio], Any], rule: str
) -> None:
    monkeypatch.setattr(build_module, "get_scheme", lambda _: BadScheme(BadWatermarker(spoil)))
    with pytest.raises(DetectorError, match=re.escape(f"The watermarker of blank {rule}")):
        small_build()
    assert list((tmp_path / "data").rglob("*.wav")) == []


def test_a_watermarker_cannot_write_into_the_clean_clips(small_build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_module, "get_scheme", lambda _: BadScheme(BadWatermarker(into)))
    with pytest.raises(ValueError, match="read-only"):
        small_build()


def test_a_scheme_of_another_sample_rate_is_refused_before_anything_is_written(
    small_build: Build, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(build_module, "get_scheme", lambda _: BadScheme(BadWatermarker(np.copy, 44_100)))
    with pytest.raises(DetectorError, match=r"The watermarker of blank must take audio at 16000 Hz.*Got 44100 Hz"):
        small_build()
    assert not (tmp_path / "data").exists()


# --- Clipping ---


def test_marked_clips_that_are_cut_off_are_counted_even_where_a_build_was_killed(
    small_build: Build, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def loud_now_and_then(batch: Audio) -> Audio:
        marked = batch.copy()
        marked[batch[:, 0] > 0, :100] = 1.5
        return marked

    monkeypatch.setattr(build_module, "get_scheme", lambda _: BadScheme(BadWatermarker(loud_now_and_then)))
    monkeypatch.setattr(build_module, "_BLOCK", 4)
    with monkeypatch.context() as patch:
        interrupt_after(patch, 20, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            small_build()
    dataset = small_build()
    clean = dataset.audio([pair.clean for pair in dataset.pairs])
    assert dataset.facts["clipped_watermarked"] == (clean[:, 0] > 0).sum() > 0
    assert dataset.facts["clipped_clean"] == 0
    describe(dataset.facts)
    n = dataset.facts["clipped_watermarked"]
    assert f"{n} watermarked clips go beyond full scale, where 16 bits cut them off." in capsys.readouterr().out


def test_too_many_marked_clips_that_are_cut_off_are_refused(
    small_build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    louder = BadWatermarker(lambda batch: batch * np.float32(10))
    monkeypatch.setattr(build_module, "get_scheme", lambda _: BadScheme(louder))
    with pytest.raises(HarnessError, match=r"blank's marked clips must lie in \[-1, 1\]\. In 24 of 24 more than 1%"):
        small_build()


def test_a_corpus_in_int16_units_is_refused(
    small_build: Build, own_corpus: Path, audio_noise: Callable[..., Floats], tmp_path: Path
) -> None:
    for group in range(8):
        path = own_corpus / f"artist{group}" / "song.wav"
        soundfile.write(path, audio_noise(54_400, group) * 32_768, 16_000, subtype="FLOAT")
    with pytest.raises(HarnessError, match=r"The corpus' clips must lie in \[-1, 1\]\. In 24 of 24"):
        small_build(corpus=own_corpus)
    assert not (tmp_path / "data" / "dataset.json").exists()


# --- Whatever stops it ---


@pytest.fixture
def long_corpus(tmp_path: Path, audio_noise: Callable[..., Floats]) -> Path:
    """Six groups of 25 s: a build of 150 clips in five blocks, to be stopped in the first."""
    for group in range(6):
        folder = tmp_path / "long" / f"g{group}"
        folder.mkdir(parents=True)
        soundfile.write(folder / "x.wav", audio_noise(400_000, group), 16_000)
    return tmp_path / "long"


WAITING = """
import sys, threading
from sealproof.harness.cli.dataset import describe
from sealproof.harness.cli.main import main
from sealproof.harness.datasets import build
as_dict, rows = build.asdict, []
def wait_in_the_second_block(row):
    if isinstance(row, build.Row):
        rows.append(row)
        if len(rows) > 2 * build._BLOCK:
            print("waiting", flush=True)
            threading.Event().wait()
    return as_dict(row)
build.asdict = wait_in_the_second_block
sys.exit(main(sys.argv[1:]))
"""


def start_build(corpus: Path, out: Path) -> subprocess.Popen[str]:
    """Start a real build, which waits for its end once the first block is journalled, and return when it waits."""
    command = [sys.executable, "-c", WAITING, "build", "--scheme", "spread_spectrum"]
    process = subprocess.Popen(
        [*command, "--corpus", str(corpus), "--out", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        # A shell's background job is started deaf to Ctrl-C, and so would be whatever runs these tests from one.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    assert "waiting\n" in iter(process.stdout.readline, ""), process.communicate()
    return process


def test_a_build_killed_with_9_resumes_to_the_same_manifest(long_corpus: Path, tmp_path: Path) -> None:
    process = start_build(long_corpus, tmp_path / "killed")
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    root = tmp_path / "killed"
    assert not (root / "dataset.json").exists(), "the build was over before the kill"
    with pytest.raises(HarnessError, match="an unfinished build"):
        Dataset.open(root)
    lines = (root / "journal.jsonl").read_text().splitlines(keepends=True)
    finished = [root / record["path"] for line in lines if line.endswith("\n") for record in json.loads(line)]
    assert finished
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in finished}

    request = BuildRequest(scheme="spread_spectrum", n_clips=ALL_CLIPS)
    resumed, report = build_dataset(FolderCorpus(root=long_corpus), request, root)
    assert {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in finished} == before
    whole, whole_report = build_dataset(FolderCorpus(root=long_corpus), request, tmp_path / "whole")
    assert resumed.sha256 == whole.sha256
    assert report == whole_report == CorpusReport(taken=150)
    assert resumed.facts == whole.facts
    assert list(root.rglob("*.tmp")) == [], "what the kill left half-written"


def test_ctrl_c_is_one_line_and_exit_code_130(long_corpus: Path, tmp_path: Path) -> None:
    process = start_build(long_corpus, tmp_path / "data")
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate()
    assert process.returncode == 130
    assert stderr == "sealproof: Stopped. What was finished stays; give the same command again to go on.\n"
    assert not (tmp_path / "data" / "dataset.json").exists(), "the build was over before Ctrl-C"
    assert (tmp_path / "data" / "journal.jsonl").stat().st_size


@pytest.mark.parametrize("full_at", [0, 20])
def test_a_full_disk_is_one_line_and_what_was_finished_stays(
    small_original: Dataset,
    small_corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    full_at: int,
) -> None:
    out = tmp_path / "data"
    command = [
        "build",
        "--corpus",
        str(small_corpus),
        "--scheme",
        "spread_spectrum",
        "--clips",
        "24",
        "--out",
        str(out),
    ]
    monkeypatch.setattr(build_module, "_BLOCK", 4)
    replaced: list[Any] = []
    replace = Path.replace

    def fill_up(self: Path, target: Path) -> Path:
        # The first is build.json.
        if len(replaced) > full_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))
        replaced.append(target)
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fill_up)
        assert main(command) == 2
    error = capsys.readouterr().err
    assert re.fullmatch(r"sealproof: The disk is full \(.*\)\. What was finished stays; free space and .*\n", error)
    assert len(list(out.glob("*/*.wav"))) == full_at
    assert list(out.rglob("*.tmp")) == []
    assert main(command) == 0
    assert Dataset.open(out).sha256 == small_original.sha256


def test_a_disk_that_is_full_at_the_end_leaves_no_finished_dataset(
    small_build: Build, small_original: Dataset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fill_up(path: Path, _: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    with monkeypatch.context() as patch:
        patch.setattr(build_module, "write_text", fill_up)
        with pytest.raises(OSError, match="No space left"):
            small_build()
    with pytest.raises(HarnessError, match="an unfinished build"):
        Dataset.open(tmp_path / "data")
    assert small_build().sha256 == small_original.sha256


# --- Bad input ---


def test_fewer_groups_than_splits_are_refused(
    tmp_path: Path, audio_noise: Callable[..., Floats], small_build: Build
) -> None:
    for group in range(3):
        (tmp_path / "few" / str(group)).mkdir(parents=True)
        soundfile.write(tmp_path / "few" / str(group) / "x.wav", audio_noise(32_000, group), 16_000)
    with pytest.raises(HarnessError, match=r"must have at least 4 groups.*Got 3"):
        small_build(corpus=tmp_path / "few")


def test_a_corpus_of_silence_is_refused_with_its_counts(tmp_path: Path, small_build: Build) -> None:
    (tmp_path / "mute").mkdir()
    soundfile.write(tmp_path / "mute" / "x.wav", np.zeros(48_000), 16_000)
    rule = "must hold at least one usable clip. Got 0 clips taken, 3 near-silent ones skipped."
    with pytest.raises(HarnessError, match=re.escape(rule)):
        small_build(corpus=tmp_path / "mute")


@pytest.mark.parametrize("n_clips", [0, -5])
def test_the_number_of_clips_must_be_positive(n_clips: int) -> None:
    with pytest.raises(HarnessError, match=f"--clips must be at least 1. Got {n_clips}"):
        BuildRequest(scheme="spread_spectrum", n_clips=n_clips)


def test_a_scheme_that_cannot_run_here_is_refused_before_anything_is_written(
    small_build: Build, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scheme = BlankScheme()
    monkeypatch.setattr(scheme, "unavailable", lambda: "blank needs blanks: buy some.")
    monkeypatch.setattr(build_module, "get_scheme", lambda _: scheme)
    with pytest.raises(UnavailableError, match=r"blank needs blanks: buy some\."):
        small_build()
    assert not (tmp_path / "data").exists()
