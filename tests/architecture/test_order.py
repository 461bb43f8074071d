"""Which of two scores is better is asked in one place: who knows a direction hands it on, and never looks at it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
ORDER = REPO / "automl" / "records" / "objective.py"
FILES = [file for file in sorted((REPO / "automl").rglob("*.py")) if file != ORDER]
WORDS = {"max", "min"}
POOLING = {"self.kind == 'max'"}
"""The same word of another matter: a pool takes the largest."""


def looks(source: str) -> list[str]:
    """Returns the expressions that decide by a direction: a comparison, a branch, a table's key, a match."""
    found: list[ast.expr] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(_is_word(side) or _is_direction(side) for side in sides):
                found.append(node)
        elif isinstance(node, ast.If | ast.IfExp | ast.While) and _is_direction(node.test):
            found.append(node.test)
        elif isinstance(node, ast.Subscript) and _is_direction(node.slice):
            found.append(node)
        elif isinstance(node, ast.Match) and _is_direction(node.subject):
            found.append(node.subject)
        elif isinstance(node, ast.Call) and _is_lookup(node.func) and any(map(_is_direction, node.args)):
            found.append(node)
    return [ast.unparse(node) for node in found]


def _is_word(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value in WORDS


def _is_direction(node: ast.expr) -> bool:
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return name == "direction"


def _is_lookup(node: ast.expr) -> bool:
    return node.attr in ("get", "index") if isinstance(node, ast.Attribute) else ast.unparse(node) == "getattr"


@pytest.mark.parametrize(
    "source",
    [
        "better = new > old if direction == 'max' else new < old",
        "sign = -1 if search.direction == 'max' else 1",
        "sign = -1 if 'min' != mode else 1",
        "best = {'max': max, 'min': min}[goals.primary.direction]",
        "best = {'max': max}.get(direction, min)",
        "best = getattr(np, objective.direction)",
        "match direction:\n    case 'max': pass",
        "if one.direction != other.direction: pass",
    ],
)
def test_a_comparison_by_a_direction_is_seen(source: str) -> None:
    assert looks(source)


@pytest.mark.parametrize(
    "source",
    [
        "keras.callbacks.EarlyStopping(objective.metric, mode=objective.direction)",
        "keras_tuner.Objective('score', brief.goals.primary.direction)",
        "params = {'direction': objective.direction}",
        "direction = metrics.get(metric, 'max')",
        "low = domain['min']",
    ],
)
def test_a_direction_may_be_handed_on(source: str) -> None:
    assert looks(source) == []


def test_scores_are_compared_in_one_place() -> None:
    assert looks(ORDER.read_text())
    told = [f"{file.relative_to(REPO)}: {found}" for file in FILES for found in looks(file.read_text())]
    assert [each for each in told if each.split(": ", 1)[1] not in POOLING] == [], (
        "ask automl/records/objective.py which of two scores is better"
    )
