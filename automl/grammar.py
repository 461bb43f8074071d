"""Reads a document's domains: `data -> Space`, every mistake with its place.

Knows the shape of the grammar (`min`/`max`, `values`, `one_of`, `repeat`, `each`, `when`), not what fields there are:
that is `schema.py`. Domains stand under `model` and `training`; everything else in a document is fixed for a search.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

from automl.conditions import ordered
from automl.document import Document, Path_
from automl.domains import Range
from automl.errors import shorten
from automl.problems import Problems
from automl.ranges import is_domain, only, read_choice, read_domain
from automl.space import Condition, Each, Leaf, Param, Space, Variant

SEARCHED = ("model", "training")
MAX_REPEAT = 1000
"""As `Block.repeat` has it; checked here too, before a parameter is made for every repeat."""
RESERVED = (*SEARCHED, "search", "data")
"""Names of sections: a block of such a name would share its parameters' names with the section."""
VARIANT_KEYS = ("one_of", "default", "when", "name")


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
    return Space(tree, ordered(reader.params, reader.failed, problems))


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
            if "when" in repeat:
                # Where it is inactive the block would stand once, and the leaves of its repeats would not know.
                self.problems.add(
                    (*scope.path, "repeat", "when"), "a repeat cannot have a when", hint="Let it start at 0"
                )
                return self.unread(fields, scope)
            read["repeat"] = self.node(repeat, scope.into("repeat"))
            param = self.params.get(f"{scope.name}.repeat")
            if param is None:
                return self.unread(fields, scope)  # the repeat itself is wrong and told
            if isinstance(param.domain, Range) and param.domain.max > MAX_REPEAT:
                where = (*scope.path, "repeat", "max")
                self.problems.add(where, "too many repeats", f"at most {MAX_REPEAT}", shorten(param.domain.max))
                return self.unread(fields, scope)
            counts = [v for v in param.domain.points() if isinstance(v, int) and not isinstance(v, bool)]
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
        only(value, VARIANT_KEYS, scope.path, self.problems)
        branches = value["one_of"]
        if isinstance(branches, list) and branches and all(isinstance(name, str) for name in branches):
            branches = {name: {} for name in branches}
        if not isinstance(branches, dict) or not branches:
            self.problems.add(
                (*scope.path, "one_of"), "one_of has no branches", "a mapping of names to fields", shorten(branches)
            )
            return value
        choice = {"values": list(branches), "default": value.get("default", next(iter(branches)))}
        domain = read_choice(choice, scope.path, self.problems)
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
        domain = read_domain(value, scope.path, self.problems)
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

    def add(self, param: Param) -> None:
        """Notes a parameter; a name that stands twice is told."""
        if param.name in self.params:
            self.problems.add(param.path, f"two parameters are named {param.name!r}", hint="Name one of the blocks")
        self.params[param.name] = param

    def at_least(self, counter: Param, count: int) -> Condition:
        """Returns the condition that a repeat is `count` or more."""
        return Condition(counter.name, tuple(v for v in counter.domain.points() if isinstance(v, int) and v >= count))
