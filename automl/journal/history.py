"""A journal, replayed: what became of each trial."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from automl.errors import SearchError
from automl.journal.events import (
    Asked,
    Ended,
    Event,
    Finished,
    Header,
    Lost,
    Plain,
    Reported,
    Resumed,
    Started,
)


@dataclass
class TrialHistory:
    """What a journal tells of one trial.

    Args:
        asked: Its proposal.
        attempts: How many times it was started.
        reports: Epochs of the last attempt, in order.
        lost: The attempts whose worker died.
        ended: How it ended; None while it runs, or when the driver died before.
    """

    asked: Asked
    attempts: int = 0
    reports: list[Reported] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)
    ended: Ended | None = None

    def past(self) -> dict[str, Any]:
        """Returns the fields of `oracles.Past`, for `Proposer.restore`."""
        asked, ended = self.asked, self.ended
        return {
            "number": asked.number,
            "values": asked.values,
            "initial_epoch": asked.initial_epoch,
            "epochs": asked.epochs,
            "parent": asked.parent,
            "ended": ended is not None,
            "score": ended.score if ended else None,
        }


@dataclass
class History:
    """A journal, replayed.

    Args:
        header: Its first line.
        trials: By number, in the order asked.
        state: The oracle's own state at its last ask or end.
        finishes: Every time the search finished; more than one when it was continued.
        finished: How it finished; None while it runs, was cut off, or goes on after a finish.
        seconds: Time a driver spent on it, summed over resumes.
    """

    header: Header
    trials: dict[int, TrialHistory] = field(default_factory=dict)
    state: Plain | None = None
    finishes: list[Finished] = field(default_factory=list)
    finished: Finished | None = None
    seconds: float = 0.0

    def past(self) -> list[dict[str, Any]]:
        """Returns what `Proposer.restore` wants: `[Past(**fields) for fields in history.past()]`."""
        return [trial.past() for trial in self.trials.values()]


def build(events: Iterable[Event], path: Path) -> History:
    """Follows the events of the journal at `path`, the header first.

    Raises:
        SearchError: An event belongs to a trial never asked.
    """
    history: History | None = None
    begun = last = 0
    for number, event in enumerate(events, start=1):
        if isinstance(event, Header):
            history = History(event)
            begun = last = event.created
            continue
        assert history is not None
        if isinstance(event, Resumed):
            # The time between a driver's end and the next one's start is nobody's.
            history.seconds += (last - begun) / 1000
            begun = event.time
            history.finished = None
        elif isinstance(event, Finished):
            history.finished = event
            history.finishes.append(event)
        elif isinstance(event, Asked):
            history.trials[event.number] = TrialHistory(event)
        elif event.number not in history.trials:
            raise SearchError(f"{path}:{number}: {event.event!r} of trial {event.number}, which was never asked.")
        else:
            _follow(history.trials[event.number], event)
        if isinstance(event, Asked | Ended) and event.state is not None:
            history.state = event.state
        last = event.time
    assert history is not None
    history.seconds += (last - begun) / 1000
    return history


def _follow(trial: TrialHistory, event: Started | Reported | Ended | Lost) -> None:
    if isinstance(event, Started):
        trial.attempts = max(trial.attempts, event.attempt)
        trial.reports.clear()
    elif isinstance(event, Reported):
        # A late report of an attempt already given up says nothing.
        if event.attempt == trial.attempts:
            trial.reports.append(event)
    elif isinstance(event, Lost):
        trial.lost.append(event)
    else:
        trial.ended = event
