"""JSON Schemas as plain data: what points where, and a layout that people can read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

WIDTH = 120


def refs(schema: Any) -> Iterator[str]:
    """Yields the name of every definition that a schema points to."""
    if isinstance(schema, dict) and isinstance(schema.get("$ref"), str):
        yield target(schema)
    for child in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from refs(child)


def target(ref: Mapping[str, Any]) -> str:
    """Returns the name of the definition that a reference points to."""
    return str(ref["$ref"]).rpartition("/")[2]


def reached(schema: Any, defs: Mapping[str, Any]) -> set[str]:
    """Returns the names of all definitions that a schema leads to."""
    found: set[str] = set()
    ahead = set(refs(schema))
    while ahead:
        found |= ahead
        ahead = {name for one in ahead for name in refs(defs[one])} - found
    return found


def laid_out(value: Any, indent: int = 0, before: int = 0) -> str:
    """Returns JSON in which whatever fits on one line stands on one line.

    Args:
        value: Plain data.
        indent: Spaces before the lines of what it holds.
        before: Characters that stand before it on its first line.
    """
    line = json.dumps(value, ensure_ascii=False)
    if before + len(line) < WIDTH or not isinstance(value, dict | list) or not value:
        return line
    inner = indent + 2
    if isinstance(value, dict):
        keys = {f"{' ' * inner}{json.dumps(key, ensure_ascii=False)}: ": child for key, child in value.items()}
        lines = [key + laid_out(child, inner, len(key)) for key, child in keys.items()]
    else:
        lines = [" " * inner + laid_out(child, inner, inner) for child in value]
    left, right = "{}" if isinstance(value, dict) else "[]"
    return f"{left}\n" + ",\n".join(lines) + f"\n{' ' * indent}{right}"
