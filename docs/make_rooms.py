"""Draw the rooms of the code and which imports which: `python docs/make_rooms.py` writes docs/rooms.svg.

The picture is made from the imports themselves, so it cannot say what the code does not do; a test compares the file in
version control with what this writes.
"""

import ast
import sys
import textwrap
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
PICTURE = Path(__file__).with_name("rooms.svg")

LEAVES = ("attacks", "detectors")
"""The folders beside `harness` that are rooms of their own."""

Imports = dict[str, set[str]]
"""By room, the rooms that it imports from."""


@dataclass(frozen=True)
class Room:
    """A folder of the code.

    Attributes:
        name: `attacks`, `detectors`, or that of a folder of `harness`.
        job: The first sentence of its `__init__.py`.
        imports: The rooms that it imports from.
    """

    name: str
    job: str
    imports: frozenset[str]


def read_rooms(root: Path) -> dict[str, Room]:
    """Read what rooms a repository has, by name.

    Args:
        root: The folder that holds `attacks`, `detectors` and `harness`.

    Raises:
        ValueError: A room's `__init__.py` does not say what it is for.
    """
    folders = [root / name for name in LEAVES]
    folders += [init.parent for init in sorted((root / "harness").glob("*/__init__.py"))]
    return {folder.name: _read_room(folder, {each.name for each in folders}) for folder in folders}


def _read_room(folder: Path, rooms: Set[str]) -> Room:
    trees = {file: ast.parse(file.read_text(encoding="utf-8"), str(file)) for file in folder.rglob("*.py")}
    text = ast.get_docstring(trees[folder / "__init__.py"])
    if not text:
        msg = f"{folder.name}/__init__.py must say in its docstring what the room is for. It does not."
        raise ValueError(msg)
    job = " ".join(text.split("\n\n", 1)[0].split()).split(". ", 1)[0].rstrip(".").replace("`", "")
    imported = {_room_of(name) for tree in trees.values() for name in _imported(tree)}
    return Room(folder.name, job, frozenset(imported & rooms - {folder.name}))


def _imported(tree: ast.Module) -> Iterator[str]:
    """Yield the modules that a file imports, wherever in it: also those for types alone, and those inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            # A name may be a module: `from sealproof.harness import matrix`.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _room_of(module: str) -> str:
    package, *parts = module.split(".")
    if package != "sealproof":
        return ""
    if parts and parts[0] == "harness":
        del parts[0]
    return parts[0] if parts else ""


def levels(imports: Mapping[str, Set[str]]) -> dict[str, int]:
    """Return how high each room stands: one above the highest that it imports from, 0 if it imports from none.

    Raises:
        ValueError: Rooms import each other in a circle.
    """
    heights: dict[str, int] = {}
    while len(heights) < len(imports):
        ready = [room for room, below in imports.items() if room not in heights and below <= heights.keys()]
        if not ready:
            circle = sorted(imports.keys() - heights.keys())
            msg = f"Rooms must stand one above the other. These import each other or stand above such: {circle}."
            raise ValueError(msg)
        heights |= {room: max((heights[each] + 1 for each in imports[room]), default=0) for room in ready}
    return heights


def needed_arrows(imports: Mapping[str, Set[str]]) -> list[tuple[str, str]]:
    """Return the arrows that do not follow from others: a room that is reached by way of another needs none."""
    height = levels(imports)
    reached: Imports = {}
    for room in sorted(imports, key=lambda name: height[name]):
        reached[room] = set(imports[room]).union(*(reached[below] for below in imports[room]))
    return sorted(
        (room, below)
        for room, direct in imports.items()
        for below in direct
        if not any(below in reached[other] for other in direct - {below})
    )


# The drawing. Lengths are in pixels; (0, 0) is at the top left.
_WIDTH, _MARGIN, _GAP, _LANE, _LINE = 860, 24, 36, 18, 15
_CHARACTER = 6.5
"""Width of a letter at 12 px, generously."""

_LOOK = {"attacks": "#fdf0d5", "detectors": "#fdf0d5", "cli": "#e3edf7", "pytest_plugin": "#e3edf7"}
_OTHERS = "#f4f4f2"


@dataclass(frozen=True)
class _Box:
    room: Room
    x: float
    y: float
    width: float
    height: float
    is_last: bool
    """Whether nothing stands to the right of it."""

    @property
    def right(self) -> float:
        return self.x + self.width

    @property
    def bottom(self) -> float:
        return self.y + self.height


def draw(rooms: Mapping[str, Room]) -> str:
    """Draw rooms as SVG: what is above may import what is below.

    Raises:
        ValueError: Rooms import each other in a circle.
    """
    imports = {room.name: room.imports for room in rooms.values()}
    height = levels(imports)
    arrows = needed_arrows(imports)
    # The shortest goes nearest to the boxes, so that lanes cross as little as they can.
    far = [(a, b) for a, b in arrows if height[a] - height[b] > 1]
    far.sort(key=lambda arrow: (height[arrow[0]] - height[arrow[1]], arrow))
    width = _WIDTH - 2 * _MARGIN - _LANE * len(far)
    boxes = _place(rooms, height, width)
    parts = [_head(max(box.bottom for box in boxes.values()) + _MARGIN)]
    parts += [_straight(boxes[a], boxes[b]) for a, b in arrows if (a, b) not in far]
    parts += [_around(boxes[a], boxes[b], _MARGIN + width + _LANE * (at + 1), at) for at, (a, b) in enumerate(far)]
    parts += [_drawn(box) for box in boxes.values()]
    return "\n".join([*parts, "</svg>", ""])


def _place(rooms: Mapping[str, Room], height: Mapping[str, int], width: float) -> dict[str, _Box]:
    boxes: dict[str, _Box] = {}
    y: float = _MARGIN
    for level in range(max(height.values()), -1, -1):
        row = sorted(name for name, at in height.items() if at == level)
        each = (width - _GAP * (len(row) - 1)) / len(row)
        tall = 32 + _LINE * max(len(_lines(rooms[name], each)) for name in row)
        for at, name in enumerate(row):
            boxes[name] = _Box(rooms[name], _MARGIN + at * (each + _GAP), y, each, tall, is_last=at + 1 == len(row))
        y += tall + _GAP
    return boxes


def _lines(room: Room, width: float) -> list[str]:
    return textwrap.wrap(room.job, int((width - 24) / _CHARACTER))


def _head(height: float) -> str:
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:g}" width="{_WIDTH}" \
font-family="Helvetica, Arial, sans-serif" font-size="12">
<title>The rooms of sealproof: an arrow means "imports from"; arrows that follow from others are left out</title>
<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">\
<path d="M0 0 10 5 0 10z" fill="#555"/></marker></defs>
<rect width="100%" height="100%" fill="#fff"/>"""


def _line(path: str) -> str:
    return f'<path d="{path}" fill="none" stroke="#555" stroke-width="1.3" marker-end="url(#tip)"/>'


def _straight(above: _Box, below: _Box) -> str:
    """Draw an arrow to the level below: straight down where one box is over the other."""
    left, right = max(above.x, below.x), min(above.right, below.right)
    if left < right:
        return _line(f"M{(left + right) / 2:g} {above.bottom:g} V{below.y:g}")
    return _line(f"M{above.x + above.width / 2:g} {above.bottom:g} L{below.x + below.width / 2:g} {below.y:g}")


def _around(above: _Box, below: _Box, lane: float, at: int) -> str:
    """Draw an arrow that passes other levels, to the right of all boxes.

    It leaves and enters at the right side; where another box stands there, below and above.
    """
    aside = 8 + 7 * at
    start = f"M{above.right:g} {above.y + above.height / 2:g} H{lane:g}"
    if not above.is_last:
        start = f"M{above.right - aside:g} {above.bottom:g} v{aside:g} H{lane:g}"
    end = f"V{below.y + below.height / 2:g} H{below.right:g}"
    if not below.is_last:
        end = f"V{below.y - aside:g} H{below.right - aside:g} V{below.y:g}"
    return _line(f"{start} {end}")


def _drawn(box: _Box) -> str:
    colour = _LOOK.get(box.room.name, _OTHERS)
    place = f'x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}"'
    text = [
        f'<rect {place} rx="6" fill="{colour}" stroke="#999"/>',
        f'<text x="{box.x + 12:g}" y="{box.y + 20:g}" font-size="14" font-weight="bold">{escape(box.room.name)}</text>',
    ]
    text += [
        f'<text x="{box.x + 12:g}" y="{box.y + 23 + _LINE * at:g}" fill="#333">{escape(line)}</text>'
        for at, line in enumerate(_lines(box.room, box.width), 1)
    ]
    return "\n".join(text)


def main() -> int:
    """Write the picture, and say so."""
    PICTURE.write_text(draw(read_rooms(ROOT)), encoding="utf-8")
    print(f"Wrote {PICTURE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
