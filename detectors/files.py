"""Files that appear complete or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """Opens a file for writing that takes the place of `path` when the block ends well, and vanishes otherwise.

    Raises:
        OSError: It cannot be written; what was at `path` stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target, because a rename is atomic only within one file system.
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        partial = Path(file.name)
        try:
            yield file
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    # A temporary file is for its owner's eyes only; the finished one is as any other file.
    umask = os.umask(0)
    os.umask(umask)
    try:
        partial.chmod(0o666 & ~umask)
        os.replace(partial, path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
