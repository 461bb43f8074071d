"""What the checks of a document look at: its members with their fields, and points drawn from its space."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from random import Random
from typing import Any

from automl.blocks import registry
from automl.blocks._layer import KerasLayer
from automl.document.block_lists import inner_lists, is_each, split
from automl.document.yaml_text import Path_
from automl.errors import Problem
from automl.experiment.annotations import annotated, family_of, member_of
from automl.experiment.experiment import Experiment
from automl.flow import Shape
from automl.registry import Member, declared
from automl.space.domains import Choice, Domain
from automl.space.tree import Each, Fork, Leaf, Param, Spread, Variant
from automl.training.section import Training

DRAWS = 1000
"""Points that constraints are tried on."""
TRIALS = 200
"""Legal points that are looked at as trials."""
WORK, LEAST = 200_000, 20
"""Parameters and parts of constraints that are looked at in all, and points at least: a huge space has fewer drawn."""
BLOCKS = 10_000
"""Blocks of trials that are looked at in all."""


@dataclass(frozen=True)
class Finding:
    """Something unwise in a document that is not wrong.

    Args:
        where: `file:line:column`, or an option.
        what: What it is, without a full stop.
        why: Why it is unwise, as a sentence without its full stop.
        hint: A way out, as a sentence without its full stop.
    """

    where: str
    what: str
    why: str
    hint: str

    def __str__(self) -> str:
        return str(Problem(self.where, f"warning: {self.what}. {self.why}", hint=self.hint))

    def problem(self) -> Problem:
        """Returns it as a mistake, for those who take it for one."""
        return Problem(self.where, f"{self.what}. {self.why}", hint=self.hint)


@dataclass(frozen=True)
class Place:
    """A member where the document declares it.

    Args:
        kind: Its name.
        model: Its class; `KerasLayer` for a layer by class name.
        fields: What the document gives it, with `Leaf` and the like where domains stand.
        path: Where its fields stand.
    """

    kind: str
    model: type[Member]
    fields: dict[str, Any]
    path: Path_


@dataclass(frozen=True)
class Case:
    """A document under examination.

    Args:
        read: The document, checked.
        shape: Shape of an example, if it is known.
    """

    read: Experiment
    shape: Shape | None = None

    @cached_property
    def draws(self) -> list[dict[str, Any]]:
        """Points drawn evenly, legal or not; the same ones every time."""
        generator = Random(0)  # noqa: S311 - no secret
        space = self.read.space
        parts = len(space.params) + sum(len(rule.text) // 5 + len(rule.searched()) for rule in space.rules)
        count = min(DRAWS if space.rules else TRIALS, max(WORK // max(parts, 1), LEAST))
        return [space.draw(generator) for _ in range(count)]

    @cached_property
    def trials(self) -> list[dict[str, Any]]:
        """The first of them that are legal."""
        return [values for values in self.draws if self.read.space.legal(values)][:TRIALS]

    @cached_property
    def params(self) -> list[Param]:
        """The parameters, one for each place in the document: those of an `each` under the name of all."""
        found: dict[Path_, Param] = {}
        for param in self.read.space.params:
            name, _, number = param.name.rpartition(".")
            own = name if number.isdecimal() and number != str(param.path[-1]) else param.name
            found.setdefault(param.path, replace(param, name=own))
        return list(found.values())

    @cached_property
    def blocks(self) -> list[Place]:
        """Every block of the model, those inside of others too."""
        return list(_blocks(self.read.space.tree["model"], ("model",)))

    @cached_property
    def training(self) -> list[Place]:
        """The training section, and every member declared in it."""
        fields = self.read.space.tree.get("training") or {}
        section = Place("training", Training, fields, ("training",))
        return [section, *_members(section)]

    def finding(self, path: Path_, what: str, why: str, hint: str) -> Finding:
        """Returns a finding about what stands at a place in the document."""
        return Finding(self.read.document.where(path), what, why, hint)

    def param(self, place: Place, field: str) -> Param | None:
        """Returns the parameter of a field that is searched as one for all repeats; None for any other."""
        node = place.fields.get(field)
        return self.read.space.by_name[node.param] if isinstance(node, Leaf) else None

    def values(self, place: Place, field: str) -> list[Any]:
        """Returns what stands for all values that a field may have: each of a list, the ends of a range."""
        default = place.model.model_fields[field].get_default(call_default_factory=True)
        node = place.fields.get(field, default)
        if isinstance(node, Spread):
            return list(node.values)
        if is_each(node):
            return list(node["each"])
        if not isinstance(node, Leaf | Each):
            return [node]
        param = self.read.space.by_name[node.param if isinstance(node, Leaf) else node.params[0]]
        # Where the domain does not exist, the field's own default holds.
        return [*ends(param.domain), *([default] if self.has_when(param) else [])]

    def beside(self, place: Place, field: str, other: str) -> list[Any]:
        """Returns the values of another field that a searched one can stand beside, as its conditions say."""
        param, parent, values = self.param(place, field), self.param(place, other), self.values(place, other)
        if param is None or parent is None:
            return values
        conditions = [condition for condition in param.conditions if condition.name == parent.name]
        return [value for value in values if all(condition.holds({parent.name: value}) for condition in conditions)]

    def has_when(self, param: Param) -> bool:
        """Tells whether the document says beside what the domain exists."""
        node = self.read.document.data
        for part in param.path:
            node = node[part]
        return "when" in node


def ends(domain: Domain) -> list[Any]:
    """Returns each value of a choice, both ends of a range."""
    return list(domain.values) if isinstance(domain, Choice) else [domain.min, (domain.points() or [domain.max])[-1]]


def _blocks(items: list[Any], path: Path_) -> Iterator[Place]:
    for index, item in enumerate(items):
        if isinstance(item, Fork):
            for name, branch in item.branches.items():
                yield from _blocks(branch, (*path, index, "one_of", name))
            continue
        kind, fields = split(item)
        at = (*path, index) if isinstance(item, str) else (*path, index, kind)
        yield Place(kind, registry.get(kind) if kind in registry else KerasLayer, fields, at)
        for inner, _, held in inner_lists(fields):
            yield from _blocks(held, (*at, *inner))


def _members(section: Place) -> Iterator[Place]:
    """Yields what the fields of a section declare: members of registries, chosen or fixed, and sections inside."""
    for field, node in section.fields.items():
        annotation, path = annotated(section.model.model_fields[field]), (*section.path, field)
        family, nested = family_of(annotation), member_of(annotation)
        if family is not None and isinstance(node, Variant):
            for name, fields in node.branches.items():
                yield Place(name, family.registry.get(name), fields, (*path, "one_of", name))
        elif family is not None and isinstance(node, str | dict):
            name, fields = declared(node)
            yield Place(name, family.registry.get(name), fields, (*path, name))
        elif family is None and nested is not None and isinstance(node, dict):
            yield Place(field, nested, node, path)
