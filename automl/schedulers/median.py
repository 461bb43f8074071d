"""The median of the finished trials as the mark to reach."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from pydantic import Field

from automl.schedulers import LearningCurve, Scheduler


class Median(Scheduler):
    """Stops a trial whose best is worse than the median of the finished trials' means up to the same epoch.

    Source: Golovin et al. 2017, https://doi.org/10.1145/3097983.3098043, section 3.2.1.
    """

    first: int = Field(3, ge=1, description="Epochs that every trial trains.")
    trials: int = Field(5, ge=1, description="Trials that must have ended before any is stopped.")

    def rungs(self, epochs: int, others: Sequence[LearningCurve]) -> tuple[int, ...]:
        """Returns every epoch from the first on."""
        del others
        return tuple(range(self.first, epochs))

    def goes_on(self, own: LearningCurve, others: Sequence[LearningCurve]) -> bool:
        """Tells whether the trial is no worse than the median."""
        epoch = len(own.costs)
        means = [
            sum(each.costs[:epoch]) / epoch
            for each in others
            if each.ended and not each.failed and len(each.costs) >= epoch
        ]
        return len(means) < self.trials or own.best(epoch) <= median(means)
