"""What the diagnosis of a scheme that ships with sealproof says of it."""

import json
from importlib.resources import files

NAME = "diagnosis.json"


def shipped_verdict(scheme: str, version: str) -> tuple[str, ...]:
    """Return the verdict of the diagnosis that lies beside a scheme's weights, sentence by sentence.

    Args:
        scheme: Its name.
        version: The version that was run; a diagnosis of another one says nothing of it.

    Returns:
        Nothing where there is no diagnosis of this version.
    """
    path = files("sealproof.detectors.weights").joinpath(scheme, NAME)
    if not path.is_file():
        return ()
    record = json.loads(path.read_text(encoding="utf-8"))
    return tuple(record["verdict"]["sentences"]) if record["version"] == version else ()
