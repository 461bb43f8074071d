"""How many trials a space has: a sum over each parameter's values of the product of what hangs on it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from automl.space.domains import identity
from automl.space.tree import Condition, Param, Tail

MOST = 10_000
"""Ways that a table follows at once; a space that has more of them is not counted."""
SHOWN = 10**15
"""The least count of which only the power of ten is shown."""
_OTHER = object()
"""Stands for all values of a parameter that no condition speaks of."""


def told(size: int | None) -> int | str:
    """Returns a count as it is shown: the number, endless, or the power of ten of one that nobody would read."""
    if size is None:
        return "endless"
    return size if size < SHOWN else f"about 10^{math.floor(math.log10(size))}"


def own_conditions(param: Param, params: Mapping[str, Param]) -> list[Condition]:
    """Returns the conditions of a parameter that none of its parents has as well: where they hold, so do theirs."""
    theirs = {id(each) for condition in param.conditions for each in params[condition.name].conditions}
    return [condition for condition in param.conditions if id(condition) not in theirs]


def count(gates: Sequence[tuple[Param, list[Condition]]]) -> int | None:
    """Counts the distinct trials of finite parameters; None where that would take too long.

    Args:
        gates: The parameters, parents before children, each with its own conditions.
    """
    found = 1
    for group in _groups(gates):
        is_tree = all(len({condition.name for condition in own}) <= 1 for _, own in group)
        ways = _tree(group) if is_tree else _table(group)
        if ways is None:
            return None
        found *= ways
    return found


def _groups(gates: Sequence[tuple[Param, list[Condition]]]) -> Iterable[list[tuple[Param, list[Condition]]]]:
    """Yields the parameters in groups that do not depend on each other."""
    group_of: dict[str, list[tuple[Param, list[Condition]]]] = {}
    for param, own in gates:
        group = [(param, own)]
        for name in {condition.name for condition in own}:
            other = group_of[name]
            if other is not group:
                # The smaller one moves, so that no parameter moves often; order is mended below.
                small, group = sorted((group, other), key=len)
                group += small
                group_of.update((each.name, group) for each, _ in small)
        group_of[param.name] = group
    place = {param.name: index for index, (param, _) in enumerate(gates)}
    for group in {id(group): group for group in group_of.values()}.values():
        yield sorted(group, key=lambda gate: place[gate[0].name])


def _tree(group: Sequence[tuple[Param, list[Condition]]]) -> int:
    """Counts parameters each of which hangs on one other at most."""
    children: defaultdict[str, list[tuple[list[Condition], int]]] = defaultdict(list)
    ways = 1
    for param, own in reversed(group):
        ways = _sum(param.domain.size or 0, children[param.name])
        if own:
            children[own[0].name].append((own, ways))
    return ways


def _sum(size: int, children: Sequence[tuple[list[Condition], int]]) -> int:
    """Returns the sum, over a parameter's values, of the product of the ways that its children have beside each."""
    factors: dict[Any, int] = {}
    tails: defaultdict[int, int] = defaultdict(lambda: 1)
    longest: tuple[int, ...] = ()
    for conditions, ways in children:
        listed = [condition.values for condition in conditions if not isinstance(condition.values, Tail)]
        if listed:
            for value in {identity(value): value for value in listed[0]}.values():
                if all(condition.holds({condition.name: value}) for condition in conditions):
                    factors[identity(value)] = factors.get(identity(value), 1) * ways
            continue
        # Of a repeat's upper counts, which all end with its last one, the fewest hold.
        shortest = min((condition.values for condition in conditions), key=len)
        longest = max(longest, shortest, key=len)
        tails[shortest[0]] *= ways
    found, running = 0, 1
    for value in longest:
        running *= tails.get(value, 1)
        found += running * factors.pop(identity(value), 1)
    return found + sum(factors.values()) + size - len(longest) - len(factors)


def _table(group: Sequence[tuple[Param, list[Condition]]]) -> int | None:
    """Counts parameters of which some hang on several, parameter after parameter; None where the table grows too long.

    What a later condition asks for is told apart, no more.
    """
    last = {condition.name: index for index, (_, own) in enumerate(group) for condition in own}
    asked: defaultdict[str, dict[Any, Any]] = defaultdict(dict)
    for _, own in group:
        for condition in own:
            asked[condition.name].update((identity(value), value) for value in condition.values)
    # The parents' values that matter from here on -> the number of ways to reach them.
    ways: dict[Any, tuple[dict[str, Any], int]] = {(): ({}, 1)}
    for index, (param, own) in enumerate(group):
        reached: dict[Any, tuple[dict[str, Any], int]] = {}
        options = [(value, 1) for value in asked[param.name].values()]
        options.append((_OTHER, (param.domain.size or 0) - len(options)))
        for values, number in ways.values():
            branches = [(values, number)]
            if all(condition.holds(values) for condition in own):
                branches = [({**values, param.name: value}, number * times) for value, times in options if times]
            for branch, more in branches:
                kept = {name: value for name, value in branch.items() if last.get(name, 0) > index}
                key = tuple((name, identity(value)) for name, value in kept.items())
                reached[key] = (kept, reached.get(key, (kept, 0))[1] + more)
            if len(reached) > MOST:
                return None
        ways = reached
    return sum(number for _, number in ways.values())
