"""Asynchronous successive halving."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from automl.schedulers import LearningCurve, Scheduler


class Asha(Scheduler):
    """Asynchronous successive halving: at each rung the best part goes on, judged by those that came there before.

    Source: Li et al. 2018, https://arxiv.org/abs/1810.05934, algorithm 2, as a rule to stop: nobody waits for others.
    """

    factor: int = Field(3, ge=2, description="One in how many goes on; the next rung is as many times further.")
    first: int | None = Field(
        None, ge=1, description="Epochs before the first rung; the trial's epochs over the factor's cube if not given."
    )

    def rungs(self, epochs: int, others: Sequence[LearningCurve]) -> tuple[int, ...]:
        """Returns the first rung, times each power of the factor."""
        del others
        return self.ladder(self.first or max(1, epochs // self.factor**3), epochs)

    def ladder(self, first: int, epochs: int) -> tuple[int, ...]:
        """Returns the rungs below `epochs`, from the first on."""
        found: list[int] = []
        while first < epochs:
            found.append(first)
            first *= self.factor
        return tuple(found)

    def goes_on(self, own: LearningCurve, others: Sequence[LearningCurve]) -> bool:
        """Tells whether the trial is among the best part of those that came to this rung; the first one always is."""
        epoch = len(own.costs)
        there = [each for each in others if self.meets(own, each) and not each.failed and len(each.costs) >= epoch]
        better = sum(each.merit(epoch) < own.merit(epoch) for each in there)
        return better < max(1, (len(there) + 1) // self.factor)

    def meets(self, own: LearningCurve, other: LearningCurve) -> bool:
        """Tells whether two trials are compared at the rung where the first one stands."""
        return len(own.costs) in other.rungs
