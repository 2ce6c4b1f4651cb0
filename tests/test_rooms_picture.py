"""The picture of the rooms is that of the code."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs/rooms.svg"


@pytest.fixture(scope="module")
def drawing() -> ModuleType:
    """docs/make_rooms.py, which stands in no package."""
    spec = importlib.util.spec_from_file_location("make_rooms", ROOT / "docs/make_rooms.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_picture_of_the_rooms_is_that_of_the_code(drawing: ModuleType) -> None:
    assert PICTURE.read_text(encoding="utf-8") == drawing.draw(drawing.read_rooms(ROOT)), (
        "run: python docs/make_rooms.py"
    )


def test_every_room_is_in_the_picture(drawing: ModuleType) -> None:
    shown = set(re.findall(r'font-weight="bold">(\w+)<', PICTURE.read_text(encoding="utf-8")))
    rooms = {folder.parent.name for folder in (ROOT / "harness").glob("*/__init__.py")}
    assert shown == rooms | {"attacks", "detectors"}
    assert {"foundation", "matrix", "cli"} <= rooms


def make_house(root: Path, files: dict[str, str]) -> Path:
    files = {"attacks/__init__.py": '"""A."""', "detectors/__init__.py": '"""D."""', **files}
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def test_an_arrow_that_follows_from_others_is_left_out(drawing: ModuleType, tmp_path: Path) -> None:
    late = "def job():\n    from sealproof.harness.cellar import wine\n    from sealproof.attacks.base import Attack\n"
    house = make_house(tmp_path, {
        "harness/cellar/__init__.py": '"""Holds wine. And more."""\nfrom sealproof.attacks import Attack\n',
        "harness/kitchen/__init__.py": '"""Cooks with `salt`; knows no guest."""\n',
        "harness/kitchen/stove.py": late,
        "harness/parlour/__init__.py": '"""Eats."""\nfrom sealproof.harness import cellar, kitchen\n',
    })  # fmt: skip
    rooms = drawing.read_rooms(house)
    assert {name: sorted(room.imports) for name, room in rooms.items() if room.imports} == {
        "cellar": ["attacks"],
        "kitchen": ["attacks", "cellar"],
        "parlour": ["cellar", "kitchen"],
    }
    assert (rooms["cellar"].job, rooms["kitchen"].job) == ("Holds wine", "Cooks with salt; knows no guest")
    imports = {name: room.imports for name, room in rooms.items()}
    arrows = [("cellar", "attacks"), ("kitchen", "cellar"), ("parlour", "kitchen")]
    assert drawing.needed_arrows(imports) == arrows
    assert drawing.levels(imports) == {"attacks": 0, "detectors": 0, "cellar": 1, "kitchen": 2, "parlour": 3}


def test_rooms_that_import_each_other_are_not_drawn(drawing: ModuleType, tmp_path: Path) -> None:
    house = make_house(tmp_path, {
        "harness/cellar/__init__.py": '"""Holds wine."""\nimport sealproof.harness.kitchen.stove\n',
        "harness/kitchen/__init__.py": '"""Cooks."""\nfrom sealproof.harness.cellar import wine\n',
    })  # fmt: skip
    with pytest.raises(ValueError, match=r"one above the other.*\['cellar', 'kitchen'\]"):
        drawing.draw(drawing.read_rooms(house))


def test_a_room_must_say_what_it_is_for(drawing: ModuleType, tmp_path: Path) -> None:
    house = make_house(tmp_path, {"harness/cellar/__init__.py": ""})
    with pytest.raises(ValueError, match=r"cellar/__init__\.py must say in its docstring what the room is for"):
        drawing.read_rooms(house)
