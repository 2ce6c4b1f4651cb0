"""The manifest: comes back as it was written, and one that was tampered with is refused."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealproof.harness.datasets.check import check_dataset
from sealproof.harness.datasets.dataset import Dataset, messages
from sealproof.harness.datasets.manifest import COLUMNS, Row, manifest_csv, read_manifest
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.files import read_json, sha256_file, write_json

CLEAN_ROW = Row("c1", "artist", "a/x.wav", 0.123, "train", "clean", "clean/c1.wav", "", None, "0" * 64)
MARKED_ROW = replace(CLEAN_ROW, label="watermarked", path="watermarked/c1.wav", message="0101", snr_db=26.125)

any_name = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20)


def write(path: Path, rows: list[Row]) -> Path:
    """Write rows as a manifest, byte by byte as the build does."""
    path.write_bytes(manifest_csv(rows).encode())
    return path


def forge(dataset: Dataset, change: Callable[[Row], Row | None]) -> None:
    """Change a dataset's manifest, and its hash with it, as somebody would who means harm."""
    path = dataset.root / "manifest.csv"
    write(path, [changed for row in dataset.rows if (changed := change(row)) is not None])
    facts = dataset.root / "dataset.json"
    write_json(facts, {**read_json(facts), "manifest_sha256": sha256_file(path)})


# --- There and back ---


@given(group=any_name, source=any_name, start_s=st.floats(0, 1e5), snr=st.none() | st.integers(-99_000, 99_000))
def test_rows_come_back(
    tmp_path_factory: pytest.TempPathFactory, group: str, source: str, start_s: float, snr: int
) -> None:
    snr_db = None if snr is None else snr / 1000
    rows = [replace(CLEAN_ROW, group=group, source=source, start_s=start_s), replace(MARKED_ROW, snr_db=snr_db)]
    path = write(tmp_path_factory.getbasetemp() / "manifest.csv", rows)
    assert read_manifest(path) == rows


def test_the_columns_are_what_the_readme_promises() -> None:
    assert manifest_csv([CLEAN_ROW, MARKED_ROW]) == (
        "clip_id,group,source,start_s,split,label,path,message,snr_db,sha256\n"
        f"c1,artist,a/x.wav,0.123,train,clean,clean/c1.wav,,,{'0' * 64}\n"
        f"c1,artist,a/x.wav,0.123,train,watermarked,watermarked/c1.wav,0101,26.125,{'0' * 64}\n"
    )


any_tags = st.lists(st.text(st.characters(codec="utf-8"), max_size=8).filter(str.isprintable), max_size=3).map(tuple)


@given(caption=any_name, aspects=any_tags, labels=any_tags)
def test_descriptions_come_back(
    tmp_path_factory: pytest.TempPathFactory, caption: str, aspects: tuple[str, ...], labels: tuple[str, ...]
) -> None:
    rows = [replace(CLEAN_ROW, caption=caption, aspects=aspects, audioset_labels=labels), MARKED_ROW]
    path = write(tmp_path_factory.getbasetemp() / "described.csv", rows)
    assert read_manifest(path) == rows
    assert Row.from_json(json.loads(json.dumps(asdict(rows[0])))) == rows[0]


def test_descriptions_have_columns_only_where_there_are_some() -> None:
    described = replace(MARKED_ROW, caption="Slow, sad.", aspects=("slow", 'a "kick"'), audioset_labels=("/m/04rlf",))
    assert manifest_csv([CLEAN_ROW, described]) == (
        "clip_id,group,source,start_s,split,label,path,message,snr_db,sha256,caption,aspects,audioset_labels\n"
        f"c1,artist,a/x.wav,0.123,train,clean,clean/c1.wav,,,{'0' * 64},,,\n"
        f"c1,artist,a/x.wav,0.123,train,watermarked,watermarked/c1.wav,0101,26.125,{'0' * 64},"
        '"Slow, sad.","[""slow"", ""a \\""kick\\""""]","[""/m/04rlf""]"\n'
    )


@pytest.mark.parametrize("tags", ["slow", "{}", '["slow", 1]', '["\\u001b[2J"]', "["])
def test_tags_that_are_no_list_of_printable_texts_are_refused(tmp_path: Path, tags: str) -> None:
    path = write(tmp_path / "manifest.csv", [replace(CLEAN_ROW, aspects=("slow",))])
    text = path.read_text()
    assert '"[""slow""]"' in text
    path.write_text(text.replace('"[""slow""]"', '"' + tags.replace('"', '""') + '"'))
    with pytest.raises(HarnessError, match=r"line 2: aspects must be a JSON list of printable texts, or empty\. Got"):
        read_manifest(path)


def test_messages_are_read_as_bits() -> None:
    assert messages([MARKED_ROW, replace(MARKED_ROW, message="1100")]).tolist() == [[0, 1, 0, 1], [1, 1, 0, 0]]
    assert messages([replace(MARKED_ROW, message="")]).shape == (1, 0)


# --- Refusals ---


ESCAPES = [
    "../secret.wav", "clean/../../secret.wav", "clean/..", "/etc/passwd", "//server/share.wav", "..\\secret.wav",
    "clean\\..\\..\\x.wav", "C:/x.wav", "C:x.wav", "c:\\x.wav", "\\\\server\\share", "file://x.wav", "", "..",
]  # fmt: skip


@pytest.mark.parametrize("path", ESCAPES)
def test_a_path_that_leaves_the_dataset_is_refused(tmp_path: Path, path: str) -> None:
    manifest = write(tmp_path / "manifest.csv", [MARKED_ROW, replace(CLEAN_ROW, path=path)])
    with pytest.raises(HarnessError) as caught:
        read_manifest(manifest)
    assert str(caught.value) == (
        f"{manifest}, line 3: the path must stay inside the dataset's folder. Got {path!r}: do not use this manifest."
    )


@given(st.lists(st.sampled_from(["..", ".", "", "a", "clean", "\\", "C:", "/"]), min_size=1, max_size=6))
def test_no_accepted_path_leads_outside(tmp_path_factory: pytest.TempPathFactory, parts: list[str]) -> None:
    root = tmp_path_factory.getbasetemp()
    manifest = write(root / "manifest.csv", [replace(CLEAN_ROW, path="/".join(parts))])
    try:
        (row,) = read_manifest(manifest)
    except HarnessError:
        assert {"..", "", "\\", "C:", "/"} & set(parts), "an honest path was refused"
        return
    assert (root / row.path).resolve().is_relative_to(root.resolve())
    assert not {"..", "\\", "C:"} & set(parts)


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("clip_id,group", "group,clip_id", f"must have the columns {', '.join(COLUMNS)}. Got group, clip_id, source"),
        (",snr_db", "", "must have the columns"),
        ("train,clean", "train,dirty", "line 2: the label must be clean or watermarked. Got 'dirty'"),
        ("train,clean", "exam,clean", "the split must be one of train, validation, calibration, test. Got 'exam'"),
        ("0.123", "soon", "line 2: start_s and snr_db must be numbers (could not convert string to float: 'soon')"),
        ("26.125", "loud", "line 3: start_s and snr_db must be numbers"),
        (",26.125," + "0" * 64 + "\n", "", "line 3 must have 10 fields. It is cut off or has too many"),
        ("0\n", "0,more\n", "line 2 must have 10 fields"),
    ],
)
def test_a_damaged_manifest_is_refused(tmp_path: Path, old: str, new: str, rule: str) -> None:
    text = manifest_csv([CLEAN_ROW, MARKED_ROW])
    assert old in text
    path = tmp_path / "manifest.csv"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(HarnessError, match=re.escape(rule)):
        read_manifest(path)


def test_an_empty_manifest_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").touch()
    with pytest.raises(HarnessError, match="must have the columns"):
        read_manifest(tmp_path / "manifest.csv")


# --- The dataset around it ---


def test_a_finished_dataset_has_no_problems(small_dataset: Dataset) -> None:
    assert check_dataset(small_dataset.root) == []


def test_a_manifest_changed_after_the_build_is_refused(small_dataset: Dataset) -> None:
    path = small_dataset.root / "manifest.csv"
    path.write_text(path.read_text().replace("artist0", "artist1", 1))
    with pytest.raises(HarnessError, match=r"must have the sha256 that dataset.json gives.*it was changed after"):
        Dataset.open(small_dataset.root)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", b'clip_id,"' + b"x" * 200_000])
def test_a_manifest_that_cannot_be_read_is_refused(small_dataset: Dataset, content: bytes | None) -> None:
    path = small_dataset.root / "manifest.csv"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(HarnessError, match=r"manifest\.csv cannot be read .*: build the dataset again"):
        Dataset.open(small_dataset.root)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "null"])
def test_damaged_facts_are_refused(small_dataset: Dataset, content: str) -> None:
    (small_dataset.root / "dataset.json").write_text(content)
    with pytest.raises(HarnessError, match=r"dataset\.json is damaged .*: build the dataset again"):
        Dataset.open(small_dataset.root)


def test_no_dataset_and_an_unfinished_one_are_told_apart(small_dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"must be a dataset that `sealproof build` wrote\. Found no dataset"):
        Dataset.open(tmp_path / "nowhere")
    (small_dataset.root / "dataset.json").unlink()
    with pytest.raises(HarnessError, match="Found an unfinished build: give the same `sealproof build` command again"):
        Dataset.open(small_dataset.root)


def test_check_names_every_damaged_missing_and_foreign_wav(small_dataset: Dataset) -> None:
    flipped, short, gone = (small_dataset.root / row.path for row in small_dataset.rows[:3])
    content = bytearray(flipped.read_bytes())
    content[-1] ^= 1
    flipped.write_bytes(content)
    short.write_bytes(short.read_bytes()[:-2])
    gone.unlink()
    assert check_dataset(small_dataset.root) == [
        f"{small_dataset.rows[0].path} is damaged: its sha256 is not the manifest's.",
        f"{small_dataset.rows[1].path} is damaged: its sha256 is not the manifest's.",
        f"{small_dataset.rows[2].path} is missing.",
    ]


def test_check_sees_a_wav_that_is_no_clip_though_its_hash_fits(small_dataset: Dataset) -> None:
    first = small_dataset.rows[0]
    (small_dataset.root / first.path).write_bytes(b"no wav")
    foreign = sha256_file(small_dataset.root / first.path)
    forge(small_dataset, lambda row: replace(row, sha256=foreign) if row == first else row)
    (problem,) = check_dataset(small_dataset.root)
    assert f"{first.path} cannot be read" in problem


def test_check_sees_a_group_in_two_splits(small_dataset: Dataset) -> None:
    moved = small_dataset.split("train")[0].clip_id
    group = next(row.group for row in small_dataset.rows if row.clip_id == moved)
    forge(small_dataset, lambda row: replace(row, split="test") if row.clip_id == moved else row)
    assert check_dataset(small_dataset.root) == [f"group {group} is in 2 splits: test, train."]


def test_check_sees_parted_twins_even_where_their_groups_differ(small_dataset: Dataset) -> None:
    moved = small_dataset.split("train")[0].watermarked
    forge(small_dataset, lambda row: replace(row, split="test", group="else") if row == moved else row)
    assert check_dataset(small_dataset.root) == [f"clip {moved.clip_id} is parted from its twin: test, train."]


def test_check_sees_an_empty_split(small_dataset: Dataset) -> None:
    forge(small_dataset, lambda row: None if row.split == "calibration" else row)
    assert check_dataset(small_dataset.root) == ["split calibration is empty."]


@pytest.mark.parametrize("label", ["clean", "watermarked"])
def test_a_clip_without_its_twin_is_refused(small_dataset: Dataset, label: str) -> None:
    alone = small_dataset.pairs[0].clip_id
    forge(small_dataset, lambda row: None if (row.clip_id, row.label) == (alone, label) else row)
    dataset = Dataset.open(small_dataset.root)
    with pytest.raises(HarnessError, match=rf"one clean and one watermarked WAV per clip. Not so: \['{alone}'\]"):
        dataset.pairs  # noqa: B018 - reading them is the check
    gone = "watermarked" if label == "watermarked" else "clean"
    assert check_dataset(small_dataset.root) == [f"clip {alone} must have one {gone} WAV, and has 0."]


def test_check_sees_rows_that_share_a_wav(small_dataset: Dataset) -> None:
    first, second = (pair.watermarked for pair in small_dataset.split("test")[:2])
    again = f"watermarked/./{Path(first.path).name}"
    forge(small_dataset, lambda row: replace(row, path=again, sha256=first.sha256) if row == second else row)
    assert check_dataset(small_dataset.root) == [
        f"{first.path} is the WAV of 2 rows: {first.clip_id} watermarked, {second.clip_id} watermarked."
    ]


def test_check_sees_the_same_audio_in_two_splits(small_dataset: Dataset) -> None:
    learnt, tested = (small_dataset.split(name)[0].clean for name in ("train", "test"))
    shutil.copy(small_dataset.root / learnt.path, small_dataset.root / tested.path)
    forge(small_dataset, lambda row: replace(row, sha256=learnt.sha256) if row == tested else row)
    (problem,) = check_dataset(small_dataset.root)
    assert problem.startswith("the same audio is in several splits: ")
    assert f"{learnt.path} (train)" in problem
    assert f"{tested.path} (test)" in problem


def test_links_are_found_by_check_and_never_followed(small_dataset: Dataset, tmp_path: Path) -> None:
    root, row = small_dataset.root, small_dataset.rows[0]
    (root / row.path).rename(tmp_path / "elsewhere.wav")
    (root / row.path).symlink_to(tmp_path / "elsewhere.wav")
    (root / "cells").symlink_to(tmp_path)
    assert check_dataset(root) == [
        f"{link} is a symbolic link, and a dataset's files are its own." for link in ("cells", row.path)
    ]
    with pytest.raises(HarnessError, match=rf"must hold no symbolic links.*Got 2: cells, {re.escape(row.path)}"):
        Dataset.open(root)


def test_a_dataset_that_is_reached_by_a_link_is_the_users_own_choice(small_dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(small_dataset.root)
    assert Dataset.open(tmp_path / "link").sha256 == small_dataset.sha256
    assert check_dataset(tmp_path / "link") == []


def test_check_lists_every_fault_of_a_changed_manifest_too(small_dataset: Dataset) -> None:
    path = small_dataset.root / "manifest.csv"
    path.write_text(path.read_text().replace(",artist0,", ",artist1,", 1))
    (small_dataset.root / small_dataset.rows[9].path).unlink()
    changed, *others, missing = check_dataset(small_dataset.root)
    assert "must have the sha256 that dataset.json gives" in changed
    assert missing == f"{small_dataset.rows[9].path} is missing."
    assert all(other.startswith("group artist1 is in ") for other in others)


def test_audio_of_a_damaged_wav_is_refused(small_dataset: Dataset) -> None:
    row = small_dataset.rows[0]
    assert small_dataset.audio([row]).shape == (1, 16_000)
    (small_dataset.root / row.path).write_bytes(b"RIFF")
    with pytest.raises(HarnessError, match=rf"{re.escape(row.path)} must have the sha256.*`sealproof check`"):
        small_dataset.audio([row])
