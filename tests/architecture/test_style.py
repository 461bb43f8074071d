"""What is asked of every file: short, named for what it does, and explained."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

REPO = Path(__file__).parents[2]
TREES = {str(file.relative_to(REPO)): ast.parse(file.read_text()) for file in sorted((REPO / "automl").rglob("*.py"))}
FILE_LINES = 300
FUNCTION_LINES = 60
EXCUSE = "Over the size limit because "
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "core"}

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def public(body: list[ast.stmt], owner: str = "") -> Iterator[tuple[str, Definition]]:
    """Yields the public functions, classes and methods of a module; not what stands inside functions."""
    for node in body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield f"{owner}{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body, f"{node.name}.")


def test_a_file_is_short() -> None:
    for name, tree in TREES.items():
        lines = len((REPO / name).read_text().splitlines())
        assert lines <= FILE_LINES or EXCUSE in (ast.get_docstring(tree) or ""), (
            f"{name}: {lines} lines: split it, or say in its docstring '{EXCUSE}...'"
        )


def test_a_function_is_short() -> None:
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                docstring = ast.get_docstring(node, clean=False) or ""
                # The explanation is not what makes a function long.
                lines = (node.end_lineno or node.lineno) - node.lineno + 1 - len(docstring.splitlines())
                assert lines <= FUNCTION_LINES or EXCUSE in docstring, (
                    f"{name}:{node.lineno} {node.name}: {lines} lines"
                )


def test_every_public_name_is_explained() -> None:
    for name, tree in TREES.items():
        assert ast.get_docstring(tree), f"{name} has no docstring"
        assert not [f"{name}: {each}" for each, node in public(tree.body) if not ast.get_docstring(node)]


def test_no_drawer_for_odds_and_ends() -> None:
    assert not [name for name in TREES if DRAWERS & {part.removesuffix(".py") for part in Path(name).parts}]


def test_the_catalog_lies_beside_the_code() -> None:
    from automl.document import catalog

    for name in (catalog.SPACES, catalog.DATASETS):
        assert catalog.folder(name) == REPO / name
        assert catalog.names(name)


def test_constraints_are_names_and_versions_only() -> None:
    lines = [line for line in (REPO / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert lines
    assert not [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)]


def test_the_map_shows_every_room() -> None:
    table = (REPO / "CONTRIBUTING.md").read_text().partition("## The rooms of `automl/`")[2]
    shown = [name for row in re.findall(r"^\| (`.+?`) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)]
    assert sorted(shown) == sorted(path.parent.name for path in (REPO / "automl").glob("*/__init__.py"))
