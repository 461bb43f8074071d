"""Schedulers: one file each says who of the running trials may go on.

A trial gets its rungs when it is proposed: the epochs at which its worker waits for a verdict, and nowhere else. The
verdict depends on the epochs journalled so far alone, so a resumed search judges as the uninterrupted one would have.
A trial that failed holds no place on a rung: the next ones fill it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from automl.registry import Member, Registry


@dataclass
class LearningCurve:
    """How a trial went so far.

    Args:
        rungs: The epochs at which it is judged, from 1.
        costs: The objective after each epoch, less is better; infinite where it was no number.
        losses: The loss after each, which tells equal costs apart; infinite where it was no number.
        failed: Whether it ended without a score.
        ended: Whether it ended.
    """

    rungs: tuple[int, ...] = ()
    costs: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    failed: bool = False
    ended: bool = False

    def best(self, epoch: int) -> float:
        """Returns the least cost up to an epoch, from 1."""
        return min(self.costs[:epoch])

    def merit(self, epoch: int) -> tuple[float, float]:
        """Returns the same with the loss beside it: of equal costs the least."""
        losses = [*self.losses, *[math.inf] * len(self.costs)]
        return min(zip(self.costs[:epoch], losses, strict=False))


class Scheduler(Member):
    """Stops trials that promise little. This base stops none."""

    def rungs(self, epochs: int, others: Sequence[LearningCurve]) -> tuple[int, ...]:
        """Returns the epochs at which a new trial is judged; the last epoch is none of them.

        Args:
            epochs: Those it may train.
            others: All trials proposed before.
        """
        del epochs, others
        return ()

    def goes_on(self, own: LearningCurve, others: Sequence[LearningCurve]) -> bool:
        """Judges a trial that has come to one of its rungs.

        Args:
            own: Its curve, the rung's epoch the last.
            others: Those of all other trials, which may have come further.
        """
        del own, others
        return True

    def judged(self, cost: float, epochs: int, others: Sequence[LearningCurve]) -> LearningCurve:
        """Returns how a trial would go that costs the same after every epoch, judged at its rungs."""
        curve = LearningCurve(self.rungs(epochs, others))
        for rung in (*curve.rungs, epochs):
            curve.costs = [cost] * rung
            if rung < epochs and not self.goes_on(curve, others):
                break
        curve.ended = True
        return curve


registry: Registry[Scheduler] = Registry("automl.schedulers", Scheduler, "scheduler")
