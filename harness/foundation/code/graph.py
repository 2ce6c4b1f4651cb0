"""The graph of imports: which modules a module needs, and which versions of other distributions."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from uuid import uuid4

from sealproof.harness.foundation.code.distributions import owners, sisters
from sealproof.harness.foundation.code.files import file_state, package_files
from sealproof.harness.foundation.code.modules import OWN, Module, find_module, parents
from sealproof.harness.foundation.code.source import Import, Source, literal_strings, looked_up, read_source


@dataclass(frozen=True)
class Node:
    """One module of the graph.

    Attributes:
        content: Hash of its source, by name; of more than it where it hides what it imports.
        versions: Of other distributions that it imports, by name.
        needs: The modules that it imports, and the packages that are imported before it.
    """

    content: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()


class Graph:
    """The imports of one top-level package and of its distribution's others, as far as they are followed."""

    def __init__(self, top: str) -> None:
        """Name the package; nothing is read yet."""
        self._packages = {OWN} if top == OWN else {OWN, *sisters(top)}

    def closure(self, roots: Iterable[str]) -> Node:
        """Return modules and all that they need, as one node that needs nothing."""
        whole = Node()
        todo, seen = list(roots), set[str]()
        while todo:
            name = todo.pop()
            if name and name not in seen:
                seen.add(name)
                node = _own_node(name) if _is_own(name) else self.node(name)
                whole.content.update(node.content)
                whole.versions.update(node.versions)
                todo += node.needs
        return whole

    def whole(self) -> dict[str, str]:
        """Return the hashes of all code of the distribution, or of the top-level package where it has none."""
        return {name: each for top in sorted(self._packages - {OWN}) for name, each in package_files(top).items()}

    def _whole_of(self, source: Source) -> dict[str, str]:
        top = source.name.partition(".")[0]
        return self.whole() if top in self._packages else package_files(top)

    def node(self, name: str) -> Node:
        """Read a module; one that belongs to another distribution, or to Python, is not looked into."""
        node = Node()
        if not self._follows(name, node):
            return node
        module = find_module(name)
        if module is None:
            # Of code without a file nothing is known. What is not there decides what others do, too.
            content = {name: f"unseen {uuid4()}" if sys.modules.get(name) else "missing"}
            return Node(content, node.versions, tuple(parents(name)))
        if module.path is None:
            return Node({}, {}, tuple(parents(name)))
        source = _source(module)
        node.content[name] = source.sha256
        needs = dict.fromkeys([*parents(name), *self._needs(source, node)])
        return Node(node.content, node.versions, tuple(needs))

    def _follows(self, name: str, node: Node) -> bool:
        """Say whether a module counts by its content; the version of what does not is noted in a node."""
        top = name.partition(".")[0]
        if top in self._packages:
            return True
        if top in sys.stdlib_module_names:
            return False
        known = owners(top)
        if not all(owner.is_pinned for owner in known):
            return True
        node.versions.update({owner.name: owner.version for owner in known})
        return not known

    def _needs(self, source: Source, node: Node) -> Iterator[str]:
        if source.hides_imports and not _is_own(source.name):
            node.content.update(self._whole_of(source))
        for wanted in source.imports:
            yield from self._imported(wanted, source, node)

    def _imported(self, wanted: Import, source: Source, node: Node) -> Iterator[str]:
        if not self._follows(wanted.module, node):
            return
        yield wanted.module
        module = find_module(wanted.module)
        if module is None:
            return
        holder = _source(module) if module.path else None
        yield from self._looked_up(holder, wanted.names, source, node)
        if module.search is None:
            return
        for name in _names(wanted.names, holder):
            submodule = find_module(f"{wanted.module}.{name}")
            if submodule is not None:
                yield submodule.name
                yield from self._looked_up(_source(submodule) if submodule.path else None, (), source, node)
            elif holder is not None and holder.bound is not None and name not in holder.bound:
                yield from self._lazily(holder, name, source, node)

    def _lazily(self, holder: Source, name: str, source: Source, node: Node) -> Iterator[str]:
        """Yield what a package imports when it is asked for a name that its `__getattr__` answers."""
        address = holder.registry.get(name)
        if address is not None:
            module, _, attribute = address.partition(":")
            yield from self._imported(Import(module, (attribute,)), source, node)
            return
        for wanted in holder.lazy:
            yield from self._imported(wanted, source, node)
        if not _is_own(holder.name):
            node.content.update(self._whole_of(holder))

    def _looked_up(self, holder: Source | None, names: tuple[str, ...], source: Source, node: Node) -> Iterator[str]:
        """Yield what a source gets by name from the registry of a module that it imports."""
        if holder is None or not holder.registry or (names and not holder.functions.intersection(names)):
            return
        literal_strings, is_any = looked_up(source, holder.functions)
        known = holder.registry
        chosen = {name for text in literal_strings for name in _words(text) if name in known}
        if not _is_own(source.name):
            # Our own code says itself whom it uses where it takes names from outside; a plug-in need not.
            chosen |= set(known if is_any else ())
            if any(_words(text).isdisjoint(known) for text in literal_strings):
                node.content.update(self._whole_of(source))
        yield from (known[name].partition(":")[0] for name in sorted(chosen))


_SOURCES: dict[str, tuple[object, object, Source]] = {}
_OWN_NODES: dict[str, tuple[object, Node]] = {}


def _own_node(name: str) -> Node:
    """Return a node of our own package, which is the same in every graph, once while the module stays as imported."""
    module = sys.modules.get(name)
    loaded = getattr(module, "__spec__", None)
    known = _OWN_NODES.get(name)
    if known is None or loaded is None or known[0] is not loaded:
        known = _OWN_NODES[name] = (loaded, Graph(OWN).node(name))
    return known[1]


def _source(module: Module) -> Source:
    """Read a module's source, once while the module stays as imported: what runs is what was imported."""
    assert module.path is not None  # noqa: S101 - callers ask for modules that have a file
    # Two specs of a module that was imported twice are equal, but not the same.
    loaded, state = module.loaded, None if module.loaded else file_state(module.path)
    known = _SOURCES.get(module.name)
    if known is None or known[0] is not loaded or known[1] != state:
        known = _SOURCES[module.name] = (loaded, state, read_source(module))
    return known[2]


def _is_own(name: str) -> bool:
    return name.partition(".")[0] == OWN


def _names(names: tuple[str, ...], holder: Source | None) -> Iterable[str]:
    """Return the names that are taken from a package; of all names, those that may be submodules."""
    if "*" not in names:
        return names
    return [text for text in literal_strings(holder) if text.isidentifier()] if holder else []


def _words(text: str) -> set[str]:
    """Return the names in an id such as `mp3.64kbps+lowpass.4khz`."""
    return {part.partition(".")[0].strip() for part in text.replace(",", "+").split("+")}
