"""The hash of the code that classes and functions rest on.

A class rests on its own module and its bases', on what these import, and so on: its *import closure*. What is local,
installed for editing or of the class's own distribution counts by its content; other distributions count by the version
that pins them, and are not looked into. The strings of a lazy registry (`"mp3": "sealproof.attacks.codec:MP3"`) import
nothing, so that one attack does not rest on all others.

Nothing is run or imported for it. What cannot be read off is taken for more than it is: a plug-in that puts together
the name of what it imports rests on the whole of its packages, and code without a file is never the same as any other.
"""

from types import FunctionType

from sealproof.harness.foundation.code.graph import Graph
from sealproof.harness.foundation.files import sha256_json

Code = type | FunctionType
"""What has code of its own."""


def code_sha256(*of: Code, whole: bool = False) -> str:
    """Hash the import closures of classes and functions together.

    The names and contents of modules count, and the versions of other distributions; neither folders nor the order of
    the arguments do.

    Args:
        *of: Classes and functions.
        whole: What is not sealproof's rests on all of its distribution's packages, imported or not.

    Raises:
        OSError: A file cannot be read.
        SyntaxError: A module that would be imported is no Python.
    """
    content: dict[str, str] = {}
    versions: dict[str, str] = {}
    for each in of:
        graph = Graph(each.__module__.partition(".")[0])
        bases = each.__mro__ if isinstance(each, type) else (each,)
        closure = graph.closure(base.__module__ for base in bases)
        content |= closure.content
        versions |= closure.versions
        if whole:
            content |= graph.whole()
    names = sorted({f"{each.__module__}.{each.__qualname__}" for each in of})
    return sha256_json([names, sorted(content.items()), sorted(versions.items())])
