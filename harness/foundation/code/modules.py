"""Where a module's file is, without importing it."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

OWN = __name__.partition(".")[0]
"""The top-level package that this file belongs to."""

_CODE_SUFFIXES = (".py", *EXTENSION_SUFFIXES)

_NO_CODE = {"__pycache__", "node_modules", "site-packages"}
"""Folders that hold none of a package's own; nor do hidden ones, such as `.venv`."""


@dataclass(frozen=True)
class Module:
    """A module that is imported, or could be.

    Attributes:
        name: In full.
        path: Its file; None for a package without `__init__.py`.
        search: Where its submodules are looked for; None for a module that is no package.
        loaded: What it was imported by, another object each time that it is; None where it is not imported.
    """

    name: str
    path: Path | None
    search: tuple[str, ...] | None
    loaded: object | None = None

    def files(self) -> Iterator[tuple[str, Path]]:
        """Yield all files of code in it and below it, by a name that is the same on every machine."""
        if self.search is None:
            if self.path is not None:
                yield self.path.name, self.path
            return
        for top in self.search:
            for folder, below, names in os.walk(top):
                below[:] = sorted(name for name in below if name not in _NO_CODE and not name.startswith("."))
                for path in (Path(folder, name) for name in sorted(names) if name.endswith(_CODE_SUFFIXES)):
                    yield f"{self.name}/{path.relative_to(top).as_posix()}", path


def find_module(name: str) -> Module | None:
    """Return where a module's code is, or None where there is none to be read: it is missing or built in.

    Of a module that is imported, it says what was imported. No module is imported for it, not even a package for what
    is in it: its finders are asked as `import` asks them.
    """
    if name in sys.modules:
        module = sys.modules[name]
        file, search = getattr(module, "__file__", None), getattr(module, "__path__", None)
        if file is None and search is None:
            return None
        loaded = getattr(module, "__spec__", None) or module
        return Module(name, Path(file) if file else None, None if search is None else tuple(search), loaded)
    parent = name.rpartition(".")[0]
    within = find_module(parent) if parent else None
    if parent and (within is None or within.search is None):
        return None
    path = list(within.search or ()) if within else None
    for finder in sys.meta_path:
        find_spec = getattr(finder, "find_spec", None)
        spec = find_spec(name, path) if find_spec else None
        if spec is not None:
            locations = spec.submodule_search_locations
            if not spec.has_location and locations is None:
                return None
            origin = Path(spec.origin) if spec.has_location and spec.origin else None
            return Module(name, origin, None if locations is None else tuple(locations))
    return None


def parents(name: str) -> list[str]:
    """Return the packages that are imported before a module: `a.b.c` -> `a`, `a.b`."""
    parts = name.split(".")
    return [".".join(parts[:at]) for at in range(1, len(parts))]
