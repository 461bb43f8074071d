"""How trials are tried again: after a worker's death, after an out-of-memory; and how long one may be silent."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from automl.experiment import experiment
from automl.experiment.experiment import Experiment
from automl.journal import Asked, TrialHistory
from automl.records.trials import TrialResult

MOST_LOSSES = 3
"""Workers a trial may cost: after the first death it is tried again, at most twice."""
SLOWER = 10
"""How many of the longest silences so far a trial may be silent."""


@dataclass
class Retries:
    """What the attempts at each trial came to.

    Args:
        experiment: What is searched.
        losses: Workers that died with a trial.
        changes: Leaves of `training` that differ in further attempts.
    """

    experiment: Experiment
    losses: dict[int, int] = field(default_factory=dict)
    changes: dict[int, dict[str, Any]] = field(default_factory=dict)
    _heard: dict[int, float] = field(default_factory=dict)
    _longest_s: float = 0.0

    def recall(self, trials: Mapping[int, TrialHistory]) -> None:
        """Takes up what the journal knows."""
        self.losses |= {number: len(trial.lost) for number, trial in trials.items()}
        self.changes |= {number: trial.changes for number, trial in trials.items() if trial.changes}

    def began(self, number: int) -> None:
        """Notes that a trial was handed to a worker."""
        self._heard[number] = time.monotonic()

    def heard(self, number: int) -> None:
        """Notes that a trial said something."""
        now = time.monotonic()
        self._longest_s = max(self._longest_s, now - self._heard.get(number, now))
        self._heard[number] = now

    def silence_s(self) -> float:
        """Returns how long a trial may say nothing."""
        return max(self.experiment.search.silence_s, SLOWER * self._longest_s)

    def lost(self, number: int) -> bool:
        """Counts a worker's death; tells whether the trial is tried again."""
        self.losses[number] = self.losses.get(number, 0) + 1
        return self.losses[number] < MOST_LOSSES

    def halved(self, asked: Asked) -> tuple[int, int] | None:
        """Halves a trial's batch size, once; returns it before and after, or None where that cannot be."""
        size = self._batch_size(asked)
        if asked.number in self.changes or size < 2:
            return None
        self.changes[asked.number] = {"batch_size": size // 2}
        return size, size // 2

    def remarked(self, asked: Asked, result: TrialResult) -> str | None:
        """Returns the result's message; of a trial with a halved batch size, one that says so."""
        if asked.number not in self.changes:
            return result.message
        size = self.changes[asked.number]["batch_size"]
        how = f"and at {size}: {result.message}" if result.outcome == "oom" else f"trained at {size}"
        if result.gradient and result.message:
            how += f"; {result.message}"
        return f"out of memory at batch size {self._batch_size(asked)}, {how}"

    def _batch_size(self, asked: Asked) -> int:
        return experiment.training(self.experiment.trial(asked.values)).batch_size
