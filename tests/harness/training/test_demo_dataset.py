from pathlib import Path

import pytest

from sealproof.detectors import get_scheme
from sealproof.harness.datasets.build import BuildRequest
from sealproof.harness.foundation.files import read_json, write_json
from sealproof.harness.training.demo_dataset import remove_outdated

REQUEST = BuildRequest(scheme="spread_spectrum", n_clips=400)


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """What an earlier version of the scheme left: clips, cells and a mimic."""
    root = tmp_path / "data" / "robustness-spread_spectrum-400"
    for name in ("clean/a.wav", "watermarked/a.wav", "cells/test-x/attack.npz", "mimics/cnn/card.json"):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_bytes(b"x")
    (root / "manifest.csv").write_text("clip_id\n")
    write_json(root / "dataset.json", {})
    write_json(root / "build.json", asked("0.0"))
    return root


def asked(version: str, **other: object) -> dict[str, object]:
    return {**REQUEST.__dict__, "scheme_version": version, "corpus": {"kind": "demo", "name": "demo"}, **other}


def files(root: Path) -> set[Path]:
    return {path for path in root.rglob("*") if path.is_file()}


def test_an_earlier_version_makes_room(demo: Path) -> None:
    (demo.parent / "mine").mkdir()
    told = remove_outdated(demo, REQUEST)
    assert str(demo) in told
    assert "0.0" in told
    assert get_scheme("spread_spectrum").version in told
    assert list(demo.iterdir()) == []
    assert (demo.parent / "mine").is_dir()
    assert remove_outdated(demo, REQUEST) == ""


def test_what_a_killed_session_left_is_recognised(demo: Path) -> None:
    for name in ("dataset.json", "manifest.csv"):
        (demo / name).unlink()
    (demo / "journal.jsonl").write_text("")
    (demo / ".manifest.csv.7.sealproof.tmp").write_text("")
    assert remove_outdated(demo, REQUEST)
    assert list(demo.iterdir()) == []


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"n_clips": 8},
        {"scheme": "perth"},
        {"corpus": {"kind": "folder", "name": "demo"}},
        {"scheme_version": get_scheme("spread_spectrum").version},
        {"scheme_version": None},
    ],
)
def test_another_dataset_stays(demo: Path, change: dict[str, object]) -> None:
    write_json(demo / "build.json", {**read_json(demo / "build.json"), **change})
    before = files(demo)
    assert remove_outdated(demo, REQUEST) == ""
    assert files(demo) == before


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_a_damaged_one_stays(demo: Path, text: str) -> None:
    (demo / "build.json").write_text(text)
    before = files(demo)
    assert remove_outdated(demo, REQUEST) == ""
    assert files(demo) == before


def test_a_folder_with_anything_else_in_it_stays(demo: Path) -> None:
    (demo / "notes.txt").write_text("mine")
    before = files(demo)
    assert remove_outdated(demo, REQUEST) == ""
    assert files(demo) == before


def test_a_folder_of_another_name_stays(demo: Path) -> None:
    mine = demo.rename(demo.parent / "mine")
    assert remove_outdated(mine, REQUEST) == ""
    assert (mine / "build.json").is_file()


def test_a_link_stays(demo: Path) -> None:
    target = demo.rename(demo.parent / "target")
    demo.symlink_to(target)
    before = files(target)
    assert remove_outdated(demo, REQUEST) == ""
    assert files(target) == before


def test_links_inside_are_not_followed(demo: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "kept.wav").write_bytes(b"x")
    for path in (demo / "cells/test-x/attack.npz", demo / "cells/test-x", demo / "cells"):
        path.unlink() if path.is_file() else path.rmdir()
    (demo / "cells").symlink_to(precious)
    assert remove_outdated(demo, REQUEST)
    assert (precious / "kept.wav").is_file()
    assert list(demo.iterdir()) == []


def test_no_folder_is_no_matter(tmp_path: Path) -> None:
    assert remove_outdated(tmp_path / "robustness-spread_spectrum-400", REQUEST) == ""
