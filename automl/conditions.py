"""Puts a document's parameters in order: parents before children, each with all that it depends on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from automl.errors import did_you_mean, shorten
from automl.nodes import Condition, Param
from automl.problems import Problems


def ordered(params: Mapping[str, Param], failed: Collection[str], problems: Problems) -> tuple[Param, ...]:
    """Returns the parameters, parents first, each with the whole chain of what it depends on.

    Args:
        params: By name, each with the conditions written at its own place.
        failed: Names of parameters whose domains are wrong, and told.
        problems: Where to note conditions that cannot hold.
    """
    done: dict[str, Param] = {}
    open_: set[str] = set()
    dead: set[str] = set()

    def visit(param: Param) -> tuple[Condition, ...]:
        if param.name in done:
            return done[param.name].conditions
        if param.name in open_:
            problems.add((*param.path, "when"), f"{param.name} depends on itself through when")
            return ()
        open_.add(param.name)
        chain: list[Condition] = []
        for condition in param.conditions:
            parent = _parent(condition, param, params, failed, problems)
            if parent is not None:
                chain += [c for c in (*visit(parent), condition) if c not in chain]
        open_.discard(param.name)
        if any(c.name in dead for c in chain) or not _can_hold(chain):
            if not any(c.name in dead for c in chain):
                what = f"{param.name} can never exist: no value of what it depends on allows it"
                problems.add(param.path, what, hint="Remove it, or widen its conditions")
            dead.add(param.name)
        done[param.name] = replace(param, conditions=tuple(chain))
        return done[param.name].conditions

    for param in params.values():
        visit(param)
    return tuple(done.values())


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
            legal = f"one of {shorten(list(parent.domain.points()))}"
            problems.add(path, f"{condition.name} is never {shorten(value)}", legal, shorten(value))
            return None
    return parent


def _can_hold(chain: list[Condition]) -> bool:
    """Tells whether all conditions can hold at once: those on one parameter must share a value."""
    left: dict[str, set[str]] = {}
    for condition in chain:
        # By text, which tells 1, 1.0 and true apart as `same` does.
        values = {repr(value) for value in condition.values}
        left[condition.name] = left.get(condition.name, values) & values
    return all(left.values())
