"""The house keeps its order: rooms of a size that one can know, no circle of imports, none hidden in a function.

Run as a script it prints the figures, `python tests/harness/test_rooms.py [ROOT]`; with `--linter`, in the environment
of the linter, it refuses one that does not see all modules.
"""

import ast
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
TOP = ("attacks", "detectors", "harness")
MOST_MODULES = 12
"""A folder with more has a room missing."""

MAY_IMPORT_LATE = (
    "sealproof.harness.cli",
    "sealproof.harness.pytest_plugin",
    # As they were called before there were rooms, for the figures of then.
    "sealproof.harness.commands",
    "sealproof.harness.musiccaps.command",
    "sealproof.harness.robustness",
)
"""The front doors: `--help` and every start of pytest would import numpy otherwise."""


class Import(NamedTuple):
    """One first-party import: what is imported where, and whether only when a function runs or never at run time."""

    module: str
    target: str
    line: int
    is_late: bool
    is_for_types: bool


@dataclass(frozen=True)
class House:
    """All modules of the package, by dotted name, and their first-party imports."""

    files: Mapping[str, Path]
    imports: tuple[Import, ...]

    @classmethod
    def of(cls, root: Path) -> "House":
        paths = [path for top in TOP for path in sorted((root / top).rglob("*.py"))]
        files = {_dotted(path.relative_to(root)): path for path in paths}
        imports = [one for name, path in files.items() for one in _imports(name, path, files)]
        return cls(files, tuple(imports))

    def sizes(self) -> Counter[str]:
        """Count the modules of each folder, its own `__init__` excepted."""
        return Counter(name.rpartition(".")[0] for name, path in self.files.items() if path.name != "__init__.py")

    def circles(self, *, late: bool) -> list[list[str]]:
        """Return the strongly connected sets of modules; imports within functions count where `late`."""
        arrows: dict[str, set[str]] = {name: set() for name in self.files}
        for one in self.imports:
            if one.target != one.module and (late or not (one.is_late or one.is_for_types)):
                arrows[one.module].add(one.target)
        return [sorted(each) for each in _components(arrows) if len(each) > 1]

    def levels(self) -> int:
        """Return how many modules the longest chain of imports at load time has."""
        arrows: dict[str, set[str]] = {name: set() for name in self.files}
        for one in self.imports:
            if one.target != one.module and not (one.is_late or one.is_for_types):
                arrows[one.module].add(one.target)
        heights: dict[str, int] = {}

        def height(name: str, above: frozenset[str]) -> int:
            if name in above:
                return 0
            if name not in heights:
                heights[name] = 1 + max((height(each, above | {name}) for each in arrows[name]), default=0)
            return heights[name]

        return max(height(name, frozenset()) for name in arrows if name.startswith("sealproof.harness"))

    def hidden(self) -> list[Import]:
        """Return the first-party imports of the harness that stand in a function, the front doors' excepted."""
        return [
            one
            for one in self.imports
            if one.is_late
            and one.module.startswith("sealproof.harness")
            and one.target.startswith("sealproof.harness")
            and not one.module.startswith(MAY_IMPORT_LATE)
        ]


def _dotted(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(("sealproof", *(parts[:-1] if parts[-1] == "__init__" else parts)))


def _imports(name: str, path: Path, files: Mapping[str, Path]) -> Iterator[Import]:
    def visit(node: ast.AST, is_late: bool, is_for_types: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            late = is_late or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            types = is_for_types or (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING")
            if isinstance(child, ast.ImportFrom) and child.module is not None:
                for alias in child.names:
                    whole = f"{child.module}.{alias.name}"
                    target = whole if whole in files else child.module
                    if target in files:
                        yield Import(name, target, child.lineno, late, types)
            elif isinstance(child, ast.Import):
                yield from (
                    Import(name, alias.name, child.lineno, late, types) for alias in child.names if alias.name in files
                )
            yield from visit(child, late, types)

    return visit(ast.parse(path.read_text(encoding="utf-8")), is_late=False, is_for_types=False)


def _components(arrows: Mapping[str, Iterable[str]]) -> Iterator[set[str]]:
    """Yield the strongly connected components (Kosaraju)."""
    order: list[str] = []
    seen: set[str] = set()
    for start in arrows:
        stack: list[tuple[str, bool]] = [(start, False)]
        while stack:
            node, is_done = stack.pop()
            if is_done:
                order.append(node)
            elif node not in seen:
                seen.add(node)
                stack += [(node, True), *((each, False) for each in arrows[node])]
    back: dict[str, set[str]] = {name: set() for name in arrows}
    for name, targets in arrows.items():
        for target in targets:
            back[target].add(name)
    placed: set[str] = set()
    for start in reversed(order):
        component, rest = set(), [start]
        while rest:
            node = rest.pop()
            if node not in placed:
                placed.add(node)
                component.add(node)
                rest += back[node]
        if component:
            yield component


def _described(imports: Iterable[Import]) -> str:
    return "\n".join(dict.fromkeys(f"{one.module}:{one.line} imports {one.target}" for one in imports))


def _layers() -> list[set[str]]:
    """Return the rooms of the harness as the contract in pyproject.toml has them, the topmost first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers = next(one["layers"] for one in settings["contracts"] if one.get("containers") == ["sealproof.harness"])
    return [{room.strip() for room in layer.split("|")} for layer in layers]


@cache
def _house() -> House:
    """Read the checkout that this file is in."""
    return House.of(ROOT)


def test_a_folder_of_the_harness_holds_at_most_twelve_modules() -> None:
    sizes = _house().sizes()
    assert {name: n for name, n in sizes.items() if name.startswith("sealproof.harness") and n > MOST_MODULES} == {}


def test_no_modules_import_each_other_in_a_circle_even_in_functions() -> None:
    assert _house().circles(late=True) == []


def test_no_function_below_the_front_doors_hides_an_import_of_the_harness() -> None:
    assert _described(_house().hidden()) == ""


def test_every_folder_says_what_it_is_for() -> None:
    for name, path in _house().files.items():
        if path.name == "__init__.py":
            assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), name


def test_the_contract_names_every_room() -> None:
    folders = {path.parent.name for path in (ROOT / "harness").glob("*/__init__.py")}
    assert set().union(*_layers()) == folders


def test_no_import_goes_up_or_beside() -> None:
    """The linter reads the installed package; this reads the checkout, and what is imported late or for types, too."""
    heights = {room: height for height, layer in enumerate(reversed(_layers())) for room in layer}
    wrong = []
    for one in _house().imports:
        here, there = one.module.split(".")[1:3], one.target.split(".")[1:3]
        if here[0] == there[0] == "harness" and here != there and heights[here[1]] <= heights[there[1]]:
            wrong.append(one)
    assert _described(wrong) == ""


def test_no_two_folders_of_a_room_import_each_other() -> None:
    for depth in (3, 4, 5):
        arrows = {
            tuple(".".join(name.split(".")[:depth]) for name in (one.module, one.target))
            for one in _house().imports
            if one.module.startswith("sealproof.harness.")
        }
        assert [(a, b) for a, b in arrows if a < b and (b, a) in arrows] == []


def test_a_page_is_made_of_data_and_calls_three_jobs_below() -> None:
    """What a report shows is read off its run folder; it climbs back up after reading, clips, and spectrograms."""
    lower = {
        one.target
        for one in _house().imports
        if one.module.startswith("sealproof.harness.report.")
        and not one.module.startswith("sealproof.harness.report.breakdown")
        and one.target.startswith("sealproof.harness.")
        and not one.target.startswith(
            ("sealproof.harness.report.", "sealproof.harness.tables.", "sealproof.harness.datasets.")
        )
    }
    assert lower == {
        "sealproof.harness.foundation.audio.spectrogram",
        "sealproof.harness.foundation.errors",
        "sealproof.harness.foundation.files",
        "sealproof.harness.foundation.text",
        "sealproof.harness.matrix.replay",
    }


def test_a_page_takes_no_function_of_the_tables() -> None:
    """Numbers are attributes of the run folder, read once: a call down for each would be a way back up for each."""
    called = [
        f"{path.name}: {alias.name}"
        for name, path in _house().files.items()
        if name.startswith("sealproof.harness.report.") and ".breakdown" not in name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sealproof.harness.tables")
        for alias in node.names
        if alias.name.islower() and f"{node.module}.{alias.name}" not in _house().files
    ]
    assert called == []


def _print_figures(root: Path) -> None:
    house = House.of(root)
    harness = [name for name in house.files if name.startswith("sealproof.harness")]
    at_load, ever = house.circles(late=False), house.circles(late=True)
    hidden = _described(house.hidden()).splitlines()
    print(f"modules: {len(house.files)}, of the harness: {len(harness)}")
    print(f"levels of imports under the harness: {house.levels()}")
    print("biggest folders:", ", ".join(f"{name} {n}" for name, n in house.sizes().most_common(4)))
    print(f"circles at load: {len(at_load)}, with imports in functions and for types: {len(ever)}")
    for circle in ever:
        print("  ", " ".join(circle))
    print(f"imports of the harness hidden in its functions, outside the front doors: {len(hidden)}")
    for line in hidden:
        print("  ", line)


def _refuse_a_linter_that_sees_too_little() -> None:
    """A linter that finds one module keeps every contract: it must see as many as there are files."""
    import grimp

    seen = {name for name in grimp.build_graph("sealproof", cache_dir=None).modules if name.count(".") > 1}
    there = {name for name in House.of(ROOT).files if name.count(".") > 1}
    if seen != there:
        raise SystemExit(f"The linter must see the {len(there)} modules of the checkout. It sees {len(seen)}.")
    print(f"The linter sees all {len(seen)} modules.")


if __name__ == "__main__":
    if sys.argv[1:] == ["--linter"]:
        _refuse_a_linter_that_sees_too_little()
    else:
        _print_figures(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT)
