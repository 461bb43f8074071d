"""Checks a document against the pydantic models its parts declare, leaf by leaf, before any domain is fixed.

A literal is checked as it stands, a domain by its ends or its values, a declaration (`optimizer: {adam: {...}}`)
against the member it names. Pydantic says what is wrong, this file says where.
"""

from __future__ import annotations

import json
import re
import types
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from automl.document import Path_
from automl.domains import Choice, Domain, Range
from automl.errors import did_you_mean, shorten
from automl.problems import Problems
from automl.ranges import is_domain
from automl.registry import Family, Member, UnknownName, declared
from automl.space import Each, Leaf, Param, Space, Variant


@dataclass
class Checker:
    """Checks trees of one document.

    Args:
        space: The document's space.
        problems: Where to note what is wrong.
        floats: Filled with the names of whole-number ranges that stand for fields of any number.
    """

    space: Space
    problems: Problems
    floats: list[str] = field(default_factory=list)

    def member(self, model: type[Member], tree: Any, path: Path_, skip: Iterable[str] = ()) -> None:
        """Checks the mapping of a member's fields: names, presence, and every value."""
        fields = model.model_fields
        if not isinstance(tree, dict):
            self.problems.add(path, f"{_last(path)} must be a mapping", _one_of(fields, "the fields"), shorten(tree))
            return
        for key, value in tree.items():
            if key in skip:
                continue
            if key not in fields:
                hint = did_you_mean(key, fields)
                self.problems.add((*path, key), f"unknown key {key!r}", _one_of(fields, "one of"), hint=hint)
            else:
                self.value(_annotated(fields[key]), value, (*path, key))
        for name, info in fields.items():
            if info.is_required() and name not in tree:
                self.problems.add(path, f"{name} is missing", hint=f"Add {name}: {info.description or ''}".rstrip(": "))

    def value(self, annotation: Any, node: Any, path: Path_) -> None:
        """Checks one value, literal or searched, against its annotation."""
        family = _find(annotation, Family)
        nested = _find_member(annotation)
        if isinstance(node, Leaf):
            self.leaf(annotation, self.space.by_name[node.param], family, path)
        elif isinstance(node, Each):
            for name in node.params:
                self.leaf(annotation, self.space.by_name[name], family, path)
        elif isinstance(node, Variant):
            self.variant(family, node, path)
        elif isinstance(node, dict) and _is_each(node):
            for index, item in enumerate(node["each"]):
                self.value(annotation, item, (*path, "each", index))
        elif is_domain(node) or (isinstance(node, dict) and "one_of" in node):
            # A domain here was either refused by the grammar already, or stands where nothing is searched.
            if not self.told(path):
                self.problems.add(path, f"{_last(path)} cannot be searched", "a literal", shorten(node))
        elif family is not None:
            self.declaration(family, node, path)
        elif nested is not None and node is not None:
            self.member(nested, node, path)
        elif _holds_leaf(node):
            self.literal(annotation, defaults(node, self.space), path)
        else:
            self.literal(annotation, node, path)

    def leaf(self, annotation: Any, param: Param, family: Family | None, path: Path_) -> None:
        """Checks what a domain may become."""
        domain = param.domain
        if isinstance(domain, Range) and domain.whole and _wants(annotation, float, int):
            self.floats.append(param.name)
            domain = domain.as_float()
        candidates = _candidates(domain, path)
        if isinstance(domain, Range) and not domain.whole and _wants(annotation, int, float):
            # One number with decimals makes a range one of decimals: that number is the mistake, not the others.
            written = self.written(path) or {}
            candidates = [(v, (*path, key)) for key, v in written.items() if isinstance(v, float)] or candidates
        for value, at in candidates:
            if family is not None:
                self.declaration(family, value, at)
            else:
                self.literal(annotation, value, at)

    def candidates(self, node: Any, path: Path_) -> list[tuple[Any, Path_]]:
        """Returns the values that stand for all a searched value may become, each with its place."""
        names = (node.param,) if isinstance(node, Leaf) else node.params if isinstance(node, Each) else ()
        return [each for name in names[:1] for each in _candidates(self.space.by_name[name].domain, path)]

    def variant(self, family: Family | None, node: Variant, path: Path_) -> None:
        """Checks every branch of a `one_of` against the member it names."""
        if family is None:
            self.problems.add(path, "one_of does not fit here", "a value, or a domain with values")
            return
        for name, fields in node.branches.items():
            self.declaration(family, {name: fields}, path, (*path, "one_of", name))

    def declaration(self, family: Family, node: Any, path: Path_, fields_path: Path_ | None = None) -> None:
        """Checks `name` or `{name: {field: value}}` against the registry it stands for."""
        try:
            name, fields = declared(node)
            member = family.registry.get(name)
        except (ValueError, UnknownName) as error:
            names = ", ".join(family.registry.names())
            if isinstance(error, UnknownName):
                hint = did_you_mean(name, family.registry.names())
                at = fields_path or ((*path, name) if isinstance(node, dict) else path)
                self.problems.add(at, f"unknown {family.registry.noun} {name!r}", f"one of {names}", hint=hint)
            else:
                what = f"{_last(path)} must be one name, or one name with its fields"
                self.problems.add(path, what, f"one of {names}", shorten(node))
            return
        self.member(member, fields, fields_path or ((*path, name) if isinstance(node, dict) else path))

    def literal(self, annotation: Any, value: Any, path: Path_) -> None:
        """Checks a literal: strictly, as JSON, so that "3" is no number and 1 is no switch."""
        try:
            TypeAdapter(annotation).validate_json(json.dumps(value), strict=True)
        except ValidationError as error:
            wanted, hint = _explain(error, value)
            self.problems.add(path, f"{_last(path)} does not fit", wanted, self.quoted(value, path), hint)

    def quoted(self, value: Any, path: Path_) -> str:
        """Quotes a value as it was written: the end of a range may have been written without its decimals."""
        written = self.written(path)
        same_number = isinstance(written, int | float) and not isinstance(written, bool) and written == value
        return shorten(written if same_number else value)

    def written(self, path: Path_) -> Any:
        """Returns what the document holds at `path`; None when there is nothing."""
        node = self.problems.document.data
        for part in path:
            is_there = part in node if isinstance(node, dict) else isinstance(node, list) and isinstance(part, int)
            node = node[part] if is_there else None
        return node

    def told(self, path: Path_) -> bool:
        """Tells whether a problem at or below `path` was noted already, or one above that kept it from being read."""
        if any(path[: len(above)] == above for above in self.problems.unread):
            return True
        marks = {self.problems.document.where(p) for p in self.problems.document.marks if p[: len(path)] == path}
        return any(problem.where in marks for problem in self.problems.found)


def _one_of(names: Iterable[str], what: str) -> str:
    return f"{what} {', '.join(names)}" if names else "no fields"


def _annotated(info: FieldInfo) -> Any:
    """Returns a field's type with the constraints pydantic took off it."""
    return Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation


def _parts(annotation: Any) -> list[Any]:
    """Returns the type and everything inside its `Annotated` and unions."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return [part for inner in get_args(annotation) for part in _parts(inner)]
    if origin in (Union, types.UnionType):
        return [part for inner in get_args(annotation) for part in _parts(inner)]
    return [annotation]


def _find(annotation: Any, kind: type[Family]) -> Family | None:
    return next((part for part in _parts(annotation) if isinstance(part, kind)), None)


def _find_member(annotation: Any) -> type[Member] | None:
    return next((p for p in _parts(annotation) if isinstance(p, type) and issubclass(p, Member)), None)


def _wants(annotation: Any, this: type, not_that: type) -> bool:
    parts = _parts(annotation)
    return this in parts and not_that not in parts


def _is_each(node: dict[str, Any]) -> bool:
    return set(node) == {"each"} and isinstance(node["each"], list)


def _holds_leaf(node: Any) -> bool:
    if isinstance(node, dict | list):
        return any(_holds_leaf(child) for child in (node.values() if isinstance(node, dict) else node))
    return isinstance(node, Leaf | Each | Variant)


def defaults(node: Any, space: Space) -> Any:
    """Returns a part of a space's tree with each domain at its default."""
    if isinstance(node, Each) and node.params:
        return space.by_name[node.params[0]].domain.default
    if isinstance(node, Leaf):
        return space.by_name[node.param].domain.default
    if isinstance(node, list):
        return [defaults(child, space) for child in node]
    if isinstance(node, dict):
        return {key: defaults(child, space) for key, child in node.items()}
    return node


def _candidates(domain: Domain, path: Path_) -> list[tuple[Any, Path_]]:
    """Returns the values that stand for the whole domain, each with the place where it was written."""
    if isinstance(domain, Choice):
        return [(value, (*path, "values", index)) for index, value in enumerate(domain.values)]
    ends = [(domain.min, (*path, "min")), (domain.max, (*path, "max"))]
    return ends if domain.step is None else [*ends, (domain.grid()[-1], (*path, "step"))]


_WORDS = {
    "^Input should be (a valid )?": "",
    "^(String|List|Tuple) should have": "",
    "^String should match pattern .*A-Za-z0-9_.*": "a word of letters, digits and _, a letter first",
    "^String should match pattern": "text like",
    "^integer$": "a whole number",
    "^number$": "a number",
    "^boolean$": "true or false",
    "^string$": "text",
    "^(list|array|tuple)$": "a list",
    "less than or equal to": "at most",
    "greater than or equal to": "at least",
    "less than": "below",
    "greater than": "above",
}
"""Pydantic's words in those of people who write YAML."""


def _explain(error: ValidationError, value: Any) -> tuple[str, str | None]:
    """Turns pydantic's errors into what was expected, and the nearest legal word for a misspelt one."""
    wanted: list[str] = []
    hint = None
    for entry in error.errors():
        message = entry["msg"].removeprefix("Value error, ")
        for theirs, ours in _WORDS.items():
            message = re.sub(theirs, ours, message)
        if message not in wanted:
            wanted.append(message)
        if entry["type"] == "literal_error" and isinstance(value, str):
            known = str(entry["ctx"]["expected"]).replace(" or ", ", ").replace("'", "").split(", ")
            hint = did_you_mean(value, known) or hint
    return " or ".join(wanted), hint


def _last(path: Path_) -> str:
    words = [str(part) for part in path if isinstance(part, str) and part not in ("values", "each", "one_of")]
    if len(words) > 1 and words[-1] in ("min", "max", "step", "default"):
        return words[-2]
    return words[-1] if words else "it"
