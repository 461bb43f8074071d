"""Looks at a document that is right for what is unwise in it: `automl validate`.

No data is read, and Keras asked only where a shape is given and nobody else knows what fits.

A check is a function of a `Case` that yields findings; its docstring says in a line what it finds. Each tells only what
is certain: a finding about a sensible document is a bug of the check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from automl.authoring.lint import costs, fit, idle, points, ranges
from automl.authoring.lint._case import Case, Finding
from automl.experiment.experiment import Experiment
from automl.flow import Shape

CHECKS: tuple[Callable[[Case], Iterable[Finding]], ...] = (
    ranges.one_value,
    ranges.step_short_of_max,
    ranges.narrow_log,
    ranges.wide_without_log,
    idle.idle_field,
    idle.too_late,
    points.constraints,
    points.same_start,
    points.refused,
    costs.off_cudnn,
    costs.batch_of_one,
    costs.losses_that_differ,
    costs.rungs_too_short,
    fit.too_many_blocks,
    fit.does_not_fit,
)


def findings(read: Experiment, shape: Shape | None = None) -> list[Finding]:
    """Returns what is unwise in a document, in the order of the file.

    Args:
        read: The document, checked.
        shape: Shape of an example; None: nothing is said about what depends on it.
    """
    case = Case(read, shape)
    return sorted({each for check in CHECKS for each in check(case)}, key=_position)


def _position(finding: Finding) -> tuple[str, int, int, str]:
    file, _, place = finding.where.partition(":")
    line, _, column = place.rpartition(":")
    return (file, int(line), int(column), finding.what) if line.isdecimal() else ("", 0, 0, finding.what)
