"""Reads a document's domains: `data -> Space`, every mistake with its place.

Knows the shape of the grammar (`min`/`max`, `values`, `one_of`, `repeat`, `each`, `when`), not what fields there are:
that is `schema.py`. Domains stand under `model` and `training`; everything else in a document is fixed for a search.

Over the size limit because one reader walks the document: names, conditions and repeats are of one piece.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from automl.document import Document, Path_
from automl.domains import Choice, Domain, Range, same
from automl.errors import ConfigError, Problem, did_you_mean, shorten
from automl.space import Condition, Each, Leaf, Param, Space, Variant

SEARCHED = ("model", "training")
MAX_REPEAT = 1000
"""As `Block.repeat` has it; checked here too, before a parameter is made for every repeat."""
RANGE_KEYS = ("min", "max", "step", "log", "default", "each", "when")
CHOICE_KEYS = ("values", "default", "each", "when")
RESERVED = (*SEARCHED, "search", "data")
"""Names of sections: a block of such a name would share its parameters' names with the section."""
VARIANT_KEYS = ("one_of", "default", "when", "name")


class Problems:
    """Collects what is wrong with a document, so that all of it is told at once.

    `unread` holds the places whose domains were left as they are because something above them is wrong, and told.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self.found: list[Problem] = []
        self.unread: list[Path_] = []

    def add(
        self,
        path: Path_,
        what: str,
        expected: str | None = None,
        received: str | None = None,
        hint: str | None = None,
    ) -> None:
        """Notes one problem with the value at `path`."""
        problem = Problem(self.document.where(path), what, expected, received, hint)
        if problem not in self.found:
            self.found.append(problem)

    def stop(self) -> None:
        """Raises a `ConfigError` with all that was found, if anything was."""
        if self.found:
            raise ConfigError(sorted(self.found, key=_position))


_PLACE = re.compile(r"(.*):(\d+):(\d+)")


@dataclass(frozen=True)
class _Scope:
    """What holds around a leaf: its name so far, and on what it depends.

    Args:
        name: Prefix of parameter names.
        path: Where we are in the document.
        conditions: What must hold for anything here to exist.
        repeat: (parameter name or None, least, most) of the block around; None outside of blocks.
    """

    name: str
    path: Path_
    conditions: tuple[Condition, ...] = ()
    repeat: tuple[str | None, int, int] | None = None

    def into(self, key: str | int, name: str | None = None) -> _Scope:
        own = str(key) if name is None else name
        return replace(self, name=f"{self.name}.{own}" if self.name else own, path=(*self.path, key))


def read(document: Document, problems: Problems) -> Space:
    """Finds and names every domain of the document.

    Returns:
        The space; what could not be read stands in it as its literal text, and in `problems`.
    """
    reader = _Reader(problems)
    tree = dict(document.data)
    for section in SEARCHED:
        if section in tree:
            scope = _Scope(section, (section,))
            tree[section] = (
                reader.blocks(tree[section], scope) if section == "model" else reader.node(tree[section], scope)
            )
    return Space(tree, reader.ordered())


def block_names(model: Any) -> list[str]:
    """Returns the name of each block of a `model:` list: its own `name`, else its kind, numbered from the second on."""
    names: list[str] = []
    seen: Counter[str] = Counter()
    for item in model if isinstance(model, list) else []:
        kind, fields = _block(item)
        seen[kind] += 1
        own = fields.get("name") if isinstance(fields, dict) else None
        names.append(own if isinstance(own, str) else kind if seen[kind] == 1 else f"{kind}_{seen[kind]}")
    return names


def _block(item: Any) -> tuple[str, Any]:
    if isinstance(item, dict) and len(item) == 1:
        ((kind, fields),) = item.items()
        return str(kind), {} if fields is None else fields
    return str(item) if isinstance(item, str) else "block", {}


@dataclass
class _Reader:
    problems: Problems
    params: dict[str, Param] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    """Names whose domains are wrong, and told: a `when` that names one of them is not wrong as well."""

    def blocks(self, model: Any, scope: _Scope) -> Any:
        """Reads the model's list; a block's own name stands first in the names of its leaves."""
        if not isinstance(model, list):
            return model
        names = block_names(model)
        read = []
        for index, (item, name) in enumerate(zip(model, names, strict=True)):
            if name in names[:index]:
                self.problems.add(
                    (*scope.path, index), f"two blocks are named {name!r}", hint="Give one a `name` of its own"
                )
            if name in RESERVED:
                what = f"a block cannot be named {name!r}, as a section of the document is"
                self.problems.add((*scope.path, index), what, hint="Give it another `name`")
            if not isinstance(item, dict) or len(item) != 1:
                read.append(item)
                continue
            ((kind, fields),) = item.items()
            inner = _Scope(name, (*scope.path, index, kind))
            read.append({kind: self.block(fields, inner) if isinstance(fields, dict) else fields})
        return read

    def block(self, fields: dict[str, Any], scope: _Scope) -> dict[str, Any]:
        """Reads a block's fields inside the reach of its `repeat`."""
        repeat = fields.get("repeat", 1)
        read: dict[str, Any] = {}
        if is_domain(repeat):
            read["repeat"] = self.node(repeat, scope.into("repeat"))
            param = self.params.get(f"{scope.name}.repeat")
            if param is None:
                return self.unread(fields, scope)  # the repeat itself is wrong and told
            if isinstance(param.domain, Range) and param.domain.max > MAX_REPEAT:
                where = (*scope.path, "repeat", "max")
                self.problems.add(where, "too many repeats", f"at most {MAX_REPEAT}", shorten(param.domain.max))
                return self.unread(fields, scope)
            counts = [v for v in _points(param.domain) if isinstance(v, int) and not isinstance(v, bool)]
            low, high = (min(counts), max(counts)) if counts else (1, 1)
            inner = replace(scope, repeat=(param.name, low, high))
            if low < 1:
                inner = replace(inner, conditions=(self.at_least(param, 1),))
        else:
            count = repeat if isinstance(repeat, int) and repeat <= MAX_REPEAT else 1  # the schema tells of it
            inner = replace(scope, repeat=(None, count, count))
        for key, value in fields.items():
            if key not in ("repeat", "name"):
                read[key] = self.node(value, inner.into(key))
            elif key not in read:
                read[key] = value
        # The document's own order, so that a resolved trial reads like its space.
        return {key: read[key] for key in fields}

    def unread(self, fields: dict[str, Any], scope: _Scope) -> dict[str, Any]:
        """Leaves a block as it is: what is wrong with its domains would only echo what was told."""
        self.problems.unread.append(scope.path)
        self.failed.add(scope.name)
        return fields

    def node(self, value: Any, scope: _Scope) -> Any:
        """Reads any value: a domain, a `one_of`, a mapping or list that may hold some, or a literal."""
        if is_domain(value) or (isinstance(value, dict) and "one_of" in value):
            read = self.variant(value, scope) if "one_of" in value else self.leaf(value, scope)
            if read is value:
                self.failed.add(scope.name)
            return read
        if isinstance(value, dict):
            if set(value) == {"each"} and isinstance(value["each"], list):
                self.each(value["each"], scope)
            return {key: self.node(child, scope.into(key)) for key, child in value.items()}
        if isinstance(value, list):
            return [self.node(child, scope.into(index)) for index, child in enumerate(value)]
        return value

    def each(self, values: list[Any], scope: _Scope) -> None:
        """Checks that a literal `{each: [...]}` holds a value for every repeat."""
        path = (*scope.path, "each")
        if scope.repeat is None:
            self.problems.add(path, "each has no repeat to follow", hint="Use it inside a block")
            return
        counter, _, count = scope.repeat
        if counter is not None:
            self.problems.add(path, "each lists values, but the repeat is searched", hint="Fix `repeat` to a number")
        elif len(values) != count:
            self.problems.add(path, "each must hold a value for every repeat", f"{count} values", str(len(values)))

    def variant(self, value: dict[str, Any], scope: _Scope) -> Any:
        """Reads a `one_of`: a choice named by its field, and the branches' leaves, each under its branch."""
        self.known(value, VARIANT_KEYS, scope.path)
        branches = value["one_of"]
        if isinstance(branches, list) and branches and all(isinstance(name, str) for name in branches):
            branches = {name: {} for name in branches}
        if not isinstance(branches, dict) or not branches:
            self.problems.add(
                (*scope.path, "one_of"), "one_of has no branches", "a mapping of names to fields", shorten(branches)
            )
            return value
        domain = self.choice(
            {"values": list(branches), "default": value.get("default", next(iter(branches)))}, scope.path
        )
        if domain is None:
            return value
        conditions = scope.conditions + self.when(value, scope)
        self.add(Param(scope.name, domain, conditions, scope.path))
        read = {}
        for name, fields in branches.items():
            inner = replace(scope.into(name), path=(*scope.path, "one_of", name))
            inner = replace(inner, conditions=(*conditions, Condition(scope.name, (name,))))
            read[name] = self.node({} if fields is None else fields, inner)
        return Variant(scope.name, read)

    def leaf(self, value: dict[str, Any], scope: _Scope) -> Any:
        """Reads a range or a choice, once or once per repeat."""
        domain = self.domain(value, scope.path)
        conditions = scope.conditions + self.when(value, scope)
        if domain is None:
            return value
        each = value.get("each", False)
        if not isinstance(each, bool):
            self.problems.add((*scope.path, "each"), "each is a switch", "true or false", shorten(each))
            return value
        if not each:
            self.add(Param(scope.name, domain, conditions, scope.path))
            return Leaf(scope.name)
        if scope.repeat is None:
            self.problems.add((*scope.path, "each"), "each has no repeat to follow", hint="Use it inside a block")
            return value
        counter, low, high = scope.repeat
        names = []
        for index in range(1, high + 1):
            name = f"{scope.name}.{index}"
            own = conditions
            if counter is not None and index > low:
                own = (*conditions, self.at_least(self.params[counter], index))
            self.add(Param(name, domain, own, scope.path))
            names.append(name)
        return Each(tuple(names))

    def domain(self, value: dict[str, Any], path: Path_) -> Domain | None:
        """Reads a domain's own keys; None when they are wrong."""
        if "values" in value:
            return self.choice(value, path) if self.known(value, CHOICE_KEYS, path) else None
        return self.range(value, path) if self.known(value, RANGE_KEYS, path) else None

    def choice(self, value: dict[str, Any], path: Path_) -> Choice | None:
        """Reads `values` and their default."""
        values = value["values"]
        at = (*path, "values")
        if not isinstance(values, list) or not values:
            self.problems.add(at, "values must be a list with at least one value", "a list", shorten(values))
            return None
        for index, item in enumerate(values):
            if isinstance(item, dict):
                self.problems.add((*at, index), "a value cannot be a mapping", hint="Use one_of for variants")
                return None
            if any(same(item, other) for other in values[:index]):
                self.problems.add((*at, index), f"the value {shorten(item)} stands twice")
                return None
        domain = Choice(tuple(values), values[0])
        if "default" not in value:
            return domain
        if not domain.holds(value["default"]):
            self.problems.add(
                (*path, "default"), "the default is none of the values", shorten(values), shorten(value["default"])
            )
            return None
        return replace(domain, default=value["default"])

    def range(self, value: dict[str, Any], path: Path_) -> Range | None:
        """Reads `min`, `max`, `step`, `log` and their default."""
        before = len(self.problems.found)
        for key in ("min", "max"):
            if key not in value:
                self.problems.add(path, f"a range needs both min and max; {key} is missing", hint=f"Add `{key}`")
        numbers = {key: value[key] for key in ("min", "max", "step", "default") if key in value}
        for key, number in numbers.items():
            if not _is_number(number):
                self.problems.add((*path, key), f"{key} is no number", "a finite number", shorten(number))
        log = value.get("log", False)
        if not isinstance(log, bool):
            self.problems.add((*path, "log"), "log is a switch", "true or false", shorten(log))
        if len(self.problems.found) > before:
            return None
        low, high, step = numbers["min"], numbers["max"], numbers.get("step")
        if low > high:
            self.problems.add((*path, "min"), "min is above max", f"at most {high}", str(low))
        if log and low <= 0:
            self.problems.add((*path, "min"), "a log range must start above 0", "a number above 0", str(low))
        if log and step is not None:
            self.problems.add(
                (*path, "step"), "step and log exclude each other", hint="Use values for a list of powers"
            )
        if step is not None and step <= 0:
            self.problems.add((*path, "step"), "the step must be above 0", "a number above 0", str(step))
        if len(self.problems.found) > before:
            return None
        whole = all(isinstance(number, int) for number in numbers.values())
        kind = int if whole else float
        domain = Range(kind(low), kind(high), step, log, kind(numbers.get("default", low)), whole)
        if not domain.holds(domain.default):
            expected = f"{low} to {high}" + (f" in steps of {step}" if step is not None else "")
            self.problems.add((*path, "default"), "the default is outside of its range", expected, str(domain.default))
            return None
        return domain

    def when(self, value: dict[str, Any], scope: _Scope) -> tuple[Condition, ...]:
        """Reads `when`; whether its parameters exist is checked when all are known."""
        when = value.get("when", {})
        path = (*scope.path, "when")
        if not isinstance(when, dict):
            self.problems.add(path, "when names parameters and their values", "{parameter: [values]}", shorten(when))
            return ()
        return tuple(
            Condition(name, tuple(wanted) if isinstance(wanted, list) else (wanted,)) for name, wanted in when.items()
        )

    def known(self, value: dict[str, Any], keys: tuple[str, ...], path: Path_) -> bool:
        """Notes keys that a domain does not have."""
        unknown = [key for key in value if key not in keys]
        for key in unknown:
            hint = did_you_mean(key, keys)
            self.problems.add((*path, key), f"unknown key {key!r} in a domain", ", ".join(keys), hint=hint)
        return not unknown

    def add(self, param: Param) -> None:
        """Notes a parameter; a name that stands twice is told."""
        if param.name in self.params:
            self.problems.add(param.path, f"two parameters are named {param.name!r}", hint="Name one of the blocks")
        self.params[param.name] = param

    def at_least(self, counter: Param, count: int) -> Condition:
        """Returns the condition that a repeat is `count` or more."""
        return Condition(counter.name, tuple(v for v in _points(counter.domain) if isinstance(v, int) and v >= count))

    def ordered(self) -> tuple[Param, ...]:
        """Returns the parameters, parents first, each with the whole chain of what it depends on."""
        done: dict[str, Param] = {}
        open_: set[str] = set()
        dead: set[str] = set()

        def visit(param: Param) -> tuple[Condition, ...]:
            if param.name in done:
                return done[param.name].conditions
            if param.name in open_:
                self.problems.add((*param.path, "when"), f"{param.name} depends on itself through when")
                return ()
            open_.add(param.name)
            chain: list[Condition] = []
            for condition in param.conditions:
                parent = self.parent(condition, param)
                if parent is not None:
                    chain += [c for c in (*visit(parent), condition) if c not in chain]
            open_.discard(param.name)
            if any(c.name in dead for c in chain) or not _can_hold(chain):
                if not any(c.name in dead for c in chain):
                    what = f"{param.name} can never exist: no value of what it depends on allows it"
                    self.problems.add(param.path, what, hint="Remove it, or widen its conditions")
                dead.add(param.name)
            done[param.name] = replace(param, conditions=tuple(chain))
            return done[param.name].conditions

        for param in self.params.values():
            visit(param)
        return tuple(done.values())

    def parent(self, condition: Condition, param: Param) -> Param | None:
        """Finds the parameter a condition speaks of, and checks that it can hold."""
        path = (*param.path, "when", condition.name)
        parent = self.params.get(condition.name)
        if parent is None:
            if any(condition.name == name or condition.name.startswith(f"{name}.") for name in self.failed):
                return None
            others = [name for name in self.params if name != param.name]
            hint = did_you_mean(condition.name, others) or "Name a searched parameter by its path"
            self.problems.add(path, f"when names {condition.name!r}, which is no searched parameter", hint=hint)
            return None
        if parent.domain.size is None:
            self.problems.add(path, f"when cannot test {condition.name}, a continuous range", "values or whole numbers")
            return None
        for value in condition.values:
            if not parent.domain.holds(value):
                legal = shorten(list(_points(parent.domain)))
                self.problems.add(
                    path, f"{condition.name} is never {shorten(value)}", f"one of {legal}", shorten(value)
                )
                return None
        return parent


def _position(problem: Problem) -> tuple[str, int, int]:
    """Orders problems as a reader of the file meets them; what stands in no file comes first."""
    match = _PLACE.fullmatch(problem.where)
    return (match[1], int(match[2]), int(match[3])) if match else ("", 0, 0)


def is_domain(value: Any) -> bool:
    """Tells whether a value is meant as a domain."""
    return isinstance(value, dict) and any(key in value for key in ("values", "min", "max"))


def _can_hold(chain: list[Condition]) -> bool:
    """Tells whether all conditions can hold at once: those on one parameter must share a value."""
    left: dict[str, set[str]] = {}
    for condition in chain:
        # By text, which tells 1, 1.0 and true apart as `same` does.
        values = {repr(value) for value in condition.values}
        left[condition.name] = left.get(condition.name, values) & values
    return all(left.values())


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")


def _points(domain: Domain) -> Mapping[Any, None] | range | tuple[Any, ...] | list[Any]:
    if isinstance(domain, Choice):
        return domain.values
    if domain.step is None and domain.whole:
        return range(int(domain.min), int(domain.max) + 1)
    return list(domain.grid()) if domain.step is not None else []
