"""One style where ruff has no rule for it: how errors are raised, and what mood and marks docstrings use."""

import ast
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("attacks", "detectors", "harness")

STATING = {
    *("Adds", "Applies", "Attacks", "Builds", "Checks", "Compares", "Copies", "Counts", "Decodes", "Draws"),
    *("Encodes", "Fetches", "Filters", "Finds", "Fits", "Gives", "Joins", "Keeps", "Loads", "Looks"),
    *("Makes", "Measures", "Moves", "Opens", "Puts", "Raises", "Reads", "Removes", "Replaces", "Resamples"),
    *("Returns", "Rounds", "Runs", "Says", "Scores", "Sets", "Splits", "Takes", "Tells", "Trains"),
    *("Transforms", "Turns", "Updates", "Verifies", "Writes", "Yields"),
}
"""Verbs as they would open a docstring in the indicative: `Returns` for `Return`. No nouns in the plural."""


def modules() -> Iterator[tuple[str, ast.Module]]:
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def blocks(tree: ast.Module) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(tree):
        for field in ("body", "orelse", "finalbody"):
            if isinstance(block := getattr(node, field, None), list):
                yield block


def is_told_and_raised(first: ast.stmt, then: ast.stmt) -> bool:
    """Tell whether a variable is given a text only to be raised in the next statement."""
    return (
        isinstance(first, ast.Assign)
        and isinstance(first.targets[0], ast.Name)
        and isinstance(then, ast.Raise)
        and isinstance(then.exc, ast.Call)
        and any(isinstance(each, ast.Name) and each.id == first.targets[0].id for each in then.exc.args)
    )


def test_an_error_is_raised_with_its_text_and_without_a_variable() -> None:
    found = [
        f"{name}:{then.lineno}"
        for name, tree in modules()
        for block in blocks(tree)
        for first, then in pairwise(block)
        if is_told_and_raised(first, then)
    ]
    assert not found


def test_docstrings_of_functions_ask_and_do_not_state() -> None:
    functions = [
        (name, node) for name, tree in modules() for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)
    ]
    assert len(functions) > 1000
    found = [
        f"{name}:{node.lineno} {node.name}"
        for name, node in functions
        if (ast.get_docstring(node) or "").split(" ")[0] in STATING
    ]
    assert not found


def test_code_in_a_docstring_stands_in_one_tick() -> None:
    assert not [
        name
        for name, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "``" in node.value
    ]
