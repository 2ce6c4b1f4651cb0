"""What is built is the whole package, whether or not the checkout has the links in `sealproof/`."""

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
Tracked = Callable[..., list[str]]
FOLDERS = ("attacks", "detectors", "harness")
"""The folders at the top that are installed below `sealproof`."""

BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"


def keep(link: Path) -> None:
    """Leave a link as it is."""


def write_as_text(link: Path) -> None:
    """Do what git does where links are switched off, as on Windows: a text file that holds the target."""
    target = link.readlink()
    link.unlink()
    link.write_text(str(target), encoding="utf-8")


def files_of_wheel(tmp_path: Path, files: list[str], change: Callable[[Path], None]) -> list[str]:
    """Copy the checkout, change its links, build a wheel with the setuptools that is installed, list what it holds."""
    checkout = tmp_path / "checkout"
    for name in files:
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, checkout / name, follow_symlinks=False)
    for link in [path for path in (checkout / "sealproof").iterdir() if path.is_symlink()]:
        change(link)
    command = [sys.executable, "-c", BUILD, str(tmp_path)]
    built = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return sorted(name for name in archive.namelist() if ".dist-info/" not in name)


@pytest.mark.parametrize("change", [keep, Path.unlink, write_as_text])
def test_a_wheel_holds_each_file_of_the_package_once_with_links_and_without(
    tmp_path: Path, change: Callable[[Path], None], tracked: Tracked
) -> None:
    files = tracked()
    package = [name for name in files if name.startswith("sealproof/") and not (ROOT / name).is_symlink()]
    expected = [f"sealproof/{name}" for name in files if name.startswith(tuple(f"{top}/" for top in FOLDERS))]
    assert files_of_wheel(tmp_path, files, change) == sorted(package + expected)


def test_the_links_are_for_exactly_the_folders_that_are_installed() -> None:
    links = {path.name: str(path.readlink()) for path in (ROOT / "sealproof").iterdir() if path.is_symlink()}
    if not links:
        pytest.skip("This checkout was made without links.")
    assert links == {name: f"../{name}" for name in FOLDERS}
