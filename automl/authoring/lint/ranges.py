"""Checks of single domains: what there is to search in them, and on what scale."""

from __future__ import annotations

import math
from collections.abc import Iterator

from automl.authoring.lint._case import Case, Finding
from automl.errors import shorten
from automl.space.domains import Range

RATES = ("learning_rate", "weight_decay", "l1", "l2")
"""Fields whose effect goes by factors, not by differences."""
NARROW, WIDE = 3.0, 100.0


def one_value(case: Case) -> Iterator[Finding]:
    """A domain of one value."""
    for param in case.params:
        # Beside a `when` it stands for one value in some trials, and the field's default in the others.
        if param.domain.size == 1 and not case.has_when(param):
            value = shorten(param.domain.default)
            what = f"{param.name} is always {value}"
            yield case.finding(param.path, what, "There is nothing to search", f"Write {value} in its place")


def step_short_of_max(case: Case) -> Iterator[Finding]:
    """Steps that never reach the end of their range."""
    for param in case.params:
        domain = param.domain
        if not isinstance(domain, Range) or domain.step is None or domain.size == 1:
            continue
        last = domain.points()[-1]
        if not math.isclose(last, domain.max):
            what = f"{param.name} is never {domain.max}: in steps of {domain.step} from {domain.min} it ends at {last}"
            hint = f"Write max: {last}, or a step that divides the range"
            yield case.finding((*param.path, "step"), what, "The range reads wider than it is", hint)


def narrow_log(case: Case) -> Iterator[Finding]:
    """A logarithmic scale over less than a factor of 3."""
    for param in case.params:
        domain = param.domain
        if isinstance(domain, Range) and domain.log and 1 < domain.max / domain.min < NARROW:
            what = f"{param.name} is drawn on a log scale over a factor of {domain.max / domain.min:.3g}"
            why = "So narrow, it is drawn almost as without"
            yield case.finding((*param.path, "log"), what, why, "Leave log out, or widen the range")


def wide_without_log(case: Case) -> Iterator[Finding]:
    """A rate over more than a factor of 100 without a logarithmic scale."""
    for param in case.params:
        domain = param.domain
        if not isinstance(domain, Range) or domain.log or not {*RATES} & {*param.path[-1:]} or domain.min <= 0:
            continue
        if domain.max / domain.min > WIDE:
            what = f"{param.name} is drawn evenly over a factor of {domain.max / domain.min:.3g}"
            low = domain.max / 10
            why = f"Nine in ten draws lie above {low:.3g}, so small values are hardly tried"
            hint = "Write log: true" + (" in place of the step" if domain.step is not None else "")
            yield case.finding(param.path, what, why, hint)
