"""Checks of points: what constraints leave of a space, points to start from, trials that are refused."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

from automl.authoring.lint._case import Case, Finding, ends
from automl.errors import Infeasible, shorten
from automl.experiment import experiment
from automl.space.constraints import Constraint
from automl.space.points import CONSTRAINTS, START
from automl.space.tree import resolve

MOST_REFUSED = 0.9
MOST_CORNERS = 256


def constraints(case: Case) -> Iterator[Finding]:
    """Constraints that leave nothing or little, rule nothing out, or refuse the default trial."""
    space, draws = case.read.space, case.draws
    found = False
    for index, rule in enumerate(space.rules):
        path, text = (*CONSTRAINTS, index), shorten(rule.text)
        kept = [values for values in draws if rule.holds(values)]
        share = 1 - len(kept) / len(draws)
        extremes = list(_corners(case, rule)) if len(kept) in (0, len(draws)) else []
        if not kept and not any(map(rule.holds, extremes)):
            found = True
            what = f"no point of {len(draws):,} drawn obeys {text}"
            yield case.finding(path, what, "There is nothing to try", "Widen the domains, or correct the constraint")
        elif share > MOST_REFUSED:
            found = True
            what = f"{text} rules out {share:.0%} of the points"
            why = "The search spends its time on finding legal ones"
            yield case.finding(path, what, why, "Narrow the domains to what is meant, or loosen the constraint")
        elif len(kept) == len(draws) and all(map(rule.holds, extremes)):
            what = f"{text} rules nothing out"
            yield case.finding(path, what, f"All of {len(draws):,} drawn points obey it", "Remove or correct it")
        if kept and not rule.holds(space.defaults()):
            what = f"the default trial breaks {text}"
            why = "What stands as the default is never tried"
            yield case.finding(path, what, why, "Set a `default` that obeys it, or loosen the constraint")
    legal = sum(map(space.legal, draws)) / len(draws)
    if space.rules and not found and legal < 1 - MOST_REFUSED:
        what = f"the constraints together rule out {1 - legal:.0%} of the points"
        why = "The search spends its time on finding legal ones"
        yield case.finding(CONSTRAINTS, what, why, "Narrow the domains to what is meant, or loosen one of them")


def _corners(case: Case, rule: Constraint) -> Iterator[dict[str, Any]]:
    """Yields points at the ends of the parameters a constraint speaks of, which a draw may well miss."""
    space, generator = case.read.space, Random(0)  # noqa: S311 - no secret
    names = rule.searched()
    sides = [ends(space.by_name[name].domain) for name in names]
    for corner in itertools.islice(itertools.product(*sides), MOST_CORNERS):
        wanted = dict(zip(names, corner, strict=True))
        yield space.fill(lambda param: wanted.get(param.name, param.domain.draw(generator)))  # noqa: B023 - called at once


def same_start(case: Case) -> Iterator[Finding]:
    """Points to start from that are one and the same."""
    seen: dict[str, int] = {}
    for index, point in enumerate(case.read.space.start):
        first = seen.setdefault(case.read.space.key(point), index)
        if first != index:
            what = f"starting point {index + 1} is the same as point {first + 1}"
            yield case.finding((*START, index), what, "It would be tried once", "Remove it, or change a value")


def refused(case: Case) -> Iterator[Finding]:
    """Training sections that some trials have, and that are refused."""
    tree = case.read.space.tree.get("training") or {}
    told: list[str | None] = []
    own = [param.name for param in case.read.space.params if param.path[0] == "training"]
    known: dict[str, str | None] = {}
    for values in case.trials:
        key = repr([values.get(name) for name in own])
        if key not in known:
            known[key] = _refusal(resolve(tree, values))
        told.append(known[key])
    reasons = Counter(reason for reason in told if reason)
    for reason, count in reasons.items():
        # Where the first of the fields stands that the reason names.
        path = ("training", *[field for field in tree if field in reason.split()][:1])
        what = f"{count / len(case.trials):.0%} of the trials are refused: {reason}"
        hint = "Rule such trials out, with when or a constraint"
        yield case.finding(path, what, "Such a trial fails before it trains", hint)


def _refusal(section: Any) -> str | None:
    try:
        experiment.training({"training": section})
    except Infeasible as error:
        return str(error).removeprefix("training: ")
    return None
