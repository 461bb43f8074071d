"""Reads what a document says about points of its space: `search.constraints` and `search.start`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from random import Random
from typing import Any

from automl.document.problems import Problems
from automl.document.yaml_text import Path_
from automl.errors import did_you_mean, shorten
from automl.space.constraints import FUNCTIONS, NOT_COMPUTED, Constraint, NotARule, parse
from automl.space.domains import Choice, Range
from automl.space.space import Space

CONSTRAINTS: Path_ = ("search", "constraints")
START: Path_ = ("search", "start")
MAX_CONSTRAINTS, MAX_START = 100, 1_000
TRIED = 100
"""Points drawn to try a constraint on that could be computed at none of those before."""


def with_points(
    space: Space, lists: Mapping[str, tuple[str, ...]], literals: Mapping[str, Any], problems: Problems
) -> Space:
    """Returns the space with the document's constraints and starting points.

    Args:
        space: The domains.
        lists: Names that stand for one parameter per repeat, with those parameters.
        literals: Fixed leaves by name.
        problems: Where to note what is wrong.
    """
    search = problems.document.data.get("search")
    search = search if isinstance(search, dict) else {}
    for place, most in ((CONSTRAINTS, MAX_CONSTRAINTS), (START, MAX_START)):
        count = len(_list(search.get(place[-1])))
        if count > most:
            problems.add(place, f"{place[-1]} holds too many", f"at most {most:,}", str(count))
            return space
    rules = []
    for index, text in enumerate(_list(search.get("constraints"))):
        rule = _rule(text, (*CONSTRAINTS, index), space, lists, literals, problems)
        if rule is not None:
            rules.append(rule)
    space = replace(space, rules=tuple(rules))
    start = []
    for index, given in enumerate(_list(search.get("start"))):
        point = _point(given, (*START, index), space, lists, problems)
        if point is not None:
            start.append(point)
    return replace(space, start=tuple(start))


def check_start(space: Space, problems: Problems) -> None:
    """Notes starting points that are none of the space once it is known which of its numbers are whole."""
    for index, point in enumerate(space.start):
        for name, value in point.items():
            domain = space.by_name[name].domain
            if not domain.holds(value):
                expected = f"a whole number, {domain.described()}"
                problems.add((*START, index, name), f"{name} is never {shorten(value)}", expected, shorten(value))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []  # the check of the section tells of anything else


def _rule(
    text: Any,
    path: Path_,
    space: Space,
    lists: Mapping[str, tuple[str, ...]],
    literals: Mapping[str, Any],
    problems: Problems,
) -> Constraint | None:
    if not isinstance(text, str):
        return None
    try:
        tree, names = parse(text)
    except NotARule as error:
        expected = f"names, numbers, comparisons, and, or, not, {', '.join(FUNCTIONS)}"
        problems.add(path, str(error), expected, shorten(text))
        return None
    known = [*space.by_name, *lists, *literals]
    unknown = [name for name in dict.fromkeys(names.values()) if name not in known]
    for name in unknown:
        hint = did_you_mean(name, known) or "Put text in quotes, and name a parameter by its path"
        problems.add(path, f"the constraint names {name!r}, which is no parameter", hint=hint)
    if unknown:
        return None
    if not names:
        problems.add(path, "the constraint names no parameter", received=shorten(text))
        return None
    rule = Constraint(text, tree, names, lists, literals)
    clash = _clash(rule, space)
    if clash is not None:
        legal = "numbers with numbers, text with text, no division by zero"
        problems.add(path, f"the constraint cannot be computed: {clash}", legal, shorten(text))
        return None
    if not rule.searched() and not rule.holds({}):
        problems.add(path, "the constraint never holds: nothing in it is searched", received=text)
        return None
    return rule


def _clash(rule: Constraint, space: Space) -> str | None:
    """Returns why the expression cannot be computed for some kind of its values, or for none; None when it can."""
    middle = {name: _some(space, name) for name in rule.searched()}
    reason, is_computed = None, False
    for point in _kinds(rule, space, middle):
        if None in point.values():
            continue  # null is compared with nothing, and no mistake
        try:
            rule.compute(point)
            is_computed = True
        except TypeError as error:
            return str(error)
        except NOT_COMPUTED as error:
            reason = str(error)
    return None if is_computed or reason is None or _is_computed(rule, space, middle) else reason


def _is_computed(rule: Constraint, space: Space, names: Collection[str]) -> bool:
    """Tells whether the expression can be computed at one of the points drawn."""
    generator = Random(0)  # noqa: S311 - no secret
    for _ in range(TRIED):
        try:
            rule.compute({name: space.by_name[name].domain.draw(generator) for name in names})
        except NOT_COMPUTED:
            continue
        return True
    return False


def _kinds(rule: Constraint, space: Space, middle: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yields points in which each parameter has a value of each kind that it may have: text, a number, a list."""
    yield middle
    # Those of one `each` are alike.
    for name in dict.fromkeys(each for named in rule.names.values() for each in rule.lists.get(named, (named,))[:1]):
        if name in middle:
            domain = space.by_name[name].domain
            values = domain.values if isinstance(domain, Choice) else (domain.min, domain.max)
            for value in {_kind(value): value for value in values}.values():
                yield {**middle, name: value}


def _kind(value: Any) -> Any:
    return (list, *map(_kind, value)) if isinstance(value, list) else type(value)


def _some(space: Space, name: str) -> Any:
    """Returns a value of a parameter that is not null, if it has one."""
    domain = space.by_name[name].domain
    if isinstance(domain, Choice) and domain.default is None:
        return next((value for value in domain.values if value is not None), None)
    return domain.default


def _point(
    given: Any, path: Path_, space: Space, lists: Mapping[str, tuple[str, ...]], problems: Problems
) -> dict[str, Any] | None:
    """Reads one starting point; what it leaves out stands at its default."""
    if not isinstance(given, dict):
        return None
    before = len(problems.found)
    wanted: dict[str, Any] = {}
    for name, value in given.items():
        if name in lists:
            values = value if isinstance(value, list) else [value] * len(lists[name])
            wanted |= dict(zip(lists[name], values, strict=False))
        elif name in space.by_name:
            wanted[name] = value
        else:
            hint = did_you_mean(name, [*space.by_name, *lists]) or "Name a searched parameter by its path"
            problems.add((*path, name), f"start names {name!r}, which is no searched parameter", hint=hint)
    for name, value in wanted.items():
        domain = space.by_name[name].domain
        # Whether whole numbers are meant is known once the fields are: see `check_start`.
        if not (domain.as_float() if isinstance(domain, Range) and domain.step is None else domain).holds(value):
            at = next(key for key in given if name == key or name in lists.get(key, ()))
            problems.add((*path, at), f"{name} is never {shorten(value)}", domain.described(), shorten(value))
    if len(problems.found) > before:
        return None
    point = space.defaults(wanted)
    for name in given:
        if name in wanted and name not in point:
            what = f"{name} does not exist beside the other values of this point"
            problems.add((*path, name), what, hint="Give the values it depends on, or leave it out")
    broken = next((rule.text for rule in space.rules if not rule.holds(point)), None)
    if broken is not None:
        problems.add(path, f"the starting point breaks the constraint {broken!r}", hint="Change one of the two")
    return point if len(problems.found) == before else None
