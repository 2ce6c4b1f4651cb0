"""Which code a class rests on: packages on disk, changed and imported anew."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from sealproof.attacks import Attack, attack_class
from sealproof.harness.foundation.code import distributions
from sealproof.harness.foundation.code.files import files_sha256, packages_sha256
from sealproof.harness.foundation.code.graph import Graph
from sealproof.harness.foundation.code.identity import code_sha256

FILES = {
    "acme/__init__.py": "",
    "acme/attack.py": """
        from typing import TYPE_CHECKING
        from acme.near import one
        if TYPE_CHECKING:
            import acme.types
        class Attack:
            def apply(self):
                from acme_dsp.deep import shift
                return shift(one)
    """,
    "acme/near.py": "from . import nearer\none = 1",
    "acme/nearer.py": "",
    "acme/types.py": "",
    "acme/other.py": "",
    "acme_dsp/__init__.py": "",
    "acme_dsp/deep/__init__.py": "from .shifting import shift",
    "acme_dsp/deep/shifting.py": "import importlib\nimportlib.import_module('acme_dsp.names')\ndef shift(x): return x",
    "acme_dsp/names.py": "",
    "acme_dsp/unused.py": "",
}
"""A distribution of two packages."""


class Project:
    """Files in a folder that is on the path, whose modules are imported anew each time."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text))

    def install(self, name: str, packages: list[str], *, editable: bool = False, version: str = "1.0") -> None:
        info = f"{name}-{version}.dist-info"
        self.write({f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"})
        self.write({f"{info}/top_level.txt": "\n".join(packages)})
        installed = [] if editable else [path for top in packages for path in sorted(self.root.glob(f"{top}/**/*.py"))]
        record = [f"{path.relative_to(self.root)},sha256=x,1" for path in installed]
        self.write({f"{info}/RECORD": "\n".join([*record, f"{info}/METADATA,,"])})
        if editable:
            self.write({f"{info}/direct_url.json": '{"url": "file:///somewhere", "dir_info": {"editable": true}}'})

    def key(self, address: str = "acme.attack:Attack", *, whole: bool = False) -> str:
        """Return the key that a new process would find."""
        self.forget()
        module, _, name = address.partition(":")
        return code_sha256(getattr(importlib.import_module(module), name), whole=whole)

    def forget(self) -> None:
        tops = {path.name.removesuffix(".py") for path in self.root.iterdir()}
        for name in [name for name in sys.modules if name.partition(".")[0] in tops]:
            del sys.modules[name]
        importlib.invalidate_caches()
        distributions.owners.cache_clear()
        distributions.sisters.cache_clear()

    def touched(self, name: str) -> None:
        path = self.root / name
        path.write_text(path.read_text() + "\n# changed\n")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """An empty folder on the path."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    root = tmp_path / "site"
    root.mkdir()
    monkeypatch.syspath_prepend(root)
    project = Project(root)
    yield project
    project.forget()


@pytest.fixture
def acme(project: Project) -> Project:
    """The distribution of `FILES`, installed."""
    project.write(FILES)
    project.install("acme-attacks", ["acme", "acme_dsp"])
    return project


@pytest.mark.parametrize(
    "name", ["acme/attack.py", "acme/near.py", "acme/nearer.py", "acme/__init__.py", "acme_dsp/__init__.py",
             "acme_dsp/deep/__init__.py", "acme_dsp/deep/shifting.py", "acme_dsp/names.py"],
)  # fmt: skip
def test_a_changed_module_that_a_class_rests_on_changes_its_key(acme: Project, name: str) -> None:
    before = acme.key()
    assert acme.key() == before
    acme.touched(name)
    assert acme.key() != before


@pytest.mark.parametrize("name", ["acme/types.py", "acme/other.py", "acme_dsp/unused.py"])
def test_a_module_that_it_does_not_import_changes_only_the_key_of_the_whole(acme: Project, name: str) -> None:
    before, whole = acme.key(), acme.key(whole=True)
    acme.touched(name)
    assert acme.key() == before
    assert acme.key(whole=True) != whole


def test_the_folder_in_which_code_stands_is_not_in_its_key(acme: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    before = acme.key(whole=True)
    acme.forget()
    acme.root = acme.root.rename(acme.root.with_name("elsewhere"))
    monkeypatch.syspath_prepend(acme.root)
    assert acme.key(whole=True) == before


def test_a_class_rests_on_its_bases_in_other_packages(project: Project) -> None:
    project.write({"base_package/__init__.py": "class Base: pass"})
    project.write(
        {"acme/__init__.py": "", "acme/attack.py": "import sys\nclass Attack(sys.modules['base_package'].Base): pass"}
    )
    importlib.import_module("base_package")
    attack = importlib.import_module("acme.attack").Attack
    before = code_sha256(attack)
    project.forget()
    project.touched("base_package/__init__.py")
    importlib.import_module("base_package")
    assert code_sha256(importlib.import_module("acme.attack").Attack) != before


def test_a_single_file_on_the_path_rests_on_those_beside_it_that_it_imports(project: Project) -> None:
    project.write({"solo.py": "import helper\nclass Attack: pass", "helper.py": "", "stranger.py": ""})
    before = project.key("solo:Attack")
    project.touched("stranger.py")
    assert project.key("solo:Attack") == before
    project.touched("helper.py")
    assert project.key("solo:Attack") != before


def test_another_distribution_counts_by_its_version(acme: Project) -> None:
    acme.write({"other_lib/__init__.py": "", "acme/near.py": "import other_lib\none = 1"})
    acme.install("other-lib", ["other_lib"])
    before = acme.key()
    acme.touched("other_lib/__init__.py")
    assert acme.key() == before
    for path in sorted((acme.root / "other-lib-1.0.dist-info").iterdir()):
        path.unlink()
    (acme.root / "other-lib-1.0.dist-info").rmdir()
    acme.install("other-lib", ["other_lib"], version="1.1")
    assert acme.key() != before


@pytest.mark.parametrize("how", ["editable", "local"])
def test_another_package_whose_code_no_version_pins_counts_by_its_content(acme: Project, how: str) -> None:
    acme.write({"other_lib/__init__.py": "", "acme/near.py": "import other_lib\none = 1"})
    if how == "editable":
        acme.install("other-lib", ["other_lib"], editable=True)
    before = acme.key()
    acme.touched("other_lib/__init__.py")
    assert acme.key() != before


def test_an_optional_import_that_appears_changes_the_key(acme: Project) -> None:
    acme.write({"acme/near.py": "try:\n    import acme_fast\nexcept ImportError:\n    acme_fast = None\none = 1"})
    before = acme.key()
    acme.write({"acme_fast.py": ""})
    assert acme.key() != before


@pytest.mark.parametrize(
    "text",
    [
        "import importlib\ndef load(name): return importlib.import_module('acme.' + name)\none = 1",
        "from acme_lazy import thing\none = 1",
        "from sealproof.attacks import get_attack\nget_attack('other.5ms')\none = 1",
    ],
)
def test_what_hides_its_imports_rests_on_the_whole_of_its_packages(acme: Project, text: str) -> None:
    acme.write({"acme_lazy/__init__.py": "from acme_lazy import _load\n__getattr__ = _load.attach()"})
    acme.write({"acme_lazy/_load.py": "def attach(): return lambda name: None", "acme_lazy/far.py": ""})
    acme.write({"acme/near.py": text.replace("get_attack('", "() and get_attack('")})
    before = acme.key()
    acme.touched("acme_lazy/far.py" if "lazy" in text else "acme/other.py")
    assert acme.key() != before


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from sealproof.attacks import Attack", set()),
        ("from sealproof.attacks import get_attack\nattack = get_attack('mp3.64kbps+gain.6db')", {"mp3", "gain"}),
        ("from sealproof import attacks\nattack = attacks.get_attack('mp3.64kbps')", {"mp3"}),
        ("import sealproof.attacks\ndef f(name): return sealproof.attacks.get_attack(name)", {"mp3", "gain", "aac"}),
    ],
)
def test_a_plug_in_rests_on_the_attacks_that_it_gets_by_name(acme: Project, text: str, found: set[str]) -> None:
    acme.write({"acme/near.py": f"{text}\none = 1"})
    acme.key()
    closure = Graph("acme").closure(["acme.attack"]).content
    assert {name for name in ("mp3", "gain", "aac") if attack_class(name).__module__ in closure} >= found
    assert (attack_class("mp3").__module__ in closure) is ("mp3" in found)
    assert Attack.__module__ in closure


def test_a_name_that_a_package_imports_when_asked_for_it_is_followed(acme: Project) -> None:
    lazy = """
        _NAMES = {"thing": "acme_lazy.far:thing", "other": "acme_lazy.farther:other"}
        def __getattr__(name):
            import importlib
            module, _, attribute = _NAMES[name].partition(":")
            return getattr(importlib.import_module(module), attribute)
    """
    acme.install("acme-lazy", ["acme_lazy"], editable=True)
    acme.write(
        {"acme_lazy/__init__.py": lazy.replace("importlib.import_module(module)", "__import__('acme_lazy.far')")}
    )
    acme.write({"acme_lazy/far.py": "thing = 1", "acme_lazy/farther.py": "other = 1"})
    acme.write({"acme/near.py": "def f():\n    from acme_lazy import thing\none = 1"})
    before = acme.key()
    acme.touched("acme_lazy/farther.py")
    assert acme.key() == before
    acme.touched("acme_lazy/far.py")
    assert acme.key() != before


def test_code_without_a_file_is_never_taken_for_the_same() -> None:
    script = """
        from sealproof.harness.foundation.code.identity import code_sha256
        class Typed: pass
        print(code_sha256(Typed), code_sha256(Typed))
    """
    done = subprocess.run([sys.executable, "-c", dedent(script)], capture_output=True, text=True, check=True)
    first, second = done.stdout.split()
    assert first != second


def test_what_is_imported_counts_and_not_what_was_written_since(acme: Project) -> None:
    acme.forget()
    module = importlib.import_module("acme.attack")
    near = sys.modules["acme.near"]
    before = code_sha256(module.Attack)
    acme.touched("acme/near.py")
    assert code_sha256(module.Attack) == before
    importlib.reload(near)
    assert code_sha256(module.Attack) != before


def test_functions_and_objects_have_the_code_of_their_modules() -> None:
    from sealproof.attacks import get_attack

    chain = get_attack("mp3.64kbps+white_noise.20db")
    mp3, noise = get_attack("mp3.64kbps"), get_attack("white_noise.20db")
    keys = [code_sha256(one) for one in (chain, mp3, noise, type(chain), get_attack)]
    assert len(set(keys)) == len(keys)
    assert code_sha256(chain) == code_sha256(type(chain), type(mp3), type(noise)) == code_sha256([mp3, noise, chain])


def test_all_attacks_import_no_more_for_their_keys() -> None:
    script = """
        import sys
        from sealproof.attacks import attack_class, list_attacks
        from sealproof.harness.foundation.code.identity import code_sha256
        classes = [attack_class(name) for name in list_attacks()]
        before = set(sys.modules)
        keys = {code_sha256(one) for one in classes}
        print(len(keys) == len(classes), sorted(set(sys.modules) - before))
    """
    done = subprocess.run([sys.executable, "-c", dedent(script)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("True")
    assert not {"torch", "scipy", "lameenc", "tensorflow"} & set(done.stdout.split("'"))


def test_folders_of_code_are_hashed_whole(acme: Project) -> None:
    before = packages_sha256("acme", "acme_dsp")
    acme.write({"acme/notes.txt": "no code", "acme/.venv/lib/site.py": "", "acme/lib/site-packages/other.py": ""})
    assert packages_sha256("acme", "acme_dsp") == before
    acme.write({"acme/deep/new.py": ""})
    assert packages_sha256("acme", "acme_dsp") != before


def test_declared_files_count_by_name_and_content(tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    one, two = folder / "one.bin", folder / "two.bin"
    one.write_bytes(b"1")
    two.write_bytes(b"2")

    def hashes() -> tuple[str, str]:
        return files_sha256([one]), files_sha256([str(folder)])

    before = hashes()
    assert hashes() == before
    two.write_bytes(b"3 4")
    now = hashes()
    assert now[0] == before[0]
    assert now[1] != before[1]
    with pytest.raises(FileNotFoundError):
        files_sha256([tmp_path / "none.bin"])
