"""The code behind a class as a hash, so that changed code is never hidden by stored numbers."""

import sys
from functools import cache
from pathlib import Path

from sealproof.harness.foundation.files import sha256_file, sha256_json


@cache
def code_sha256(cls: type) -> str:
    """Hash the code behind a class, so that changed code is never hidden by stored numbers.

    That is every file of its package, as a class rests on the files beside its own; of a module outside any package it
    is the one file.
    """
    module = sys.modules[cls.__module__]
    if not module.__package__ or module.__file__ is None:
        return sha256_file(Path(module.__file__)) if module.__file__ else f"{cls.__module__}.{cls.__qualname__}"
    folders = [Path(folder) for folder in sys.modules[module.__package__].__path__]
    files = sorted(path for folder in folders for path in folder.glob("*.py"))
    return sha256_json([(path.name, sha256_file(path)) for path in files])
