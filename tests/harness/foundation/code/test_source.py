"""What is read off one module's source, and that the head of a file alone tells as much."""

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest

from sealproof import attacks
from sealproof.harness.foundation.code.modules import Module, find_module
from sealproof.harness.foundation.code.source import Import, Source, looked_up, read_quickly, read_source

PACKAGES = ("sealproof.attacks", "sealproof.detectors", "sealproof.harness")


def read(folder: Path, text: str, name: str = "acme.dsp.module") -> Source:
    path = folder / "module.py"
    path.write_text(text)
    return read_source(Module(name, path, None))


def wanted(source: Source) -> set[str]:
    return {".".join([each.module, name]) for each in source.imports for name in each.names or ("",)}


@pytest.mark.parametrize(
    ("line", "module", "names"),
    [
        ("import numpy.fft as f", "numpy.fft", ()),
        ("from a.b import c as d, e", "a.b", ("c", "e")),
        ("from . import near", "acme.dsp", ("near",)),
        ("from .near import thing", "acme.dsp.near", ("thing",)),
        ("from ..far import thing", "acme.far", ("thing",)),
        (
            "def late():\n    if True:\n        try:\n            from a import b\n        finally:\n            pass",
            "a",
            ("b",),
        ),
        ("import importlib\nimportlib.import_module('a.b')", "a.b", ()),
        ("from importlib import import_module\nimport_module('.near', __package__)", "acme.dsp.near", ()),
        ("__import__('a')", "a", ()),
        ("match 1:\n    case 1:\n        import a", "a", ()),
    ],
)
def test_every_way_to_import_is_seen(tmp_path: Path, line: str, module: str, names: tuple[str, ...]) -> None:
    assert Import(module, names) in read(tmp_path, line).imports


def test_what_only_type_checkers_see_is_not_imported(tmp_path: Path) -> None:
    text = "if TYPE_CHECKING:\n    import a\nelse:\n    import b\nif typing.TYPE_CHECKING:\n    import c\n'import d'\n"
    assert {each.module for each in read(tmp_path, text).imports} == {"b"}


@pytest.mark.parametrize(
    ("text", "hides"),
    [
        ("import_module('a')", False),
        ("import_module('a.' + name)", True),
        ("__import__(name)", True),
        ("spec_from_file_location('a', path)", True),
    ],
)
def test_an_import_whose_name_is_put_together_is_told(tmp_path: Path, text: str, hides: bool) -> None:
    assert read(tmp_path, text).hides_imports is hides


def test_addresses_in_a_lazy_registry_neither_import_nor_count(tmp_path: Path) -> None:
    one = 'A = 1\nBUILT_IN = {\n    "x": "a.b:X",\n}\nB = "é"\n'
    two = 'A = 1\nBUILT_IN = {\n    "x": "a.b:X",\n    "é": "a.c:Y", "z": "a.d:Z",\n}\nB = "é"\n'
    first, second = read(tmp_path, one), read(tmp_path, two)
    assert first.imports == second.imports == ()
    assert first.sha256 == second.sha256
    assert first.registry == {"x": "a.b:X"}
    for other in (one.replace("A = 1", "A = 2"), one.replace('B = "é"', 'B = "e"'), one.replace('"a.b:X"', '"a.b X"')):
        assert read(tmp_path, other).sha256 != first.sha256


def test_names_that_are_looked_up_are_told_from_those_that_cannot_be(tmp_path: Path) -> None:
    functions = {"get", "list_all"}
    source = read(tmp_path, "from registry import get as g\nimport registry\ng('mp3.64kbps')\nregistry.get('x')\n")
    assert looked_up(source, functions) == (["mp3.64kbps", "x"], False)
    for text in ("g(name)", "map(g, names)", "registry.list_all()"):
        found = looked_up(read(tmp_path, f"from registry import get as g\nimport registry\n{text}"), functions)
        assert found == ([], True)


def own_modules() -> Iterator[Module]:
    for package in PACKAGES:
        for found in walk_packages(import_module(package).__path__, f"{package}."):
            module = find_module(found.name)
            assert module is not None
            yield module


def ours(imports: Iterable[Import]) -> set[Import]:
    return {each for each in imports if each.module.startswith("sealproof")}


def tops(imports: Iterable[Import]) -> set[str]:
    return {each.module.partition(".")[0] for each in imports}


def test_reading_heads_alone_finds_what_sealproof_imports_of_itself() -> None:
    """That is what makes keys cheap: of most files only the head need be parsed."""
    n_quick = 0
    for module in own_modules():
        assert module.path is not None
        package = module.name if module.search is not None else module.name.rpartition(".")[0]
        quick = read_quickly(module.path.read_text(encoding="utf-8"), package)
        if quick is None:
            continue
        n_quick += 1
        # Of another top-level name, so that all of the syntax is read.
        whole = read_source(replace(module, name=f"acme{module.name}")).imports
        imports = [replace(each, module=each.module.removeprefix("acme")) for each in whole]
        assert ours(quick) == ours(imports), module.name
        assert tops(quick) >= tops(imports), module.name
    assert n_quick > 100


def test_a_head_that_is_cut_inside_a_text_is_not_trusted() -> None:
    assert read_quickly('"""\nclass in a text\n"""\nimport a\n', "acme") is None
    assert read_quickly("import a\ndef f():\n    x = 1; import sealproof.b\n", "acme") is None
    assert read_quickly("import a\ndef f():\n    from scipy import fft\n", "acme") == (Import("a"), Import("scipy"))


def test_the_registry_of_attacks_is_read_as_one() -> None:
    source = read_source(Module("sealproof.attacks", Path(str(attacks.__file__)), tuple(attacks.__path__)))
    assert source.registry["mp3"].endswith(":MP3")
    assert len(source.registry) > 100
    assert "get_attack" in source.functions
    assert sys.modules["sealproof.attacks"] is attacks
    assert ast.parse(source.text)
