"""What DESIGN.md asks of every file: short, named for what it does, and explained."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
FILES = sorted((REPO / "automl").rglob("*.py"))
NAMES = [str(file.relative_to(REPO)) for file in FILES]
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


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_a_file_is_short(file: Path) -> None:
    text = file.read_text()
    if EXCUSE not in (ast.get_docstring(ast.parse(text)) or ""):
        assert len(text.splitlines()) <= FILE_LINES, f"split it, or say in its docstring '{EXCUSE}...'"


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_a_function_is_short(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node, clean=False) or ""
            # The explanation is not what makes a function long.
            lines = (node.end_lineno or node.lineno) - node.lineno + 1 - len(docstring.splitlines())
            assert lines <= FUNCTION_LINES or EXCUSE in docstring, (
                f"{file.name}:{node.lineno} {node.name}: {lines} lines"
            )


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_every_public_name_is_explained(file: Path) -> None:
    tree = ast.parse(file.read_text())
    assert ast.get_docstring(tree), f"{file.name} has no docstring"
    assert not [name for name, node in public(tree.body) if not ast.get_docstring(node)]


@pytest.mark.parametrize("file", FILES, ids=NAMES)
def test_no_drawer_for_odds_and_ends(file: Path) -> None:
    assert not DRAWERS & {part.removesuffix(".py") for part in file.relative_to(REPO).parts}


def test_shelves_lie_beside_the_code() -> None:
    from automl import shelf

    for name in (shelf.SPACES, shelf.DATASETS):
        assert shelf.folder(name) == REPO / name
        assert shelf.names(name)


def test_constraints_are_names_and_versions_only() -> None:
    lines = [line for line in (REPO / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert lines
    assert not [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)]
