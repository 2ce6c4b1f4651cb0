"""Which project a pytest session is about: the folder that its paths start from, and the ini file with its settings.

pytest looks for its ini file from the paths on its command line before it knows any plugin's options. In
`pytest --robustness-dataset /elsewhere/demo` it takes the dataset for such a path, and may so read another project's
ini file, or none: settings like `robustness_strict` would be lost in silence. So the ini file is looked for once more,
from the tests alone.
"""

import configparser
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from os.path import commonpath
from pathlib import Path

import pytest

_PREFIX = "robustness_"

_SECTIONS = {
    "pytest.toml": ("pytest",),
    ".pytest.toml": ("pytest",),
    "pytest.ini": ("pytest",),
    ".pytest.ini": ("pytest",),
    "pyproject.toml": ("tool.pytest.ini_options", "tool.pytest"),
    "tox.ini": ("pytest",),
    "setup.cfg": ("tool:pytest",),
}
"""Files that pytest reads its settings from and their sections, in its order."""


@dataclass(frozen=True)
class Project:
    """Whose cells a session runs.

    Attributes:
        root: The folder that relative paths start from.
        folders: Where the baseline is looked for, in this order; none stands twice.
        unread: The project's ini file, where pytest read another or none; None where it read this one.
        settings: The robustness settings of `unread`, by name (`robustness_strict`).
        note: What is to be told of it; empty when all is as it should be.
    """

    root: Path
    folders: tuple[Path, ...]
    unread: Path | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    def baseline(self, path: str) -> Path:
        """Return where a baseline is: beside the ini file or in the invocation folder; else where it will be made."""
        places = [folder / path for folder in self.folders]
        return next((place for place in places if place.is_file()), places[0])


def project_of(config: pytest.Config) -> Project:
    """Find the project of a session's tests.

    Raises:
        pytest.UsageError: An ini file that pytest did not read cannot be read.
    """
    here = config.invocation_params.dir
    read = config.inipath
    start = _tests_folder(config, here)
    is_chosen = bool(config.getoption("inifilename", None) or config.getoption("rootdir", None))
    own = None if is_chosen else _own_ini(start)
    if own is not None and not _same(own[0], read):
        path, settings = own
        root = path.parent
        what = f"read {read}" if read else "read no ini file"
        note = (
            f"Mind: pytest took {config.rootpath} for its root folder and {what}, not {path}: did a path stand after a "
            f"blank, as in --robustness-dataset PATH? Write --robustness-dataset=PATH. The robustness settings of "
            f"{path} hold all the same; its other settings do not."
        )
        return Project(root, _unlike(root, here), path, settings, note)
    root = config.rootpath
    if read is None and not is_chosen and not (root / "setup.py").is_file():
        # As pytest does where no path misleads it.
        root = Path(commonpath([here, start]))
    note = ""
    if not _same(root, config.rootpath):
        note = f"Mind: pytest took {config.rootpath} for its root folder; relative paths start from {root}."
    return Project(root, _unlike(*([read.parent] if read else []), root, here), note=note)


def _tests_folder(config: pytest.Config, here: Path) -> Path:
    """Return the folder that holds all tests of the session."""
    paths = [(here / argument.split("::", 1)[0]).resolve() for argument in config.args]
    folders = [path if path.is_dir() else path.parent for path in paths if path.exists()]
    try:
        return Path(commonpath(folders)) if folders else here
    except ValueError:
        # On different drives.
        return here


def _own_ini(start: Path) -> tuple[Path, dict[str, str]] | None:
    """Return the nearest ini file at or above a folder that pytest would read, if it has robustness settings."""
    for folder in (start, *start.parents):
        for name, sections in _SECTIONS.items():
            path = folder / name
            settings = _settings(path, sections) if path.is_file() else None
            if settings is not None or (path.is_file() and "pytest." in name):
                robustness = _robustness(settings or {})
                return (path, robustness) if robustness else None
    return None


def _settings(path: Path, sections: tuple[str, ...]) -> dict[str, str] | None:
    """Return pytest's settings of a file as text; None when it has none."""
    try:
        if path.suffix == ".toml":
            with path.open("rb") as file:
                content = tomllib.load(file)
            for section in sections:
                table = content
                for key in section.split("."):
                    table = table.get(key, {})
                if table:
                    return {key: _text(value) for key, value in table.items()}
            return None
        parser = configparser.ConfigParser(interpolation=None, strict=False, allow_no_value=True)
        parser.read_string(path.read_text(encoding="utf-8-sig"))
        first_section = next((section for section in sections if parser.has_section(section)), None)
        return None if first_section is None else {key: value or "" for key, value in parser.items(first_section)}
    except (OSError, ValueError, configparser.Error) as error:
        raise pytest.UsageError(f"{path} cannot be read for settings of robustness ({error}).") from error


def _text(value: object) -> str:
    return shlex.join(map(str, value)) if isinstance(value, list) else str(value)


def _robustness(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the robustness settings, those in `addopts` among them: they come before the others, as for pytest."""
    robustness = {name: value for name, value in settings.items() if name.startswith(_PREFIX)}
    words = shlex.split(settings.get("addopts", ""))
    for word, following in pairwise([*words, "-"]):
        if word.startswith("--robustness-"):
            option, equals, value = word.removeprefix("--").partition("=")
            given = value if equals else "true" if following.startswith("-") else following
            robustness[option.replace("-", "_")] = given
    return robustness


def is_true(text: str) -> bool:
    """Read a yes or no of an ini file, as pytest does.

    Raises:
        pytest.UsageError: It is neither.
    """
    word = text.strip().lower()
    if word not in ("1", "yes", "true", "on", "0", "no", "false", "off", ""):
        raise pytest.UsageError(f"A robustness setting must be true or false. Got {text}.")
    return word in ("1", "yes", "true", "on")


def _same(path: Path, other: Path | None) -> bool:
    return other is not None and path.resolve() == other.resolve()


def _unlike(*folders: Path) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(folder.resolve() for folder in folders))
