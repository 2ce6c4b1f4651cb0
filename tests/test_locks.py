"""What is installed is what the lock says, and the lock is what pyproject.toml asks for."""

import re
import sys
import sysconfig
import tomllib
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = ("3.11", "3.12", "3.13")


def locked(name: str, python: str | None = None) -> dict[str, Requirement]:
    """Read what a lock file has for a Python, this one by default, on Linux; by name."""
    lines = re.findall(r"^([a-z0-9].*?) \\$", (ROOT / "locks" / name).read_text(encoding="utf-8"), re.MULTILINE)
    machine = {} if python is None else machine_with(python)
    wanted = [line for line in map(Requirement, lines) if line.marker is None or line.marker.evaluate(machine)]
    by_name = {str(canonicalize_name(line.name)): line for line in wanted}
    assert len(by_name) == len(wanted)  # no package twice
    return by_name


def machine_with(python: str) -> dict[str, str]:
    return {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "implementation_name": "cpython",
    }


def asked_for(extra: str, python: str) -> list[Requirement]:
    """List the requirements of the project and of an extra, those of the extras that it names among them."""
    asked = [Requirement(text) for text in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"][extra]]]
    for own in [item for item in asked if item.name == "sealproof"]:
        asked += [Requirement(text) for name in own.extras for text in PROJECT["optional-dependencies"][name]]
    return [
        item
        for item in asked
        if item.name != "sealproof" and (item.marker is None or item.marker.evaluate(machine_with(python)))
    ]


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_has_a_version_that_the_project_allows_of_all_it_asks_for(python: str) -> None:
    lock = locked("test.txt", python)
    for item in asked_for("test", python):
        [pin] = lock[canonicalize_name(item.name)].specifier
        assert pin.operator == "=="
        assert item.specifier.contains(pin.version, prereleases=True), f"{item}: locked is {pin.version}"


@pytest.mark.parametrize("name", ["test.txt", "lint.txt", "tox.txt"])
def test_every_line_of_a_lock_has_hashes_and_none_an_address(name: str) -> None:
    text = (ROOT / "locks" / name).read_text(encoding="utf-8")
    for block in re.split(r"\n(?=[a-z0-9])", text)[1:]:
        assert "--hash=sha256:" in block, block
    assert "://" not in text


def test_torchaudio_is_the_one_of_torch() -> None:
    """torchaudio 2.11.1 does not load beside torch 2.11.0, though a range of both let them meet."""
    for lock in (locked("test.txt", python) for python in PYTHONS):
        assert str(lock["torchaudio"].specifier) == str(lock["torch"].specifier)
    pins = {item.name: str(item.specifier) for item in map(Requirement, PROJECT["dependencies"])}
    assert pins["torchaudio"] == pins["torch"]
    assert pins["torch"].startswith("==")
    assert "*" not in pins["torch"]


def test_the_supported_pythons_are_those_of_the_lock() -> None:
    supported = Requirement(f"python{PROJECT['requires-python']}").specifier
    assert [version for version in ("3.10", "3.11", "3.12", "3.13", "3.14") if version in supported] == list(PYTHONS)


def test_what_is_installed_is_what_is_locked() -> None:
    """An environment of tox; one that was made by hand of ranges differs, and its results may, too."""
    installed = installed_versions()
    lock = {name: next(iter(line.specifier)).version for name, line in locked("test.txt").items()}
    differing = {
        name: f"{version}, locked {lock.get(name, 'not at all')}"
        for name, version in installed.items()
        if lock.get(name) != version
    }
    assert not differing, f"Make the environment anew: tox run -r -e {Path(sys.prefix).name}"
    assert set(lock) <= set(installed)


def installed_versions() -> Mapping[str, str]:
    # Of this environment's own folder: setuptools, once imported, shows the packages that it carries inside, too.
    folders = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    versions = {canonicalize_name(item.name): item.version for item in distributions(path=list(folders))}
    return {name: version for name, version in versions.items() if name != "sealproof"}
