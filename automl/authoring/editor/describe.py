"""A model's fields and docstring in words, from the JSON Schema that pydantic makes of it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any


def in_words(schema: Mapping[str, Any]) -> str:
    """Says in a few words what a value may be: `integer from 1 to 8192`, `same | valid`, `number above 0 or null`."""
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(in_words(each) for each in schema["anyOf"]))
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        each = schema.get("prefixItems") or [schema.get("items", {})]
        return f"list of {' and '.join(dict.fromkeys(map(in_words, each)))}"
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    kind = schema.get("type") or schema.get("title", "any")
    said = [" or ".join([kind] if isinstance(kind, str) else kind)]
    said += [f"from {_short(low)}"] if low is not None else [f"above {_short(above)}"] if above is not None else []
    said += [f"to {_short(high)}"] if high is not None else [f"below {_short(below)}"] if below is not None else []
    return " ".join(said)


def _short(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:g}"


def paragraphs(docstring: str | None) -> list[str]:
    """Returns the paragraphs of a docstring, each on one line; a part (`Input:`) begins with its name."""
    # A line that follows another one goes on with it; two line ends part paragraphs.
    return re.sub(r"(?<!\n)\n(?!\n)\s*", " ", inspect.cleandoc(docstring or "")).split("\n\n")
