"""What workers say and what the journal keeps of it are the same facts: from one to the other and back."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from automl.journal.events import Ended, Measured
from automl.records import trials


def end(result: trials.TrialResult, time: int) -> Ended:
    """Returns the event of a trial's end; times are unix milliseconds."""
    return Ended(number=result.trial, time=time, **_shared(result, Ended))


def result(event: Ended, model: str | None) -> trials.TrialResult:
    """Returns the result that an end was written from.

    Args:
        event: The end.
        model: Path of the model, if it is still there.
    """
    return trials.TrialResult(trial=event.number, model=model, **_shared(event, trials.TrialResult))


def measured(training: trials.Measured, time: int) -> Measured:
    """Returns the event of the end of one of a trial's trainings."""
    return Measured(number=training.trial, time=time, **_shared(training, Measured))


def training(event: Measured) -> trials.Measured:
    """Returns the training that an event was written from."""
    return trials.Measured(trial=event.number, **_shared(event, trials.Measured))


def _shared(one: Any, other: type[Any]) -> dict[str, Any]:
    common = {each.name for each in fields(one)} & {each.name for each in fields(other)}
    return {name: getattr(one, name) for name in common}
