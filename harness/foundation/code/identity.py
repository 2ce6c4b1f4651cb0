"""The hash of the code that classes, functions and objects rest on.

A class rests on its own module and its bases', on what these import, and so on: its *import closure*. What is local,
installed for editing or of the class's own distribution counts by its content; other distributions count by the version
that pins them, and are not looked into. The strings of a lazy registry (`"mp3": "sealproof.attacks.codec:MP3"`) import
nothing, so that one attack does not rest on all others.

Nothing is run or imported for it. What cannot be read off is taken for more than it is: a plug-in that puts together
the name of what it imports rests on the whole of its packages, and code without a file is never the same as any other.
"""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from types import FunctionType

from sealproof.harness.foundation.code.graph import Graph
from sealproof.harness.foundation.files import sha256_json


def code_sha256(*of: object, whole: bool = False) -> str:
    """Hash the import closures of classes, functions and objects together.

    An object rests on its class, and on the objects that its fields hold where it is a dataclass: a chain on its links.
    The names and contents of modules count, and the versions of other distributions; neither folders nor the order of
    the arguments do.

    Args:
        *of: Classes, functions or objects.
        whole: What is not sealproof's rests on all of its distribution's packages, imported or not.

    Raises:
        OSError: A file cannot be read.
        SyntaxError: A module that would be imported is no Python.
    """
    content: dict[str, str] = {}
    versions: dict[str, str] = {}
    coded = {each for cls in of for each in _coded(cls)}
    for each in coded:
        graph = Graph(each.__module__.partition(".")[0])
        bases = each.__mro__ if isinstance(each, type) else (each,)
        closure = graph.closure(base.__module__ for base in bases)
        content |= closure.content
        versions |= closure.versions
        if whole:
            content |= graph.whole()
    names = sorted(f"{each.__module__}.{each.__qualname__}" for each in coded)
    return sha256_json([names, sorted(content.items()), sorted(versions.items())])


def _coded(of: object) -> Iterator[type | FunctionType]:
    """Yield the classes and functions behind something."""
    if isinstance(of, type | FunctionType):
        yield of
    elif isinstance(of, tuple | list):
        for each in of:
            yield from _coded(each)
    elif is_dataclass(of):
        yield type(of)
        for field in fields(of):
            value = getattr(of, field.name)
            if is_dataclass(value) or isinstance(value, tuple | list):
                yield from _coded(value)
    elif type(of).__module__ != "builtins":
        yield type(of)
