"""Checks a document against the pydantic models its parts declare, leaf by leaf, before any domain is fixed.

A literal is checked as it stands, a domain by its ends or its values, a declaration (`optimizer: {adam: {...}}`)
against the member it names. Pydantic says what is wrong, this file says where.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from automl.blocks import Block, registry
from automl.blocks._chain import Chain
from automl.blocks._layer import check, is_layer_name
from automl.document.block_lists import is_each, is_fork, split
from automl.document.problems import Problems
from automl.document.wording import explain, last
from automl.document.yaml_text import Path_
from automl.errors import did_you_mean, shorten
from automl.experiment.annotations import annotated, family_of, held_of, is_null, item_of, member_of, wants
from automl.registry import Family, Member, UnknownName, declared
from automl.space.domain_syntax import is_domain
from automl.space.domains import Choice, Domain, Range
from automl.space.space import Space
from automl.space.tree import Each, Fork, Leaf, Param, Spread, Variant


@dataclass
class Checker:
    """Checks trees of one document.

    Args:
        space: The document's space.
        problems: Where to note what is wrong.
        floats: Filled with the names of whole-number ranges that stand for fields of any number.
        layers: Check Keras layers by class name too, which imports Keras.
    """

    space: Space
    problems: Problems
    floats: list[str] = field(default_factory=list)
    layers: bool = True

    def blocks(self, items: Any, path: Path_) -> None:
        """Checks a list of blocks, and the lists inside of them."""
        # Inside of a block an empty list hands on what comes in.
        if not isinstance(items, list) or not (items or len(path) > 1):
            what = f"{last(path)} must be a list of blocks" + ", one at least" * (len(path) == 1)
            self.problems.add(path, what, "- block: {field: value}", shorten(items))
            return
        for index, item in enumerate(items):
            self.block(item, (*path, index))

    def block(self, item: Any, path: Path_) -> None:
        """Checks one entry of a list of blocks."""
        if isinstance(item, Fork):
            for name, branch in item.branches.items():
                self.blocks(branch, (*path, "one_of", name))
            return
        if self.problems.told(path) and is_fork(item):
            return
        kind, fields = split(item)
        if kind == "block":
            dedented = isinstance(item, dict) and next(iter(item.values()), 0) is None
            hint = f"Indent the fields of {next(iter(item))} further" if dedented else None
            self.problems.add(path, "this is not one block", "{block: {field: value}}", shorten(item), hint)
            return
        path = path if isinstance(item, str) else (*path, kind)
        if is_layer_name(kind):
            if self.layers:
                self.layer(kind, fields, path)
        elif kind not in registry:
            known = ", ".join(registry.names())
            hint = did_you_mean(kind, registry.names())
            self.problems.add(
                path, f"unknown block {kind!r}", f"one of {known}, or a Keras layer's class name", hint=hint
            )
        else:
            self.member(registry.get(kind), fields, path)

    def layer(self, kind: str, fields: Any, path: Path_) -> None:
        """Checks a Keras layer by class name; the only check that imports Keras."""
        if not isinstance(fields, dict):
            self.problems.add(path, f"{kind} must be a mapping", "the layer's arguments", shorten(fields))
            return
        own = {key: value for key, value in fields.items() if key in Block.model_fields}
        self.member(Block, own, path)
        arguments = {key: value for key, value in fields.items() if key not in own}
        if any(self.problems.told((*path, argument)) for argument in arguments):
            return  # a domain that is wrong stands for no value
        fixed = {key: defaults(value, self.space) for key, value in arguments.items()}
        found = check(kind, fixed)
        # What a misspelt argument leaves missing is the same mistake.
        for argument, message in [each for each in found if each[0]] or found:
            self.problems.add(path if argument is None else (*path, argument), message.rstrip("."))
        for argument, node in arguments.items() if not found else ():
            for value, at in self.candidates(node, (*path, argument)):
                for _, message in check(kind, {**fixed, argument: value}):
                    self.problems.add(at, message.rstrip("."))

    def member(self, model: type[Member], tree: Any, path: Path_) -> None:
        """Checks the mapping of a member's fields: names, presence, and every value."""
        fields = model.model_fields
        if not isinstance(tree, dict):
            self.problems.add(path, f"{last(path)} must be a mapping", _one_of(fields, "the fields"), shorten(tree))
            return
        for key, value in tree.items():
            if key not in fields:
                hint = did_you_mean(key, fields)
                self.problems.add((*path, key), f"unknown key {key!r}", _one_of(fields, "one of"), hint=hint)
            else:
                self.value(annotated(fields[key]), value, (*path, key))
        for name, info in fields.items():
            if info.is_required() and name not in tree:
                self.problems.add(path, f"{name} is missing", hint=f"Add {name}: {info.description or ''}".rstrip(": "))

    def value(self, annotation: Any, node: Any, path: Path_) -> None:
        """Checks one value, literal or searched, against its annotation."""
        family = family_of(annotation)
        nested = member_of(annotation)
        if annotation is Chain:
            self.blocks(node, path)
        elif item_of(annotation) is Chain and isinstance(node, list):
            least = next((m.min_length for m in annotation.__metadata__ if hasattr(m, "min_length")), 0)
            if len(node) < least:
                self.problems.add(path, f"{last(path)} holds too few lists", f"{least} at least", str(len(node)))
            for index, branch in enumerate(node):
                self.blocks(branch, (*path, index))
        elif isinstance(node, dict) and (held := held_of(annotation)) is not None and not is_domain(node):
            for key, each in node.items():
                self.value(held, each, (*path, key))
        elif isinstance(node, list) and (inner := member_of(item_of(annotation))) is not None:
            for index, item in enumerate(node):
                self.member(inner, item, (*path, index))
        elif isinstance(node, Leaf):
            self.leaf(annotation, self.space.by_name[node.param], family, path)
        elif isinstance(node, Each):
            for name in node.params:
                self.leaf(annotation, self.space.by_name[name], family, path)
        elif isinstance(node, Variant):
            self.variant(family, node, path)
        elif isinstance(node, Spread) or is_each(node):
            for index, item in enumerate(node.values if isinstance(node, Spread) else node["each"]):
                self.value(annotation, item, (*path, "each", index))
        elif is_domain(node) or (isinstance(node, dict) and "one_of" in node):
            # A domain here was either refused by the grammar already, or stands where nothing is searched.
            if not self.problems.told(path):
                self.problems.add(path, f"{last(path)} cannot be searched", "a literal", shorten(node))
        elif family is not None and not is_null(annotation, node):
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
        if isinstance(domain, Range) and domain.whole and wants(annotation, float, int):
            self.floats.append(param.name)
            domain = domain.as_float()
        candidates = _candidates(domain, path)
        if isinstance(domain, Range) and not domain.whole and wants(annotation, int, float):
            # One number with decimals makes a range one of decimals: that number is the mistake, not the others.
            written = self.written(path) or {}
            candidates = [(v, (*path, key)) for key, v in written.items() if isinstance(v, float)] or candidates
        for value, at in candidates:
            if family is not None and not is_null(annotation, value):
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
                what = f"{last(path)} must be one name, or one name with its fields"
                self.problems.add(path, what, f"one of {names}", shorten(node))
            return
        self.member(member, fields, fields_path or ((*path, name) if isinstance(node, dict) else path))

    def literal(self, annotation: Any, value: Any, path: Path_) -> None:
        """Checks a literal: strictly, as JSON, so that "3" is no number and 1 is no switch."""
        try:
            _adapter(annotation).validate_json(json.dumps(value), strict=True)
        except ValidationError as error:
            wanted, hint = explain(error, value)
            self.problems.add(path, f"{last(path)} does not fit", wanted, self.quoted(value, path), hint)

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


def _adapter(annotation: Any) -> TypeAdapter[Any]:
    """Returns what checks values of a type: made once, and asked for every value of a domain."""
    try:
        return _kept(annotation)
    except TypeError:  # a mark in it that cannot be looked up
        return TypeAdapter(annotation)


@functools.cache
def _kept(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation)


def _one_of(names: Iterable[str], what: str) -> str:
    return f"{what} {', '.join(names)}" if names else "no fields"


def _holds_leaf(node: Any) -> bool:
    if isinstance(node, dict | list):
        return any(_holds_leaf(child) for child in (node.values() if isinstance(node, dict) else node))
    return isinstance(node, Leaf | Each | Spread | Variant)


def defaults(node: Any, space: Space) -> Any:
    """Returns a part of a space's tree with each domain at its default."""
    if isinstance(node, Each) and node.params:
        return space.by_name[node.params[0]].domain.default
    if isinstance(node, Leaf):
        return space.by_name[node.param].domain.default
    if isinstance(node, Spread):
        return node.values[0]
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
