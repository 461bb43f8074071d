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

from automl.errors import SearchError, shorten
from automl.space.constraints import Constraint
from automl.space.counting import count, own_conditions
from automl.space.domains import Range
from automl.space.tree import Condition, Param, Values, resolve

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
    rules: tuple[Constraint, ...] = ()
    start: tuple[dict[str, Any], ...] = ()

    @cached_property
    def by_name(self) -> dict[str, Param]:
        """The parameters by name."""
        return {param.name: param for param in self.params}

    @cached_property
    def gates(self) -> list[tuple[Param, list[Condition]]]:
        """The parameters, each with its own conditions: where they hold, those of its parents did."""
        return [(param, own_conditions(param, self.by_name)) for param in self.params]

    def fill(self, pick: Callable[[Param], Any]) -> dict[str, Any]:
        """Fixes parameter after parameter, asking `pick` for those that exist beside the values fixed so far."""
        values: dict[str, Any] = {}
        for param, gates in self.gates:
            if all(condition.holds(values) for condition in gates):
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
        """Returns the number of distinct trials; None where a continuous range makes them endless, or nearly so.

        Nearly so are parameters that hang on so many others that nobody could count their trials.
        """
        if any(param.domain.size is None for param in self.params):
            return None
        return count(self.gates)

    def as_floats(self, names: Sequence[str]) -> Space:
        """Returns the space with these parameters drawn as floats, for fields that take any number."""
        ranges = {name for name in names if isinstance(self.by_name[name].domain, Range)}

        conditions = {id(c): c for param in self.params for c in param.conditions if c.name in ranges}
        # What was one condition stays one, which tells a parameter's own from its parents'.
        floats = {key: replace(c, values=tuple(map(float, c.values))) for key, c in conditions.items()}

        def as_float(param: Param) -> Param:
            own = tuple(floats.get(id(condition), condition) for condition in param.conditions)
            if isinstance(param.domain, Range) and param.name in ranges:
                return replace(param, conditions=own, domain=param.domain.as_float())
            return replace(param, conditions=own)

        return replace(self, params=tuple(map(as_float, self.params))) if ranges else self


def grid(space: Space) -> Iterator[dict[str, Any]]:
    """Yields every point of the space once, the last parameter fastest; ranges without steps at up to ten points."""
    return _walk(space, lambda param: param.domain.grid())


def points(space: Space) -> Iterator[dict[str, Any]]:
    """Yields every point of a finite space once, the last parameter fastest."""
    return _walk(space, lambda param: param.domain.points())


def _walk(space: Space, options: Callable[[Param], Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """Yields every combination of the active parameters' options. A loop: spaces may hold thousands of parameters."""
    params = space.gates
    values: dict[str, Any] = {}
    # One entry per parameter fixed so far: its position, and its options still to come.
    open_: list[tuple[int, Iterator[Any]]] = []
    index = 0
    while True:
        while index < len(params):
            param, gates = params[index]
            if all(condition.holds(values) for condition in gates):
                rest = iter(options(param))
                values[param.name] = next(rest)
                open_.append((index, rest))
            index += 1
        yield dict(values)
        while open_:
            index, rest = open_[-1]
            # Later parameters hang on this one: they are fixed anew.
            for param, _ in params[index:]:
                values.pop(param.name, None)
            try:
                values[params[index][0].name] = next(rest)
            except StopIteration:
                open_.pop()
                continue
            index += 1
            break
        else:
            return
