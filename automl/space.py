"""Domains, conditions, and the two ways out of a space: `declare` for Keras Tuner, `resolve` for one trial.

A space is a document in which some leaves are domains. `read` finds them and names each by its path; `declare` turns
them into a static `keras_tuner.HyperParameters`; `resolve` puts values back in their places, which gives the document
of one trial: the same grammar, literals only.

```
{min: 1, max: 8, step: 1, log: false, default: 4}    Range
{values: [relu, tanh], default: relu}                Choice
{one_of: {adam: {...}, sgd: {...}}}                  Variant: only the chosen branch's leaves exist
repeat: {min: 0, max: 3}                             how often a block stands; its leaves exist from 1 on
{min: 16, max: 64, each: true}                       a value of its own for every repeat
{min: 0, max: 1, when: {recurrent.cell: [lstm]}}     exists only beside these values
```
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from automl.domains import Choice, Domain, Range, same

if TYPE_CHECKING:
    import keras_tuner

Values = Mapping[str, Any]
"""The searched, active values of a trial by parameter name, as plain data."""


@dataclass(frozen=True)
class Condition:
    """A parameter exists only while parameter `name` exists and has one of `values`."""

    name: str
    values: tuple[Any, ...]

    def holds(self, values: Values) -> bool:
        """Tells whether it is met by the values fixed so far."""
        return self.name in values and any(same(values[self.name], value) for value in self.values)


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
class Space:
    """A document with named domains.

    Args:
        tree: The document, with `Leaf`, `Each` and `Variant` where its domains stand.
        params: Every parameter, parents before children, each with its full chain of conditions.
    """

    tree: Any
    params: tuple[Param, ...]

    @cached_property
    def by_name(self) -> dict[str, Param]:
        """The parameters by name."""
        return {param.name: param for param in self.params}

    def fill(self, pick: Callable[[Param], Any]) -> dict[str, Any]:
        """Fixes parameter after parameter, asking `pick` for those that exist beside the values fixed so far."""
        values: dict[str, Any] = {}
        for param in self.params:
            if all(condition.holds(values) for condition in param.conditions):
                values[param.name] = pick(param)
        return values

    def defaults(self, given: Values | None = None) -> dict[str, Any]:
        """Returns the active values of the default trial, with those of `given` in place of the defaults."""
        known = given or {}
        return self.fill(lambda param: known[param.name] if param.name in known else param.domain.default)

    def resolve(self, values: Values) -> Any:
        """Returns the document of one trial: literals only. A parameter without a value is absent from it."""
        return _resolve(self.tree, values)

    def key(self, values: Values) -> str:
        """Returns a text that is equal for equal active values, and only for them."""
        return json.dumps({name: values[name] for name in sorted(values)})

    def declare(self) -> keras_tuner.HyperParameters:
        """Returns the space for Keras Tuner: static, parents first, every condition an explicit `Parent`.

        Every domain that is not a plain numeric range is coded by index (`Domain.encode`), because Keras Tuner's
        `Choice` knows neither null nor lists nor mixed numbers, turns booleans into 0 and 1, and loses step grids.
        """
        import keras_tuner
        from keras_tuner.src.engine.conditions import Parent

        declared = keras_tuner.HyperParameters()
        for param in self.params:
            conditions = [
                Parent(c.name, [self.by_name[c.name].domain.encode(value) for value in c.values])
                for c in param.conditions
            ]
            # Not `conditional_scope`: it cannot express a second condition (keras-tuner#738).
            declared.merge([param.domain.declare(param.name, conditions)])
        return declared

    def encode(self, values: Values) -> dict[str, Any]:
        """Turns plain values into Keras Tuner's."""
        return {name: self.by_name[name].domain.encode(value) for name, value in values.items()}

    def decode(self, coded: Values) -> dict[str, Any]:
        """Turns Keras Tuner's values into plain ones; drops those that are inactive or none of ours."""
        return self.fill(lambda param: param.domain.decode(coded[param.name]))

    def size(self) -> int | None:
        """Returns the number of distinct trials, or None when a continuous range makes them endless."""
        if any(param.domain.size is None for param in self.params):
            return None
        return _count(self.params, {})

    def as_floats(self, names: Sequence[str]) -> Space:
        """Returns the space with these parameters drawn as floats, for fields that take any number."""
        domains = {name: self.by_name[name].domain for name in names}
        params = tuple(
            replace(p, domain=p.domain.as_float()) if p.name in domains and isinstance(p.domain, Range) else p
            for p in self.params
        )
        return replace(self, params=params)


def _resolve(node: Any, values: Values) -> Any:
    if isinstance(node, Leaf):
        return values.get(node.param, ABSENT)
    if isinstance(node, Each):
        found = [values[name] for name in node.params if name in values]
        return {"each": found} if found else ABSENT
    if isinstance(node, Variant):
        if node.param not in values:
            return ABSENT
        branch = values[node.param]
        return {branch: _resolve(node.branches[branch], values)}
    if isinstance(node, dict):
        resolved = {key: _resolve(child, values) for key, child in node.items()}
        return {key: child for key, child in resolved.items() if child is not ABSENT}
    if isinstance(node, list):
        return [child for child in (_resolve(item, values) for item in node) if child is not ABSENT]
    return node


class _Absent:
    """What an inactive leaf resolves to: its key is left out and the field's own default holds."""


ABSENT = _Absent()


def _count(params: Sequence[Param], values: dict[str, Any]) -> int:
    """Counts the distinct trials. Parameters nobody depends on multiply; only parents are enumerated."""
    parents = {condition.name for param in params for condition in param.conditions}

    def walk(index: int, values: dict[str, Any]) -> int:
        if index == len(params):
            return 1
        param = params[index]
        if not all(condition.holds(values) for condition in param.conditions):
            return walk(index + 1, values)
        if param.name not in parents:
            return (param.domain.size or 0) * walk(index + 1, values)
        return sum(walk(index + 1, {**values, param.name: value}) for value in param.domain.grid())

    return walk(0, values)


def grid(space: Space) -> Iterator[dict[str, Any]]:
    """Yields every point of the space once, the last parameter fastest; ranges without steps at up to ten points."""

    def walk(index: int, values: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if index == len(space.params):
            yield dict(values)
            return
        param = space.params[index]
        if not all(condition.holds(values) for condition in param.conditions):
            yield from walk(index + 1, values)
            return
        for value in param.domain.grid():
            values[param.name] = value
            yield from walk(index + 1, values)
            del values[param.name]

    return walk(0, {})


__all__ = [
    "Choice",
    "Condition",
    "Domain",
    "Each",
    "Leaf",
    "Param",
    "Range",
    "Space",
    "Values",
    "Variant",
    "grid",
]
