"""Who is shown what happens in a search."""

from __future__ import annotations

from typing import Any

from automl.records.alive import Alive
from automl.records.trials import Report, TrialResult


class Watcher:
    """Is told what happens; this one ignores it."""

    def say(self, text: str) -> None:
        """Something worth a line happened."""

    def search_started(self, search_id: str, trials: int | None, done: int, objective: str = "val_accuracy") -> None:
        """The search for the best of a metric begins, or goes on after `done` trials."""

    def trial_started(self, number: int, values: dict[str, Any], epochs: int) -> None:
        """A trial begins, of so many epochs at most, in all of its trainings."""

    def alive(self, alive: Alive) -> None:
        """A running trial says what it is at; every second or so."""

    def epoch(self, report: Report) -> None:
        """A running trial finished an epoch."""

    def trial_ended(self, result: TrialResult, best: TrialResult | None) -> None:
        """A trial ended; `best` is the best so far."""
