"""Checks that need the shape of an example: trials whose model cannot be built."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from automl.blocks._chain import Chain
from automl.document import Path_
from automl.errors import Infeasible
from automl.lint._case import Case, Finding
from automl.nodes import Fork, Values, resolve
from automl.shapes import Shape, Unknown
from automl.structure import inner_lists, split

_STEP = re.compile(r"(?:model)?\[(\d+)\] \w+: (?:branch (\d+): )?")
_END = re.compile(r"^(head|end|sum|merge): ")


def does_not_fit(case: Case) -> Iterator[Finding]:
    """Blocks larger than what is left of the input, or behind what they cannot read."""
    if case.shape is None:
        return
    reasons: defaultdict[Path_, Counter[str]] = defaultdict(Counter)
    broken: Path_ | None = None
    default = case.read.space.defaults()
    for values in (default, *case.trials):
        message = infeasible(case, values, case.shape)
        if message is None:
            continue
        path, reason = place(message, case.read.space.tree["model"], values)
        reasons[path][reason] += values is not default
        if values is default:
            broken = path
    for path, counts in reasons.items():
        count = sum(counts.values())
        told = ["the default trial"] * (path == broken) + [f"{count} of {len(case.trials)} drawn trials"] * (count > 0)
        reason, _, hint = counts.most_common(1)[0][0].partition(". ")
        what = f"{' and '.join(told)} cannot be built for an input of {case.shape}"
        yield case.finding(path, what, f"It fails here: {reason}", hint or "Change one of the two")


def infeasible(case: Case, values: Values, shape: Shape) -> str | None:
    """Returns why a trial's model cannot be built; None where it can, as far as that is known without Keras."""
    try:
        chain = Chain.read(resolve(case.read.space.tree["model"], values), "model")
        before = "the image" if shape.kind == "feature_map" else "the series"
        chain.shape(shape, ("vector",), before, "head")
    except (Infeasible, ValueError) as error:
        return str(error)
    except Unknown:
        return None
    return None


def place(message: str, items: Any, values: Values) -> tuple[Path_, str]:
    """Finds the block that a message is about.

    Args:
        message: `model[2] stack: [0] conv: kernel_size 5 is ...`.
        items: The list of the space that it was read from.
        values: The trial's values.

    Returns:
        The path of the field that the reason begins with, else of the block, and the reason.
    """
    path: Path_ = ("model",)
    fields: Any = {}
    while match := _STEP.match(message):
        there = [(at, item) for at, item in enumerate(items) if not isinstance(item, Fork) or item.param in values]
        index, item = there[int(match[1])]
        message = message[match.end() :]
        if isinstance(item, Fork):
            path, fields = (*path, index, "one_of", values[item.param]), {}
            items = item.branches[values[item.param]]
            continue
        kind, fields = split(item)
        path = (*path, index) if isinstance(item, str) else (*path, index, kind)
        inner = list(inner_lists(fields))
        if inner:
            at, _, items = inner[int(match[2] or 1) - 1]
            path = (*path, *at) if _STEP.match(message) else path
    word = message.split(" ", 1)[0]
    return ((*path, word) if word in fields else path), _END.sub("", message)
