"""What stands in a space's document in the place of its domains, and how values are put back there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from automl.space.domains import Domain, Range

GROUP = "stack"
"""The block that only holds others: what a choice between lists resolves to."""

Values = Mapping[str, Any]
"""The searched, active values of a trial by parameter name, as plain data."""


class Tail(tuple[int, ...]):
    """The counts of a repeat from one of them on: a thousand repeats have as many, which are never looked through."""

    __slots__ = ()


@dataclass(frozen=True)
class Condition:
    """A parameter exists only while parameter `name` exists and has one of `values`."""

    name: str
    values: tuple[Any, ...]

    def holds(self, values: Values) -> bool:
        """Tells whether it is met by the values fixed so far."""
        if self.name not in values:
            return False
        value = values[self.name]
        if isinstance(self.values, Tail):
            return type(value) is int and bool(self.values) and value >= self.values[0]
        return repr(value) in self._texts

    @cached_property
    def _texts(self) -> frozenset[str]:
        # By text: as `same` does, it tells 1, 1.0 and true apart, and a long list of values is met at once.
        return frozenset(repr(value) for value in self.values)


@dataclass(frozen=True)
class Param:
    """A searched leaf.

    Args:
        name: Its path, the one name it has in YAML, `--set`, the journal, MLflow and reports.
        domain: What it may be.
        conditions: All must hold for it to exist; the whole chain of ancestors once the space is built.
        path: Where its domain stands in the document, for messages.
    """

    name: str
    domain: Domain
    conditions: tuple[Condition, ...] = ()
    path: tuple[str | int, ...] = ()

    def counts(self) -> Sequence[int]:
        """Returns what a repeat may be, in order; nothing where it is no whole number, of which the schema tells."""
        if isinstance(self.domain, Range):
            return self.domain.points() if self.domain.whole else ()
        return sorted(value for value in self.domain.values if type(value) is int)

    def at_least(self, count: int) -> Condition:
        """Returns the condition that a repeat is `count` or more."""
        return Condition(self.name, Tail(each for each in self.counts() if each >= count))


@dataclass(frozen=True)
class Leaf:
    """The place of a parameter in the document."""

    param: str


@dataclass(frozen=True)
class Each:
    """The place of one parameter per repeat; resolves to `{each: [...]}`."""

    params: tuple[str, ...]


@dataclass(frozen=True)
class Variant:
    """The place of a `one_of`; resolves to `{branch: {...}}`."""

    param: str
    branches: Mapping[str, Any]


@dataclass(frozen=True)
class Spread:
    """The place of a literal `{each: [...]}` behind a searched repeat; resolves to a value per repeat.

    Args:
        repeat: The parameter that counts the repeats.
        values: The values; the last one holds for the rest.
    """

    repeat: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Fork:
    """The place of a choice between lists of blocks; resolves to `{stack: {name, blocks}}`."""

    param: str
    name: str
    branches: Mapping[str, Any]


def resolve(node: Any, values: Values) -> Any:
    """Returns a part of a document with values in the places of parameters; `ABSENT` where one is inactive."""
    if isinstance(node, Leaf):
        return values.get(node.param, ABSENT)
    if isinstance(node, Each):
        found = [values[name] for name in node.params if name in values]
        return {"each": found} if found else ABSENT
    if isinstance(node, Spread):
        count = values.get(node.repeat, 0)
        found = [node.values[min(number, len(node.values) - 1)] for number in range(count)]
        return {"each": found} if found else ABSENT
    if isinstance(node, Fork):
        if node.param not in values:
            return ABSENT
        # An empty branch too: a list that holds nothing else stays a list of blocks.
        return {GROUP: {"name": node.name, "blocks": resolve(node.branches[values[node.param]], values)}}
    if isinstance(node, Variant):
        if node.param not in values:
            return ABSENT
        branch = values[node.param]
        return {branch: resolve(node.branches[branch], values)}
    if isinstance(node, dict):
        resolved = {key: resolve(child, values) for key, child in node.items()}
        return {key: child for key, child in resolved.items() if child is not ABSENT}
    if isinstance(node, list):
        return [child for child in (resolve(item, values) for item in node) if child is not ABSENT]
    return node


class _Absent:
    """What an inactive leaf resolves to: its key is left out and the field's own default holds."""


ABSENT = _Absent()
