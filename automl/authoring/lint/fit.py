"""Checks that need the shape of an example: trials whose model cannot be built."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from automl.authoring.lint._case import BLOCKS, Case, Finding
from automl.blocks._chain import MAX_BLOCKS, Chain
from automl.document import block_lists
from automl.document.block_lists import inner_lists, split
from automl.document.yaml_text import Path_
from automl.errors import Infeasible
from automl.flow import Shape, Unknown
from automl.machine import keras_backend
from automl.model import build
from automl.model.pretrained import BACKBONE
from automl.space.tree import Fork, Values, resolve

MOST_BUILT = 10
"""Models that are built where only Keras knows whether one can be."""
Verdict = tuple[Values, str | None]
"""A trial, and why it cannot be built; None where it can."""

_STEP = re.compile(r"(?:model)?\[(\d+)\] \w+: (?:branch (\d+): )?")
_END = re.compile(r"^(head|end|sum|merge): ")


def too_many_blocks(case: Case) -> Iterator[Finding]:
    """Trials with more blocks than a model can have."""
    tree = case.read.space.tree["model"]
    trials = [case.read.space.defaults(), *case.trials[: BLOCKS // len(case.blocks)]]
    counts = [block_lists.count(resolve(tree, values)) for values in trials]
    beyond = [count for count in counts if count > MAX_BLOCKS]
    if beyond:
        what = f"{len(beyond) / len(counts):.0%} of the trials have more than {MAX_BLOCKS:,} blocks"
        why = f"One has {max(beyond):,}, repeats of repeats among them, and fails before it trains"
        yield case.finding(("model",), what, why, "Repeat less")


def does_not_fit(case: Case) -> Iterator[Finding]:
    """Blocks larger than what is left of the input, or behind what they cannot read."""
    if case.shape is None:
        return
    default, known, untold = case.read.space.defaults(), list[Verdict](), list[Values]()
    for values in (default, *_few(case)):
        try:
            known.append((values, infeasible(case, values, case.shape)))
        except Unknown:
            untold.append(values)
    if all(message for _, message in known):
        known += _built(case, untold, case.shape)
    reasons: defaultdict[Path_, Counter[str]] = defaultdict(Counter)
    broken: Path_ | None = None
    for values, message in known:
        if message is None:
            continue
        path, reason = place(message, case.read.space.tree["model"], values)
        reasons[path][reason] += values is not default
        if values is default:
            broken = path
    drawn = sum(values is not default for values, _ in known)
    for path, counts in reasons.items():
        count = sum(counts.values())
        told = ["the default trial"] * (path == broken) + [f"{count} of {drawn} drawn trials"] * (count > 0)
        reason, _, hint = counts.most_common(1)[0][0].partition(". ")
        what = f"{' and '.join(told)} cannot be built for an input of {case.shape}"
        yield case.finding(path, what, f"It fails here: {reason}", hint or "Change one of the two")


def _few(case: Case) -> Iterator[Values]:
    """Yields the trials, until they have more blocks than there is time for."""
    blocks = 0
    for values in case.trials:
        blocks += block_lists.count(resolve(case.read.space.tree["model"], values))
        if blocks > BLOCKS:
            return
        yield values


def infeasible(case: Case, values: Values, shape: Shape) -> str | None:
    """Returns why a trial's model cannot be built; None where it can.

    Raises:
        Unknown: That is known to Keras alone.
    """
    try:
        chain = Chain.read(resolve(case.read.space.tree["model"], values), "model")
        before = "the image" if shape.kind == "feature_map" else "the series"
        chain.shape(shape, ("vector",), before, "head")
    except (Infeasible, ValueError) as error:
        return str(error)
    return None


def _built(case: Case, trials: Sequence[Values], shape: Shape) -> Iterator[Verdict]:
    """Builds models, which imports Keras, until one can be: no space may pass of which none can."""
    for values in trials[:MOST_BUILT]:
        document = case.read.space.resolve(values)
        # Of what a backbone has learned nothing depends.
        document["model"] = [_unlearned(item) for item in document["model"]]
        keras_backend.import_keras()
        try:
            build.build(document, build.data_of(shape.sides, 2))
        except Infeasible as error:
            yield values, str(error)
        else:
            yield values, None
            return


def _unlearned(item: Any) -> Any:
    kind, fields = block_lists.split(item)
    return {kind: {**fields, "weights": None}} if kind == BACKBONE and isinstance(fields, dict) else item


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
