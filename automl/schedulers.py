"""Schedulers: who of the running trials may go on. They are too small for a file each.

A trial gets its rungs when it is proposed: the epochs at which its worker waits for a verdict, and nowhere else. The
verdict depends on the epochs journalled so far alone, so a resumed search judges as the uninterrupted one would have.
A trial that failed holds no place on a rung: the next ones fill it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from pydantic import Field

from automl.registry import Member, Table


@dataclass
class Course:
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

    def rungs(self, epochs: int, others: Sequence[Course]) -> tuple[int, ...]:
        """Returns the epochs at which a new trial is judged; the last epoch is none of them.

        Args:
            epochs: Those it may train.
            others: All trials proposed before.
        """
        del epochs, others
        return ()

    def goes_on(self, own: Course, others: Sequence[Course]) -> bool:
        """Judges a trial that has come to one of its rungs.

        Args:
            own: Its course, the rung's epoch the last.
            others: Those of all other trials, which may have come further.
        """
        del own, others
        return True

    def judged(self, cost: float, epochs: int, others: Sequence[Course]) -> Course:
        """Returns how a trial would go that costs the same after every epoch, judged at its rungs."""
        course = Course(self.rungs(epochs, others))
        for rung in (*course.rungs, epochs):
            course.costs = [cost] * rung
            if rung < epochs and not self.goes_on(course, others):
                break
        course.ended = True
        return course


class NoScheduler(Scheduler):
    """Every trial trains to its end."""


class Asha(Scheduler):
    """Asynchronous successive halving: at each rung the best part goes on, judged by those that came there before.

    Source: Li et al. 2018, https://arxiv.org/abs/1810.05934, algorithm 2, as a rule to stop: nobody waits for others.
    """

    factor: int = Field(3, ge=2, description="One in how many goes on; the next rung is as many times further.")
    first: int | None = Field(
        None, ge=1, description="Epochs before the first rung; the trial's epochs over the factor's cube if not given."
    )

    def rungs(self, epochs: int, others: Sequence[Course]) -> tuple[int, ...]:
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

    def goes_on(self, own: Course, others: Sequence[Course]) -> bool:
        """Tells whether the trial is among the best part of those that came to this rung; the first one always is."""
        epoch = len(own.costs)
        there = [each for each in others if self.meets(own, each) and not each.failed and len(each.costs) >= epoch]
        better = sum(each.merit(epoch) < own.merit(epoch) for each in there)
        return better < max(1, (len(there) + 1) // self.factor)

    def meets(self, own: Course, other: Course) -> bool:
        """Tells whether two trials are compared at the rung where the first one stands."""
        return len(own.costs) in other.rungs


class Hyperband(Asha):
    """Several successive halvings beside each other, from many trials judged early to few that are never judged.

    A new trial joins the bracket that is furthest from its share.

    Source: Li et al. 2016, https://jmlr.org/papers/v18/16-558.html, algorithm 1, with asynchronous brackets.
    """

    first: None = Field(None, description="Each bracket has its own.")

    def rungs(self, epochs: int, others: Sequence[Course]) -> tuple[int, ...]:
        """Returns the rungs of the bracket that is furthest from its share."""
        last = int(math.log(epochs) / math.log(self.factor) + 1e-9)
        # From the paper: bracket s holds ceil((last + 1) / (s + 1) * factor^s) trials.
        shares = {
            self.ladder(max(1, epochs // self.factor**s), epochs) if s else (): math.ceil(
                (last + 1) / (s + 1) * self.factor**s
            )
            for s in range(last, -1, -1)
        }
        there = Counter(each.rungs for each in others if not each.failed)
        return min(shares, key=lambda rungs: there[rungs] / shares[rungs])

    def meets(self, own: Course, other: Course) -> bool:
        """Tells whether they are of one bracket."""
        return own.rungs == other.rungs


class Median(Scheduler):
    """Stops a trial whose best is worse than the median of the finished trials' means up to the same epoch.

    Source: Golovin et al. 2017, https://doi.org/10.1145/3097983.3098043, section 3.2.1.
    """

    first: int = Field(3, ge=1, description="Epochs that every trial trains.")
    trials: int = Field(5, ge=1, description="Trials that must have ended before any is stopped.")

    def rungs(self, epochs: int, others: Sequence[Course]) -> tuple[int, ...]:
        """Returns every epoch from the first on."""
        del others
        return tuple(range(self.first, epochs))

    def goes_on(self, own: Course, others: Sequence[Course]) -> bool:
        """Tells whether the trial is no worse than the median."""
        epoch = len(own.costs)
        means = [
            sum(each.costs[:epoch]) / epoch
            for each in others
            if each.ended and not each.failed and len(each.costs) >= epoch
        ]
        return len(means) < self.trials or own.best(epoch) <= median(means)


SCHEDULERS: Table[Scheduler] = Table(
    {"none": NoScheduler, "asha": Asha, "hyperband": Hyperband, "median": Median}, Scheduler, "scheduler"
)
