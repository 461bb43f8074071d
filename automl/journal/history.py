"""A journal, replayed: what became of each trial."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from automl.errors import SearchError
from automl.journal.events import (
    Asked,
    Baseline,
    Changed,
    Ended,
    Event,
    Finished,
    Header,
    Lost,
    Measured,
    Reported,
    Resumed,
    Retried,
    Started,
)
from automl.records.trials import NO_PLACE


@dataclass
class TrialHistory:
    """What a journal tells of one trial.

    Args:
        asked: Its proposal.
        attempts: How many times it was started.
        reports: Its epochs, in order.
        measured: The trainings it finished, of a trial that has several.
        lost: The attempts whose worker died.
        changes: Leaves of `training` that were changed for another attempt.
        ended: How it ended; None while it runs, or when the driver died before.
    """

    asked: Asked
    attempts: int = 0
    reports: list[Reported] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    changes: dict[str, Any] = field(default_factory=dict)
    ended: Ended | None = None

    def past(self) -> dict[str, Any]:
        """Returns the fields of `oracles.PastTrial`, for `Proposer.restore`."""
        asked, ended = self.asked, self.ended
        return {
            "number": asked.number,
            "values": asked.values,
            "ended": ended is not None,
            "score": ended.score if ended else None,
        }


@dataclass
class History:
    """A journal, replayed.

    Args:
        header: Its first line, with the document as it was changed last.
        trials: By number, in the order asked.
        baselines: By name, in the order measured.
        finishes: Every time the search finished; more than one when it was continued.
        finished: How it finished; None while it runs, was cut off, or goes on after a finish.
        seconds: Time a driver spent on it, summed over resumes.
        begun: When the last driver began.
        total: The total of trials that a resume was given; None when it is the document's.
    """

    header: Header
    trials: dict[int, TrialHistory] = field(default_factory=dict)
    baselines: dict[str, Baseline] = field(default_factory=dict)
    finishes: list[Finished] = field(default_factory=list)
    finished: Finished | None = None
    seconds: float = 0.0
    begun: int = 0
    total: int | None = None

    @property
    def counted(self) -> int:
        """The number of trials that take a place of the total."""
        ended = (trial.ended.outcome if trial.ended else None for trial in self.trials.values())
        return sum(outcome != NO_PLACE for outcome in ended)

    def past(self) -> list[dict[str, Any]]:
        """Returns what `Proposer.restore` wants: `[PastTrial(**fields) for fields in history.past()]`."""
        return [trial.past() for trial in self.trials.values()]


def build(events: Iterable[Event], path: Path) -> History:
    """Follows the events of the journal at `path`, the header first.

    Raises:
        SearchError: An event belongs to a trial never asked, or to another search.
    """
    history: History | None = None
    last = 0
    for number, event in enumerate(events, start=1):
        if isinstance(event, Header):
            if history is not None:
                raise SearchError(f"{path}:{number}: a second header. Expected one search in a journal.")
            history = History(event, begun=event.created)
            last = event.created
            continue
        assert history is not None
        if isinstance(event, Resumed):
            # The time between a driver's end and the next one's start is nobody's.
            history.seconds += (last - history.begun) / 1000
            history.begun = event.time
            history.finished = None
            history.total = event.trials or history.total
        elif isinstance(event, Baseline):
            history.baselines[event.name] = event
        elif isinstance(event, Changed):
            history.header = replace(history.header, document=event.document, keys=event.keys)
        elif isinstance(event, Finished):
            if event.best is not None and event.best not in history.trials:
                raise SearchError(f"{path}:{number}: the best is trial {event.best}, which was never asked.")
            history.finished = event
            history.finishes.append(event)
        elif isinstance(event, Asked):
            history.trials[event.number] = TrialHistory(event)
        elif event.number not in history.trials:
            raise SearchError(f"{path}:{number}: {event.event!r} of trial {event.number}, which was never asked.")
        else:
            _follow(history.trials[event.number], event)
        last = event.time
    assert history is not None
    history.seconds += (last - history.begun) / 1000
    return history


def _follow(trial: TrialHistory, event: Started | Reported | Measured | Ended | Lost | Retried) -> None:
    if isinstance(event, Started):
        trial.attempts = max(trial.attempts, event.attempt)
    elif isinstance(event, Reported):
        trial.reports.append(event)
    elif isinstance(event, Measured):
        trial.measured.append(event)
    elif isinstance(event, Lost):
        trial.lost.append(event)
    elif isinstance(event, Retried):
        trial.changes |= event.changes
        trial.reports.clear()
        trial.measured.clear()
    else:
        trial.ended = event
