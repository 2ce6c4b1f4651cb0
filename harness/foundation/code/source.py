"""What the source of one module says it needs, read without running it."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from sealproof.harness.foundation.code.modules import OWN, Module

_ADDRESS = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
"""What a lazy registry holds: `package.module:Name`."""

_DEFINITION = re.compile(r"^(?:class |def |async def |@)", re.MULTILINE)
_IMPORTING = re.compile(r"\b(?:import|__import__)\b")
_PLAIN_IMPORT = re.compile(
    r"\s+(?:from\s+(?P<source>[A-Za-z_][\w.]*)\s+import\s[^;]*|import\s+(?P<module>[A-Za-z_][\w.]*)(?:\s+as\s+\w+)?)"
    r"\s*(?:#[^;]*)?"
)
_NEEDS_ALL = re.compile(r"""import_module\(|["'][\w.]+:\w+["']|^(?:def )?__getattr__""", re.MULTILINE)

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DEFINITIONS = (*_FUNCTIONS, ast.ClassDef)

_IMPORTERS = {"import_module", "__import__"}
_HIDDEN_IMPORTERS = {"spec_from_file_location", "run_path", "run_module", "SourceFileLoader"}
"""Calls that import what no literal names."""


@dataclass(frozen=True)
class Import:
    """A module that another one imports.

    Attributes:
        module: In full.
        names: What is taken from it, submodules or not; empty for `import module`.
    """

    module: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """What a module's source says.

    Attributes:
        name: The module's, in full.
        sha256: Of its content. The entries of a lazy registry do not count: they are addresses, and import nothing.
        text: The source; empty for compiled code.
        imports: What it imports, inside functions too. What only type checkers see does not count.
        lazy: What its own `__getattr__` imports when somebody asks for a name.
        bound: The names that it binds itself where it has a `__getattr__`; None where it has none.
        registry: Its entries `"name": "package.module:Class"`, by name.
        functions: Its functions; those of a module with a registry may look names up.
        hides_imports: It imports what cannot be read off, such as a name that is put together.
    """

    name: str
    sha256: str
    text: str = ""
    imports: tuple[Import, ...] = ()
    lazy: tuple[Import, ...] = ()
    bound: frozenset[str] | None = None
    registry: Mapping[str, str] = field(default_factory=dict)
    functions: frozenset[str] = frozenset()
    hides_imports: bool = False


def read_source(module: Module) -> Source:
    """Read a module's file.

    Raises:
        OSError: It cannot be read.
    """
    assert module.path is not None  # noqa: S101 - callers ask for modules that have a file
    content = module.path.read_bytes()
    if module.path.suffix != ".py":
        return Source(module.name, sha256(content).hexdigest())
    package = module.name if module.search is not None else module.name.rpartition(".")[0]
    text = content.decode("utf-8", errors="surrogateescape")
    quick = read_quickly(text, package) if module.name.partition(".")[0] == OWN else None
    if quick is not None:
        return Source(module.name, sha256(content).hexdigest(), text, quick)
    tree = ast.parse(content, str(module.path))
    registry = list(_entries(tree))
    getattr_ = next((each for each in tree.body if isinstance(each, _FUNCTIONS) and each.name == "__getattr__"), None)
    statements = list(_statements([each for each in tree.body if each is not getattr_]))
    bound = frozenset(_bound(tree))
    called, hides_imports = _imported_by_call(tree, package)
    return Source(
        name=module.name,
        sha256=sha256(_without(content, registry)).hexdigest(),
        text=text,
        imports=(*_imports(statements, package), *called),
        lazy=tuple(_imports(_statements([getattr_]), package)) if getattr_ else (),
        bound=bound if "__getattr__" in bound else None,
        registry={str(key.value): str(value.value) for key, value in registry},
        functions=frozenset(each.name for each in tree.body if isinstance(each, _FUNCTIONS)),
        hides_imports=hides_imports,
    )


def read_quickly(text: str, package: str) -> tuple[Import, ...] | None:
    """Return what a source imports, or None where only all of its syntax tells.

    Parsing the attacks takes a third of a second, and what is imported inside functions is seldom of our own. So only
    the head of a file is parsed, as long as the lines below it that import something can be read one by one. A line of
    a docstring that looks like an import counts as one.

    Args:
        text: The source.
        package: Against which relative imports are.
    """
    if _NEEDS_ALL.search(text):
        return None
    start = _DEFINITION.search(text)
    head, tail = (text, "") if start is None else (text[: start.start()], text[start.start() :])
    late = []
    for line in tail.splitlines():
        if "import" not in line or not _IMPORTING.search(line):
            continue
        plain = _PLAIN_IMPORT.fullmatch(line)
        name = plain and (plain["source"] or plain["module"])
        if not name or name.partition(".")[0] == OWN:
            return None
        late.append(Import(name))
    try:
        tree = ast.parse(head)
    except SyntaxError:
        # What looked like a definition stands inside a text.
        return None
    return (*_imports(_statements(tree.body), package), *late)


def looked_up(source: Source, functions: Iterable[str]) -> tuple[list[str], bool]:
    """Return the literal names for which a source calls functions that look names up.

    Args:
        source: Who calls.
        functions: As their module calls them.

    Returns:
        The literals, and whether it uses the functions in any other way too.
    """
    tree = ast.parse(source.text.encode("utf-8", errors="surrogateescape"))
    wanted = set(functions)
    local = {
        alias.asname or alias.name
        for each in ast.walk(tree)
        if isinstance(each, ast.ImportFrom)
        for alias in each.names
        if alias.name in wanted
    }

    def is_meant(node: ast.AST) -> bool:
        if isinstance(node, ast.Name):
            return isinstance(node.ctx, ast.Load) and node.id in local
        return isinstance(node, ast.Attribute) and node.attr in wanted

    literals, n_uses, n_literal = [], 0, 0
    for node in ast.walk(tree):
        n_uses += is_meant(node)
        if isinstance(node, ast.Call) and is_meant(node.func) and (text := _literal(node.args[:1])) is not None:
            literals.append(text)
            n_literal += 1
    return literals, n_uses > n_literal


def literal_strings(source: Source) -> Iterator[str]:
    """Yield all literal strings of a source."""
    for node in ast.walk(ast.parse(source.text.encode("utf-8", errors="surrogateescape"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _statements(body: Sequence[ast.AST], *, into_definitions: bool = True) -> Iterator[ast.AST]:
    """Yield statements and those inside of them, but for what only type checkers see."""
    for node in body:
        yield node
        if isinstance(node, _DEFINITIONS) and not into_definitions:
            continue
        if isinstance(node, ast.If) and _is_type_checking(node.test):
            yield from _statements(node.orelse, into_definitions=into_definitions)
            continue
        for inner in ("body", "orelse", "finalbody", "handlers", "cases"):
            nested = getattr(node, inner, None)
            if isinstance(nested, list):
                yield from _statements(nested, into_definitions=into_definitions)


def _is_type_checking(test: ast.expr) -> bool:
    return "TYPE_CHECKING" in (getattr(test, "id", ""), getattr(test, "attr", ""))


def _imports(statements: Iterable[ast.AST], package: str) -> Iterator[Import]:
    for node in statements:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name)
        elif isinstance(node, ast.ImportFrom):
            module = _absolute("." * node.level + (node.module or ""), package)
            yield Import(module, tuple(alias.name for alias in node.names))


def _absolute(name: str, package: str) -> str:
    """Write a relative module's name in full: `..b` in `a.c` is `a.b`."""
    rest = name.lstrip(".")
    level = len(name) - len(rest)
    if not level:
        return name
    base = package.split(".")
    base = base[: len(base) - level + 1]
    return ".".join(filter(None, [*base, rest]))


def _imported_by_call(tree: ast.AST, package: str) -> tuple[list[Import], bool]:
    imports, hides = [], False
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", "") or getattr(node.func, "attr", "")
        if name in _HIDDEN_IMPORTERS:
            hides = True
        elif name in _IMPORTERS:
            text = _literal(node.args[:1])
            if text is None:
                hides = True
            else:
                imports.append(Import(_absolute(text, package)))
    return imports, hides


def _literal(arguments: Sequence[ast.expr]) -> str | None:
    first = arguments[0] if arguments else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None


def _bound(tree: ast.Module) -> Iterator[str]:
    """Yield the names that a module's top level binds when it is run."""
    for node in _statements(tree.body, into_definitions=False):
        if isinstance(node, _DEFINITIONS):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((alias.asname or alias.name).partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.stmt):
            names = (each for each in ast.walk(node) if isinstance(each, ast.Name))
            yield from (each.id for each in names if isinstance(each.ctx, ast.Store))


def _entries(tree: ast.AST) -> Iterator[tuple[ast.Constant, ast.Constant]]:
    """Yield the entries of lazy registries."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(value, ast.Constant) and _is_entry(key, value):
                    yield key, value


def _is_entry(key: ast.Constant, value: ast.Constant) -> bool:
    return isinstance(key.value, str) and isinstance(value.value, str) and bool(_ADDRESS.fullmatch(value.value))


def _without(content: bytes, entries: Sequence[tuple[ast.Constant, ast.Constant]]) -> bytes:
    """Cut the entries of registries out of a source, each with its comma and the white space behind it."""
    if not entries:
        return content
    starts = [0]
    for line in content.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for key, value in sorted(entries, key=lambda entry: (entry[0].lineno, entry[0].col_offset), reverse=True):
        start = starts[key.lineno - 1] + key.col_offset
        end = starts[(value.end_lineno or value.lineno) - 1] + (value.end_col_offset or 0)
        behind = re.compile(rb"\s*,?\s*").match(content, end)
        content = content[:start] + content[behind.end() if behind else end :]
    return content
