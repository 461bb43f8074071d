"""How the trials of a search stand: who was asked, how each went, who is best. Rebuilt from a journal on a resume."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from automl.journal import Asked
from automl.records import SCORED, Direction, TrialResult, standing
from automl.schedulers import Course


@dataclass
class Standings:
    """The trials of a search.

    Args:
        objective: Metric that scores them.
        direction: Whether more of it is better.
        asked: Proposals by number.
        courses: How far each trial came.
        results: How each ended.
        best: The best result so far.
    """

    objective: str
    direction: Direction
    asked: dict[int, Asked] = field(default_factory=dict)
    courses: dict[int, Course] = field(default_factory=dict)
    results: dict[int, TrialResult] = field(default_factory=dict)
    best: TrialResult | None = None

    def ask(self, asked: Asked) -> None:
        """Takes up a proposal."""
        self.asked[asked.number] = asked
        self.courses[asked.number] = Course(asked.rungs)

    def report(self, number: int, epoch: int, metrics: Mapping[str, Any]) -> bool:
        """Takes up an epoch of a trial.

        Returns:
            Whether it is news: a trial that goes on from a checkpoint trains some epochs again.
        """
        costs = self.courses[number].costs
        if epoch <= len(costs):
            return False
        sign = -1.0 if self.direction == "max" else 1.0
        costs.append(sign * metrics[self.objective] if self.objective in metrics else math.inf)
        return True

    def end(self, result: TrialResult) -> None:
        """Takes up the end of a trial."""
        self.results[result.trial] = result
        course = self.courses[result.trial]
        course.ended, course.failed = True, not _scored(result)
        if _scored(result) and (self.best is None or self._order(result) < self._order(self.best)):
            self.best = result

    def others(self, number: int | None = None) -> list[Course]:
        """Returns the courses of all trials but one."""
        return [course for trial, course in self.courses.items() if trial != number]

    def ranks(self) -> dict[int, int]:
        """Returns the rank of every scored trial, the best first; the earlier of two equals stands before the other."""
        ordered = sorted(filter(_scored, self.results.values()), key=self._order)
        return {result.trial: rank for rank, result in enumerate(ordered, start=1)}

    def counts(self) -> dict[str, int]:
        """Counts trials by how they ended: `infeasible` could not be built, `failed` are all that broke otherwise."""
        counted = Counter[str](result.outcome for result in self.results.values())
        told = {outcome: counted[outcome] for outcome in ("completed", "stopped", "timeout", "infeasible")}
        return {**told, "failed": counted.total() - sum(told.values())}

    def _order(self, result: TrialResult) -> tuple[bool, float, int]:
        return standing(result.score, result.trial, self.direction)


def _scored(result: TrialResult) -> bool:
    return result.outcome in SCORED and result.score is not None
