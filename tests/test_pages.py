"""The pages name what is there: links, files, tests and folders."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
Tracked = Callable[..., list[str]]


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def test_links_lead_to_files_that_are_there(tracked: Tracked) -> None:
    pages = tracked("*.md")
    broken = [
        f"{page}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)\s]+)\)", without_code(text_of(page)))
        if "://" not in target
        and not target.startswith("#")
        and not (ROOT / page).parent.joinpath(target.split("#")[0]).exists()
    ]
    assert "docs/README.md" in pages
    assert not broken


def test_files_of_the_code_that_pages_name_are_there(tracked: Tracked) -> None:
    pages = [page for page in tracked("*.md") if page != "CHANGELOG.md"]
    tops = "attacks|benchmarks|detectors|docs|harness|locks|sealproof|tests"
    missing = [
        f"{page}: {name}"
        for page in pages
        for name in re.findall(rf"`((?:{tops})/[\w./*-]*)`", text_of(page))
        if not list(ROOT.glob(name.rstrip("/")))
    ]
    assert not missing


def test_tests_that_the_decisions_name_are_there(tracked: Tracked) -> None:
    named = {name for page in tracked("docs/decisions/*") for name in re.findall(r"`(test_\w+)`", text_of(page))}
    defined = set(re.findall(r"^def (test_\w+)\(", "\n".join(map(text_of, tracked("tests/*.py"))), re.MULTILINE))
    assert named
    assert not named - defined


def test_the_index_names_every_page_and_every_decision(tracked: Tracked) -> None:
    index = text_of("docs/README.md")
    pages = [Path(page).name for page in tracked("docs/*.md") if page.count("/") == 1]
    assert not [name for name in pages if f"({name})" not in index and name != "README.md"]
    index = text_of("docs/decisions/README.md")
    decisions = [Path(page).name for page in tracked("docs/decisions/*.md")]
    assert not [name for name in decisions if f"({name})" not in index and name != "README.md"]


def tree_of(page: str) -> list[str]:
    """Read the folders of a page's text tree: the code block that begins with `attacks/`; two spaces a level."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text_of(page), re.DOTALL | re.MULTILINE)
    [block] = [code for code in blocks if code.startswith("attacks/")]
    folders: list[str] = []
    above: list[str] = []
    for line in block.splitlines():
        [(indent, name)] = re.findall(r"^((?:  )*)([\w.-]+)/  +\S", line)
        above[len(indent) // 2 :] = [name]
        folders.append("/".join(above))
    assert len(folders) == len(set(folders))
    return folders


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md"])
def test_a_tree_of_rooms_has_exactly_the_folders_that_are_there(page: str, tracked: Tracked) -> None:
    files = tracked()
    tops = {name.split("/")[0] for name in files if "/" in name and not name.startswith(".")}
    rooms = {"/".join(name.split("/")[:2]) for name in files if re.fullmatch(r"harness/\w+/__init__\.py", name)}
    assert set(tree_of(page)) == tops | rooms


def test_the_architecture_names_each_room_of_the_leaves(tracked: Tracked) -> None:
    rooms = {
        str(Path(name).parent) for name in tracked() if re.fullmatch(r"(attacks|detectors)/\w+/__init__\.py", name)
    }
    assert (
        set(re.findall(r"^\| `((?:attacks|detectors)/\w+)/` \|", text_of("docs/architecture.md"), re.MULTILINE))
        == rooms
    )


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md"])
def test_rooms_stand_in_a_tree_as_the_contract_of_imports_has_them(page: str) -> None:
    linter = tomllib.loads(text_of("pyproject.toml"))["tool"]["importlinter"]
    [layers] = [each["layers"] for each in linter["contracts"] if each.get("containers") == ["sealproof.harness"]]
    rooms = [room.strip() for layer in layers for room in layer.split("|")]
    assert [folder.removeprefix("harness/") for folder in tree_of(page) if folder.startswith("harness/")] == rooms
