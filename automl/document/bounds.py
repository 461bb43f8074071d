"""How large a document may be: told from the events of its text, before a tree is built of it.

ruamel recurses to build a tree, builds some 5,000 nodes a second, and copies what an alias stands for.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

from ruamel.yaml import YAML
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
)

from automl.errors import ConfigError, Problem

MAX_BYTES = 1 << 20
MAX_DEPTH = 40
MAX_NODES = 20_000
MAX_KEY = 500
"""Characters of a key: it stands in the name of every parameter below it."""
MAX_DIGITS = 300
"""Digits of a whole number: one of more is no float."""
_MANY_DIGITS = re.compile(r"[-+]?[0-9][0-9_]{4299,}")
"""A whole number with more digits than Python reads."""


@dataclass
class _Open:
    """A list or a mapping that has begun and not ended.

    Args:
        began: How many nodes there were before it, with all that aliases stand for.
        anchor: The name that aliases call it by.
        keys: How many nodes it has so far; None for a list. In a mapping, every other one is a key.
    """

    began: int
    anchor: str | None
    keys: int | None


def refuse_excess(text: str, name: str) -> None:
    """Refuses a document deeper or larger than any of ours, with all that its aliases stand for.

    Raises:
        ConfigError: It is; or it holds itself, or has directives.
        ruamel.yaml.error.YAMLError: It is no YAML.
    """
    written = resolved = 0
    # How many nodes each anchor stands for; None while what it names goes on.
    sizes: dict[str, int | None] = {}
    inside: list[_Open] = []
    for event in YAML(typ="safe", pure=True).parse(io.StringIO(text)):
        where = f"{name}:{event.start_mark.line + 1}:{event.start_mark.column + 1}"
        if isinstance(event, DocumentStartEvent) and (event.version or event.tags):
            # `%YAML 1.1` would make `off` a boolean.
            line, received = next((n, line) for n, line in enumerate(text.splitlines(), 1) if line.startswith("%"))
            raise ConfigError(Problem(f"{name}:{line}:1", "directives are not allowed", "YAML 1.2", received))
        if isinstance(event, CollectionEndEvent):
            closed = inside.pop()
            if closed.anchor is not None:
                sizes[closed.anchor] = resolved - closed.began
        if not isinstance(event, NodeEvent):
            continue
        if inside and inside[-1].keys is not None:
            if isinstance(event, CollectionStartEvent) and inside[-1].keys % 2 == 0:
                raise ConfigError(Problem(where, "a key is not a string", "a name", "a list or a mapping"))
            inside[-1].keys += 1
        written += 1
        resolved += _size(event, sizes, where)
        if isinstance(event, CollectionStartEvent):
            inside.append(_Open(resolved - 1, event.anchor, 0 if isinstance(event, MappingStartEvent) else None))
        if event.anchor is not None and not isinstance(event, AliasEvent):
            sizes[event.anchor] = None if isinstance(event, CollectionStartEvent) else 1
        if len(inside) > MAX_DEPTH:
            raise ConfigError(Problem(where, "the document nests too deep", f"at most {MAX_DEPTH} levels"))
        if written > MAX_NODES:
            raise ConfigError(Problem(where, "the document is too large", f"at most {MAX_NODES} keys and values"))
        if resolved > 2 * MAX_NODES:
            raise ConfigError(Problem(where, "the document is too deep or too large once aliases are resolved"))


def _size(event: NodeEvent, sizes: dict[str, int | None], where: str) -> int:
    """Returns how many nodes a node is; what a collection holds follows.

    Raises:
        ConfigError: It is an alias of what it stands in, or a number of thousands of digits.
    """
    if isinstance(event, AliasEvent):
        size = sizes.get(event.anchor, 1)  # one that names nothing is told when the tree is built
        if size is None:
            what = f"the alias *{event.anchor} stands inside of what it names"
            raise ConfigError(Problem(where, what, hint="Write out what is meant"))
        return size
    if isinstance(event, ScalarEvent) and event.style is None and _MANY_DIGITS.fullmatch(event.value):
        what = f"not valid YAML: a number of {len(event.value)} digits"
        raise ConfigError(Problem(where, what, f"at most {MAX_DIGITS}"))
    return 1
