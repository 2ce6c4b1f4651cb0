"""Symbolic links: none is followed inside a dataset, as it may lead to files that the user did not name."""

import os
from pathlib import Path

from sealproof.harness.foundation.errors import HarnessError


def links_within(root: Path) -> list[str]:
    """Return the symbolic links at any depth below a folder, sorted, relative to it; `root` itself may be one."""
    links = []
    for folder, folders, files in os.walk(root, followlinks=False):
        links += [path for name in (*folders, *files) if (path := Path(folder, name)).is_symlink()]
    return sorted(path.relative_to(root).as_posix() for path in links)


def refuse_links(root: Path) -> None:
    """Refuse a dataset with symbolic links inside.

    Raises:
        HarnessError: There is one.
    """
    links = links_within(root)
    if links:
        raise HarnessError(
            f"{root} must hold no symbolic links, for a dataset's files are its own. Got {len(links)}: "
            f"{', '.join(links[:3])}. Put the files themselves in their place (`cp -rL` copies them)."
        )
