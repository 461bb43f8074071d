"""Puts a document's parameters in order: parents before children, each with all that it depends on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from automl.document.problems import Problems
from automl.errors import did_you_mean, shorten
from automl.space.domains import Choice, Range
from automl.space.tree import Condition, Param, Tail

MAX_CONDITIONS = 100
"""Conditions of one parameter, those of all that it depends on among them."""
LISTED = 20
"""Values of a range that a message lists; of more it tells the ends."""

Parents = Mapping[str, list[tuple[Condition, Param]]]
"""For each parameter what it depends on: the condition, and the parameter that it speaks of."""


def ordered(params: Mapping[str, Param], failed: Collection[str], problems: Problems) -> tuple[Param, ...]:
    """Returns the parameters, parents first, each with the whole chain of what it depends on.

    Args:
        params: By name, each with the conditions written at its own place.
        failed: Names of parameters whose domains are wrong, and told.
        problems: Where to note conditions that cannot hold.
    """
    parents: dict[str, list[tuple[Condition, Param]]] = {}
    for param in params.values():
        found = [(each, _parent(each, param, params, failed, problems)) for each in param.conditions]
        parents[param.name] = [(_spelled(each, parent), parent) for each, parent in found if parent is not None]
    done: dict[str, Param] = {}
    dead: set[str] = set()
    for param in params.values():
        # A loop: a chain may be as long as the document.
        path = {param.name: param} if param.name not in done else {}
        while path:
            last = path[next(reversed(path))]
            parent = next((each for _, each in parents[last.name] if each.name not in done), None)
            if parent is None:
                chain = _chain(parents[last.name], done)
                # What hangs on a dead one is not wrong as well.
                if any(each.name in dead for _, each in parents[last.name]) or not _can_exist(last, chain, problems):
                    dead.add(last.name)
                done[last.name] = replace(path.pop(last.name), conditions=tuple(chain))
            elif parent.name in path:
                problems.add((*parent.path, "when"), f"{parent.name} depends on itself through when")
                parents[last.name] = [(c, each) for c, each in parents[last.name] if each.name != parent.name]
            else:
                path[parent.name] = parent
    return tuple(done.values())


def _chain(parents: Sequence[tuple[Condition, Param]], done: Mapping[str, Param]) -> list[Condition]:
    """Returns all that a parameter depends on, once each; cut off where that is too much."""
    chain: list[Condition] = []
    for condition, parent in parents:
        chain += [each for each in (*done[parent.name].conditions, condition) if each not in chain]
        if len(chain) > MAX_CONDITIONS:
            break
    return chain[: MAX_CONDITIONS + 1]


def _can_exist(param: Param, chain: Sequence[Condition], problems: Problems) -> bool:
    """Tells whether a parameter can ever exist; notes where it cannot, or depends on too much."""
    if len(chain) > MAX_CONDITIONS:
        what = f"{param.name} depends on too many others"
        problems.add(param.path, what, f"at most {MAX_CONDITIONS}, theirs among them")
        return False
    if not _can_hold(chain):
        what = f"{param.name} can never exist: no value of what it depends on allows it"
        problems.add(param.path, what, hint="Remove it, or widen its conditions")
        return False
    return True


def check_continuous(params: Sequence[Param], floats: Collection[str], problems: Problems) -> None:
    """Notes conditions on whole numbers that turned out to stand for any number, of which none is ever met.

    Args:
        params: All parameters.
        floats: Names of those whose fields take any number.
        problems: Where to note them.
    """
    continuous = {p.name for p in params if p.name in floats and isinstance(p.domain, Range)}
    continuous -= {p.name for p in params if isinstance(p.domain, Range) and p.domain.as_float().size is not None}
    for param in params:
        for name in {condition.name for condition in param.conditions} & continuous:
            what = f"when cannot test {name}, which may be any number"
            problems.add((*param.path, "when", name), what, "values, or a range with a step")


def _parent(
    condition: Condition, param: Param, params: Mapping[str, Param], failed: Collection[str], problems: Problems
) -> Param | None:
    """Finds the parameter a condition speaks of, and checks that it can hold."""
    path = (*param.path, "when", condition.name)
    parent = params.get(condition.name)
    if parent is None:
        if any(condition.name == name or condition.name.startswith(f"{name}.") for name in failed):
            return None
        others = [name for name in params if name != param.name]
        hint = did_you_mean(condition.name, others) or "Name a searched parameter by its path"
        problems.add(path, f"when names {condition.name!r}, which is no searched parameter", hint=hint)
        return None
    if parent.domain.size is None:
        problems.add(path, f"when cannot test {condition.name}, a continuous range", "values or whole numbers")
        return None
    for value in condition.values:
        if not parent.domain.holds(value):
            few = parent.domain.size <= LISTED
            legal = f"one of {shorten(list(parent.domain.points()))}" if few else parent.domain.described()
            problems.add(path, f"{condition.name} is never {shorten(value)}", legal, shorten(value))
            return None
    return parent


def _spelled(condition: Condition, parent: Param) -> Condition:
    """Returns a condition with its values as its parameter has them: 1 is 1.0 in a range of floats."""
    if isinstance(parent.domain, Choice) or parent.domain.whole:
        return condition
    domain = parent.domain
    return replace(condition, values=tuple(domain.decode(domain.encode(value)) for value in condition.values))


def _can_hold(chain: Sequence[Condition]) -> bool:
    """Tells whether all conditions can hold at once: those on one parameter must share a value."""
    on: dict[str, list[Condition]] = {}
    for condition in chain:
        on.setdefault(condition.name, []).append(condition)
    for name, conditions in on.items():
        # The tails of one repeat all end with its last count.
        values = next((c.values for c in conditions if not isinstance(c.values, Tail)), conditions[0].values[-1:])
        if not any(all(condition.holds({name: value}) for condition in conditions) for value in values):
            return False
    return True
