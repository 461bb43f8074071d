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
{name: body, one_of: {a: [blocks], b: [blocks]}}     Fork: one list of blocks or another
```
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, Any

from automl.domains import Range
from automl.errors import SearchError, shorten
from automl.nodes import Param, Values, resolve
from automl.rules import Rule

if TYPE_CHECKING:
    import keras_tuner


@dataclass(frozen=True)
class Space:
    """A document with named domains.

    Args:
        tree: The document, with `Leaf`, `Each`, `Spread`, `Variant` and `Fork` where its domains stand.
        params: Every parameter, parents before children, each with its full chain of conditions.
        rules: The constraints: what a point must obey to be tried.
        start: Points to try first: complete, active values.
    """

    tree: Any
    params: tuple[Param, ...]
    rules: tuple[Rule, ...] = ()
    start: tuple[dict[str, Any], ...] = ()

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
        return self.fill(lambda param: known.get(param.name, param.domain.default))

    def draw(self, generator: Random) -> dict[str, Any]:
        """Returns a point at random, legal or not: each active parameter evenly on its own scale."""
        return self.fill(lambda param: param.domain.draw(generator))

    def legal(self, values: Values) -> bool:
        """Tells whether a point obeys every constraint."""
        return all(rule.holds(values) for rule in self.rules)

    def resolve(self, values: Values) -> Any:
        """Returns the document of one trial: literals only. A parameter without a value is absent from it.

        Raises:
            SearchError: The values are no point of the space: somebody changed the journal that they stand in.
        """
        try:
            return resolve(self.tree, values)
        except (LookupError, TypeError) as error:
            raise SearchError(f"{shorten(values, 200)}: the values of a trial are no point of its space.") from error

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
        return _count(self.params)

    def as_floats(self, names: Sequence[str]) -> Space:
        """Returns the space with these parameters drawn as floats, for fields that take any number."""
        domains = {name: self.by_name[name].domain for name in names}
        params = tuple(
            replace(p, domain=p.domain.as_float()) if p.name in domains and isinstance(p.domain, Range) else p
            for p in self.params
        )
        return replace(self, params=params)


def _count(params: Sequence[Param]) -> int:
    """Counts the distinct trials, parameter after parameter; what a later condition asks for is told apart, no more."""
    # The parents' values that matter from here on -> the number of ways to reach them.
    ways: dict[str, tuple[dict[str, Any], int]] = {"": ({}, 1)}
    for index, param in enumerate(params):
        asked = {condition.name for later in params[index + 1 :] for condition in later.conditions}
        reached: dict[str, tuple[dict[str, Any], int]] = {}
        for values, count in ways.values():
            if not all(condition.holds(values) for condition in param.conditions):
                branches = [(values, count)]
            elif param.name in asked:
                branches = [({**values, param.name: value}, count) for value in param.domain.points()]
            else:
                branches = [(values, count * (param.domain.size or 0))]
            for branch, more in branches:
                kept = {name: value for name, value in branch.items() if name in asked}
                known = reached.get(json.dumps(kept), (kept, 0))
                reached[json.dumps(kept)] = (kept, known[1] + more)
        ways = reached
    return sum(count for _, count in ways.values())


def grid(space: Space) -> Iterator[dict[str, Any]]:
    """Yields every point of the space once, the last parameter fastest; ranges without steps at up to ten points."""
    return _walk(space.params, lambda param: param.domain.grid())


def points(space: Space) -> Iterator[dict[str, Any]]:
    """Yields every point of a finite space once, the last parameter fastest."""
    return _walk(space.params, lambda param: param.domain.points())


def _walk(params: Sequence[Param], options: Callable[[Param], Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Yields every combination of the active parameters' options. A loop: spaces may hold thousands of parameters."""
    values: dict[str, Any] = {}
    # One entry per parameter fixed so far: its position, and its options still to come.
    open_: list[tuple[int, Iterator[Any]]] = []
    index = 0
    while True:
        while index < len(params):
            if all(condition.holds(values) for condition in params[index].conditions):
                rest = iter(options(params[index]))
                values[params[index].name] = next(rest)
                open_.append((index, rest))
            index += 1
        yield dict(values)
        while open_:
            index, rest = open_[-1]
            # Later parameters hang on this one: they are fixed anew.
            for param in params[index:]:
                values.pop(param.name, None)
            try:
                values[params[index].name] = next(rest)
            except StopIteration:
                open_.pop()
                continue
            index += 1
            break
        else:
            return
