"""Reads a document's domains: `data -> Space`, every mistake with its place.

Knows the shape of the grammar (`min`/`max`, `values`, `one_of`, `repeat`, `each`, `when`, lists of blocks), not which
fields there are: see `experiment.checks`. Domains stand under `model` and `training`; the rest is fixed for a search.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from automl.document import block_lists
from automl.document.block_lists import VARIANT_KEYS
from automl.document.problems import Problems
from automl.document.yaml_text import Document, Path_
from automl.errors import shorten
from automl.space.conditions import ordered
from automl.space.domain_syntax import is_domain, only, read_choice, read_domain
from automl.space.domains import Range
from automl.space.points import with_points
from automl.space.scope import Scope
from automl.space.space import Space
from automl.space.tree import Condition, Each, Fork, Leaf, Param, Spread, Variant

SEARCHED = ("model", "training")
MAX_REPEAT = 1000
"""As `Block.repeat` has it; checked here too, before a parameter is made for every repeat."""
MAX_NAME = 100
"""Characters of a block's name: it stands in those of all its parameters and layers."""
MAX_PARAMS = 10_000
"""Parameters of a space: a document of few lines can ask for a million, with `each`."""
RESERVED = (*SEARCHED, "search", "evaluation", "data")
"""Names of sections: a block of such a name would share its parameters' names with the section."""


def read(document: Document, problems: Problems) -> Space:
    """Finds and names every domain of the document, normalised (`block_lists.normalised`).

    Returns:
        The space; what could not be read stands in it as its literal text, and in `problems`.
    """
    reader = _Reader(problems)
    tree = dict(document.data)
    for section in SEARCHED:
        if section == "model" and section in tree:
            tree[section] = reader.blocks(tree[section], Scope("", (section,)))
        elif section in tree:
            tree[section] = reader.node(tree[section], Scope(section, (section,)))
    space = Space(tree, ordered(reader.params, reader.failed, problems))
    # What is wrong with the domains would only echo in what is said about their points.
    return space if problems.found else with_points(space, reader.lists, reader.literals, problems)


@dataclass
class _Reader:
    problems: Problems
    params: dict[str, Param] = field(default_factory=dict)
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Names with `each`, and the parameters they stand for."""
    literals: dict[str, Any] = field(default_factory=dict)
    """Fixed leaves by name."""
    failed: set[str] = field(default_factory=set)
    """Names whose domains are wrong, and told: a `when` that names one of them is not wrong as well."""

    def blocks(self, items: Any, scope: Scope) -> Any:
        """Reads a list of blocks; a block's own name stands behind those of the blocks around it."""
        if not isinstance(items, list):
            return items
        read, known = [], set[str]()
        for index, (item, name) in enumerate(zip(items, block_lists.names(items), strict=True)):
            path = (*scope.path, index)
            if len(name) > MAX_NAME:
                what, legal = "a block's name is too long", f"at most {MAX_NAME} characters"
                self.problems.add(path, what, legal, f"{len(name)} of them")
                self.problems.unread.append(path)
                continue
            if name in known:
                self.problems.add(path, f"two blocks are named {name!r}", hint="Give one a `name` of its own")
            known.add(name)
            if name in RESERVED and not scope.name:
                what = f"a block cannot be named {name!r}, as a section of the document is"
                self.problems.add(path, what, hint="Give it another `name`")
            if block_lists.is_fork(item):
                read.append(self.fork(item, scope.into(index, name)))
            elif not isinstance(item, dict) or len(item) != 1:
                read.append(item)
            else:
                ((kind, fields),) = item.items()
                inner = replace(scope.into(index, name), path=(*path, kind))
                if kind == block_lists.INPUTS:
                    inner = replace(inner, name=scope.name)
                    self.inputs(fields, {*block_lists.names(items)} - {name}, path)
                read.append({kind: self.block(fields, inner) if isinstance(fields, dict) else fields})
        return read

    def inputs(self, fields: Any, blocks: set[str], path: Path_) -> None:
        """Checks that no input is called what a block or a section is: their parameters would share their names."""
        branches = fields.get(block_lists.BRANCHES) if isinstance(fields, dict) else None
        for name in branches if isinstance(branches, dict) else ():
            if name in (*blocks, *RESERVED, block_lists.JOIN, block_lists.TRUNK):
                what = f"an input cannot be named {name!r}, as a block or a section is"
                self.problems.add((*path, block_lists.INPUTS, block_lists.BRANCHES, name), what, hint="Rename it")

    def fork(self, item: dict[str, Any], scope: Scope) -> Any:
        """Reads a choice between lists of blocks."""
        branches = item["one_of"]
        if not only(item, VARIANT_KEYS, scope.path, self.problems):
            return self.unread(item, scope)
        if not isinstance(item.get("name"), str):
            self.problems.add(scope.path, "a one_of between blocks needs a name", hint="Add `name`")
            return self.unread(item, scope)
        if not isinstance(branches, dict) or not all(isinstance(branch, list) for branch in branches.values()):
            what = "a one_of between blocks has a list of blocks for each branch"
            self.problems.add((*scope.path, "one_of"), what, "{one_of: {a: [...], b: [...]}}", shorten(branches))
            return self.unread(item, scope)
        read = self.choice(item, scope)
        if read is None:
            return self.unread(item, scope)
        return Fork(scope.name, item["name"], {name: self.blocks(branches[name], inner) for name, inner in read})

    def block(self, fields: dict[str, Any], scope: Scope) -> dict[str, Any]:
        """Reads a block's fields inside the reach of its `repeat`."""
        repeat = fields.get("repeat", 1)
        read: dict[str, Any] = {}
        # Where it is inactive the block would stand once, and the leaves of its repeats would not know. An `each` would
        # give the inner blocks another count in every repeat of the outer one.
        for word, hint in (("when", "Let it start at 0"), ("each", "Give each block a repeat of its own")):
            if isinstance(repeat, dict) and word in repeat:
                self.problems.add(
                    (*scope.path, "repeat", word), f"a repeat cannot have a{'n' * (word == 'each')} {word}", hint=hint
                )
                return self.unread(fields, scope)
        if is_domain(repeat):
            read["repeat"] = self.node(repeat, scope.into("repeat"))
            param = self.params.get(f"{scope.name}.repeat")
            if param is None:
                return self.unread(fields, scope)  # the repeat itself is wrong and told
            counts = param.counts()
            low, high = (counts[0], counts[-1]) if counts else (1, 1)
            if high > MAX_REPEAT:
                where = (*scope.path, "repeat", *(["max"] if isinstance(param.domain, Range) else []))
                self.problems.add(where, "too many repeats", f"at most {MAX_REPEAT}", shorten(high))
                return self.unread(fields, scope)
            inner = replace(scope, repeat=(param.name, low, high))
            if low < 1:
                inner = replace(inner, conditions=(*scope.conditions, param.at_least(1)))
        elif "repeat" in fields or scope.repeat is None:
            count = repeat if isinstance(repeat, int) and repeat <= MAX_REPEAT else 1  # the schema tells of it
            inner = replace(scope, repeat=(None, count, count))
            self.literals[scope.into("repeat").name] = count
        else:
            inner = scope  # `each` follows the nearest repeat around
        for path, part, items in block_lists.inner_lists(fields):
            within = replace(inner.into(part) if part else inner, path=(*scope.path, *path))
            _put(read, path, self.blocks(items, within), fields)
        for key, value in fields.items():
            if key not in ("repeat", "name", *read):
                read[key] = self.node(value, inner.into(key))
            elif key not in read:
                read[key] = value
        # The document's own order, so that a resolved trial reads like its space.
        return {key: read[key] for key in fields}

    def unread(self, fields: dict[str, Any], scope: Scope) -> dict[str, Any]:
        """Leaves a block as it is: what is wrong with its domains would only echo what was told."""
        self.problems.unread.append(scope.path)
        self.failed.add(scope.name)
        return fields

    def node(self, value: Any, scope: Scope) -> Any:
        """Reads any value: a domain, a `one_of`, a mapping or list that may hold some, or a literal."""
        if is_domain(value) or (isinstance(value, dict) and "one_of" in value):
            read = self.variant(value, scope) if "one_of" in value else self.leaf(value, scope)
            if read is value:
                self.failed.add(scope.name)
            return read
        if isinstance(value, dict):
            if block_lists.is_each(value):
                return self.each(value, scope)
            return {key: self.node(child, scope.into(key)) for key, child in value.items()}
        if isinstance(value, list):
            return [self.node(child, scope.into(index)) for index, child in enumerate(value)]
        self.literals[scope.name] = value
        return value

    def each(self, value: dict[str, Any], scope: Scope) -> Any:
        """Reads a literal `{each: [...]}`: a value for every repeat, the last one for the rest."""
        path, values = (*scope.path, "each"), value["each"]
        if scope.repeat is None:
            self.problems.add(path, "each has no repeat to follow", hint="Use it inside a block")
            return value
        counter, _, most = scope.repeat
        if not values or len(values) > most:
            few = "1 value" if most == 1 else f"1 to {most} values"
            self.problems.add(path, "each must hold values for the repeats", few, str(len(values)))
            return value
        if any(is_domain(item) for item in values):
            hint = "Write {min: ..., max: ..., each: true} for searched values"
            self.problems.add(path, "each holds no domains", hint=hint)
            return value
        self.literals[scope.name] = values
        return value if counter is None else Spread(counter, tuple(values))

    def variant(self, value: dict[str, Any], scope: Scope) -> Any:
        """Reads a `one_of`: a choice named by its field, and the branches' leaves, each under its branch."""
        only(value, VARIANT_KEYS, scope.path, self.problems)
        branches = value["one_of"]
        if isinstance(branches, list) and branches and all(isinstance(name, str) for name in branches):
            branches = {name: {} for name in branches}
        read = self.choice({**value, "one_of": branches}, scope)
        if read is None:
            return value
        return Variant(scope.name, {name: self.node(branches[name] or {}, inner) for name, inner in read})

    def choice(self, value: dict[str, Any], scope: Scope) -> list[tuple[str, Scope]] | None:
        """Notes the parameter of a `one_of`; returns what holds inside of each branch, None when it is wrong."""
        branches = value["one_of"]
        if not isinstance(branches, dict) or not branches:
            self.problems.add(
                (*scope.path, "one_of"), "one_of has no branches", "a mapping of names to fields", shorten(branches)
            )
            return None
        choice = {"values": list(branches), "default": value.get("default", next(iter(branches)))}
        domain = read_choice(choice, scope.path, self.problems)
        if domain is None:
            return None
        conditions = scope.conditions + self.when(value, scope)
        self.add(Param(scope.name, domain, conditions, scope.path))
        inner = {name: replace(scope.into(name), path=(*scope.path, "one_of", name)) for name in branches}
        return [
            (name, replace(within, conditions=(*conditions, Condition(scope.name, (name,)))))
            for name, within in inner.items()
        ]

    def leaf(self, value: dict[str, Any], scope: Scope) -> Any:
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
                own = (*conditions, self.params[counter].at_least(index))
            self.add(Param(name, domain, own, scope.path))
            names.append(name)
        self.lists[scope.name] = tuple(names)
        return Each(self.lists[scope.name])

    def when(self, value: dict[str, Any], scope: Scope) -> tuple[Condition, ...]:
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
        if len(self.params) >= MAX_PARAMS:
            self.problems.add(param.path, "the space has too many parameters", f"at most {MAX_PARAMS:,}")
            self.problems.stop()
        if param.name in self.params:
            self.problems.add(param.path, f"two parameters are named {param.name!r}", hint="Name one of the blocks")
        self.params[param.name] = param


def _put(read: dict[str, Any], path: Path_, items: Any, fields: dict[str, Any]) -> None:
    """Writes an inner list that was read into its place among a block's fields."""
    key, *index = path
    if index:
        given = fields[str(key)]
        read.setdefault(str(key), dict(given) if isinstance(given, dict) else list(given))[index[0]] = items
    else:
        read[str(key)] = items
