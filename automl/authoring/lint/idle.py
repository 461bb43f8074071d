"""Checks of fields that can do nothing: because of another field, or because training is too short."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from automl.authoring.lint._case import Case, Finding, Place
from automl.blocks import OnlyWith
from automl.errors import shorten
from automl.space.domains import Choice

NEEDS = {"nesterov": "momentum", "ema_momentum": "use_ema", "ema_overwrite_frequency": "use_ema"}
"""Fields of optimizers that do nothing while another one is 0 or false."""
EPOCHS = {
    "patience": (1, "it never runs out"),
    "warmup": (0, "the rate never rises to its full value"),
    "boundaries": (0, "the last one is never reached"),
}
"""Fields that count epochs, how many epochs sooner they must be over to do what they are for, and what fails else."""


def idle_field(case: Case) -> Iterator[Finding]:
    """A field that another field of the same block or optimizer keeps from mattering."""
    for place in (*case.blocks, *case.training):
        for field, other, wakes in _dependent(place):
            yield from _idle(case, place, field, other, wakes)


def _dependent(place: Place) -> Iterator[tuple[str, str, Callable[[Any], bool]]]:
    """Yields the fields given that depend on another one, that one, and what tells its values they matter with."""
    known = place.model.model_fields
    for field in place.fields:
        marks = known[field].metadata if field in known else ()
        for mark in marks:
            if isinstance(mark, OnlyWith):
                yield field, mark.field, mark.values.__contains__
        if field in NEEDS and NEEDS[field] in known:
            yield field, NEEDS[field], bool


def _idle(case: Case, place: Place, field: str, other: str, wakes: Callable[[Any], bool]) -> Iterator[Finding]:
    path = (*place.path, field)
    if not any(case.values(place, field)):
        return  # off, or null: it asks for nothing
    param, parent, values = case.param(place, field), case.param(place, other), case.beside(place, field, other)
    if not any(map(wakes, values)):
        told = " or ".join(dict.fromkeys(map(shorten, values)))
        what = f"{field} never matters: {other} is {told}"
        yield case.finding(path, what, f"Nothing reads it beside that {other}", f"Remove {field}, or change {other}")
    elif param is not None and parent is not None and isinstance(parent.domain, Choice):
        asleep = [value for value in values if not wakes(value)]
        if asleep:
            what = f"{param.name} is searched where it does not matter: {other} may be {shorten(asleep[0])}"
            awake = shorten([value for value in values if wakes(value)])
            why = "Its draws are noise to the search there"
            yield case.finding(path, what, why, f"Add when: {{{parent.name}: {awake}}}")


def too_late(case: Case) -> Iterator[Finding]:
    """A patience, a warm-up or a boundary that no trial trains long enough for."""
    section = case.training[0]
    most = max(case.values(section, "epochs"))
    for place in case.training[1:]:
        for field, (slack, loss) in EPOCHS.items():
            if field not in place.fields:
                continue
            counts = [value[-1] if isinstance(value, list) else value for value in case.values(place, field)]
            beyond = [count for count in counts if count >= most - slack and count > 0]
            if not beyond:
                continue
            whole = len(beyond) == len(counts)
            name = f"{place.kind}.{field}"
            what = f"{name} is {beyond[0]}" if whole else f"{name} may be {max(beyond)}"
            why = f"No trial trains more than {most} epochs, so {loss}" + ("" if whole else " then")
            hint = f"Choose it below {most - slack}, or train longer"
            yield case.finding((*place.path, field), what, why, hint)
