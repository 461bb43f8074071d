"""Constraints between parameters: a small expression language, read once, evaluated for every candidate.

`sum(recurrent.units) <= 256`, `conv_2.filters >= conv.filters`, `training.optimizer != 'sgd' or dense.repeat < 2`.
Names are those of parameters and of literals that stand in the document; one with `each` is the list of its values.
Nothing is run: the expression is parsed by Python's own parser and walked by the few rules below.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

FUNCTIONS: dict[str, Callable[..., Any]] = {"sum": sum, "max": max, "min": min, "len": len, "abs": abs}
_WORDS = {"true": "True", "false": "False", "null": "None", "True": "True", "False": "False", "None": "None"}
_CONNECTIVES = ("and", "or", "not", "in")
_ARITHMETIC: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
}
_COMPARISONS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda one, many: one in many,
    ast.NotIn: lambda one, many: one not in many,
}
NOT_COMPUTED = (LookupError, ValueError, TypeError, ArithmeticError)
"""What keeps an expression from having a value at a point."""
MAX_LENGTH = 1_000
MAX_DEPTH = 200
"""Operations inside of each other: a sum of as many parts."""
_TOKEN = re.compile(
    r"(?P<text>'[^']*'|\"[^\"]*\")|(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?)"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*)"
)


class NotARule(ValueError):  # noqa: N818 - as the message says it
    """A text that is no constraint; the message says why."""


@dataclass(frozen=True)
class Constraint:
    """One constraint.

    Args:
        text: As written.
        tree: Parsed, with a placeholder for every name.
        names: Placeholder to the name it stands for.
        lists: Names that stand for one value per repeat, with the parameters behind them.
        literals: Names that have one value in every trial.
    """

    text: str
    tree: ast.expr
    names: Mapping[str, str]
    lists: Mapping[str, tuple[str, ...]]
    literals: Mapping[str, Any]

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Tells whether a point obeys it; one that lacks a parameter, or has a null to be compared, does.

        Args:
            values: The point's active values by parameter name.
        """
        try:
            return bool(self.compute(values))
        except NOT_COMPUTED:
            return True

    def compute(self, values: Mapping[str, Any]) -> Any:
        """Returns what the expression is at a point.

        Raises:
            LookupError: The point lacks a parameter.
            TypeError: The values cannot be computed with, such as null with a number.
            ValueError: The largest of an empty list.
            ArithmeticError: A division by zero, or a number that is too large.
        """
        return _value(self.tree, {placeholder: self._known(name, values) for placeholder, name in self.names.items()})

    def searched(self) -> list[str]:
        """Returns the parameters it speaks of."""
        found: list[str] = []
        for name in self.names.values():
            found += self.lists.get(name, () if name in self.literals else (name,))
        return found

    def _known(self, name: str, values: Mapping[str, Any]) -> Any:
        if name in self.lists:
            return [values[each] for each in self.lists[name] if each in values]
        return self.literals[name] if name in self.literals else values[name]


def parse(text: str) -> tuple[ast.expr, dict[str, str]]:
    """Parses a constraint.

    Returns:
        The tree, and the names behind its placeholders.

    Raises:
        NotARule: It is no expression of this language.
    """
    if len(text) > MAX_LENGTH:
        raise NotARule(f"the constraint is longer than {MAX_LENGTH} characters")
    names: dict[str, str] = {}

    def placeholder(match: re.Match[str]) -> str:
        word = match["word"]
        if word is None or word in _CONNECTIVES:
            return match[0]
        if word in FUNCTIONS and text[match.end() :].lstrip().startswith("("):
            return match[0]
        if word in _WORDS:
            return _WORDS[word]
        return next((p for p, name in names.items() if name == word), None) or _new(names, word)

    try:
        tree = ast.parse(_TOKEN.sub(placeholder, text).strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise NotARule("the constraint is no expression") from error
    _refuse(tree, names)
    if _depth(tree) > MAX_DEPTH:
        raise NotARule(f"the constraint has more than {MAX_DEPTH} operations inside of each other")
    if not isinstance(tree, ast.Compare | ast.BoolOp | ast.Name) and not (
        isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not)
    ):
        raise NotARule("the constraint compares nothing")
    return tree, names


def _new(names: dict[str, str], word: str) -> str:
    placeholder = f"_{len(names)}"
    names[placeholder] = word
    return placeholder


def _depth(tree: ast.expr) -> int:
    depth, level = 0, [tree]
    while level:
        depth += 1
        level = [child for node in level for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr)]
    return depth


def _refuse(tree: ast.expr, names: Mapping[str, str]) -> None:
    """Refuses everything the language does not have."""
    allowed = (
        *(ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.BinOp, ast.Compare, ast.Call, ast.Name, ast.Load),
        *(ast.Constant, ast.List, ast.Tuple, *_ARITHMETIC, *_COMPARISONS),
    )
    for node in ast.walk(tree):
        if not isinstance(node, allowed):
            raise NotARule(f"a constraint has no {_what(node)}")
        if isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS):
            raise NotARule("a constraint calls nothing else")
        if isinstance(node, ast.Call) and (node.keywords or len(node.args) < 1):
            raise NotARule("a function of a constraint takes plain values")
        if isinstance(node, ast.Name) and node.id not in names and node.id not in FUNCTIONS:
            raise NotARule(f"the constraint names {node.id!r}")
        if isinstance(node, ast.Constant) and not isinstance(node.value, bool | int | float | str | None):
            raise NotARule(f"a constraint has no {type(node.value).__name__}")


def _what(node: ast.AST) -> str:
    words = {"Attribute": "attributes", "Subscript": "[indices]", "Lambda": "functions", "Pow": "powers"}
    return words.get(type(node).__name__, f"{type(node).__name__.lower()} expression")


def _value(node: ast.expr, known: Mapping[str, Any]) -> Any:
    """Returns the value of a parsed expression."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return known[node.id]
    if isinstance(node, ast.List | ast.Tuple):
        return [_value(item, known) for item in node.elts]
    if isinstance(node, ast.BoolOp):
        parts = (_value(part, known) for part in node.values)
        return all(parts) if isinstance(node.op, ast.And) else any(parts)
    if isinstance(node, ast.UnaryOp):
        return _ARITHMETIC[type(node.op)](_value(node.operand, known))
    if isinstance(node, ast.BinOp):
        return _ARITHMETIC[type(node.op)](_numeric(_value(node.left, known)), _numeric(_value(node.right, known)))
    if isinstance(node, ast.Compare):
        values = [_value(part, known) for part in (node.left, *node.comparators)]
        pairs = zip(values, node.ops, values[1:], strict=False)
        return all(_COMPARISONS[type(op)](left, right) for left, op, right in pairs)
    assert isinstance(node, ast.Call)
    assert isinstance(node.func, ast.Name)
    return FUNCTIONS[node.func.id](*(_value(argument, known) for argument in node.args))


def _numeric(value: Any) -> Any:
    # Python would repeat a text or a list that is multiplied, as long as memory lasts.
    if isinstance(value, str | list):
        raise TypeError("arithmetic is for numbers")
    return value
