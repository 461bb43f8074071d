"""Lines of YAML with a reason behind each, or above it where it does not fit."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from automl.document import yaml_text

WIDTH = 120
COLUMN = 58
"""Where reasons begin."""


def wrapped(text: str, indent: int = 0) -> list[str]:
    """Returns a text as comment lines."""
    lead = f"{' ' * indent}# "
    # Names of columns and classes may hold anything, and a comment must stay in its line.
    return textwrap.wrap(" ".join(text.split()), WIDTH, initial_indent=lead, subsequent_indent=lead)


def noted(lines: Sequence[str], why: str) -> Iterator[str]:
    """Yields lines of YAML with their reason."""
    why = " ".join(why.split())
    line = f"{lines[0]:<{COLUMN - 2}}  # {why}"
    if not why:
        yield from lines
    elif len(lines) == 1 and len(line) <= WIDTH:
        yield line
    else:
        yield from wrapped(why, len(lines[0]) - len(lines[0].lstrip()))
        yield from lines


def entry(key: str, value: Any, why: str, indent: int = 0) -> Iterator[str]:
    """Yields a key and its value with the reason for it."""
    text = yaml_text.dump({key: value}).rstrip()
    if text.startswith("{"):  # a lone scalar comes in braces
        text = text[1:-1]
    yield from noted([" " * indent + line for line in text.splitlines()], why)
