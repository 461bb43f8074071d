"""How trials, their trainings and their epochs compare: one order, for all that asks which is the best."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import stdev
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from automl.records.trials import TrialResult

Direction = Literal["max", "min"]
"""Whether more of a metric is better, or less."""

Champion = Literal["always", "better", "never"]
"""When a search's model becomes the champion of its name: whatever it scores, if it is better, or only by hand."""

LOSS = "val_loss"
"""The metric that tells equal scores apart."""


@dataclass(frozen=True)
class Objective:
    """A metric to optimise, and how its values compare.

    Args:
        metric: Its name as Keras logs it, for example `val_accuracy`.
        direction: Whether more of it is better.
    """

    metric: str
    direction: Direction

    def __str__(self) -> str:
        return f"{self.metric} ({self.direction})"

    @property
    def lower_is_better(self) -> bool:
        """Whether less of it is better."""
        return self.direction == "min"

    def cost(self, score: float) -> float:
        """Returns a value of the metric as a cost: less is better."""
        return -score if self.direction == "max" else score

    def beats(self, score: float, other: float) -> bool:
        """Tells whether one value is better than another; an equal one is not."""
        return self.cost(score) < self.cost(other)

    def reached(self, score: float, target: float) -> bool:
        """Tells whether a value is as good as a target, or better."""
        return self.cost(score) <= self.cost(target)

    def merit(self, score: float, loss: float | None) -> tuple[float, float]:
        """Returns what sorts the best first: by the score, equal ones by the loss; one that is not known stands last.

        Where few examples validate, many scores are equal: of two models that get all of them right, the surer is
        better.

        Args:
            score: What was reached.
            loss: The validation loss beside it.
        """
        return self.cost(score), math.inf if loss is None else loss


@dataclass(frozen=True)
class Goals:
    """What a search optimises, and how its trials compare.

    Args:
        objectives: One or several, the primary one first.

    Raises:
        ValueError: There is none.
    """

    objectives: tuple[Objective, ...]

    def __post_init__(self) -> None:
        if not self.objectives:
            raise ValueError("goals without an objective")

    def __str__(self) -> str:
        return ", ".join(map(str, self.objectives))

    @classmethod
    def single(cls, metric: str, direction: Direction) -> Goals:
        """Returns the goals of a search for the best of one metric."""
        return cls((Objective(metric, direction),))

    @property
    def primary(self) -> Objective:
        """What is asked where there is room for one alone: a trial's score, its best epoch, when it stops early."""
        return self.objectives[0]

    def costs(self, metrics: Mapping[str, float]) -> tuple[float, ...] | None:
        """Returns what was measured, less is better; None where an objective is missing."""
        if any(each.metric not in metrics for each in self.objectives):
            return None
        return tuple(each.cost(metrics[each.metric]) for each in self.objectives)

    def order(self, result: TrialResult) -> tuple[bool, int, float, float, int]:
        """Returns what sorts the best trial first; of equals the earlier one, and those without a score last.

        A trial that was dropped after some of its trainings stands behind those that were measured by more: a lucky
        first fold is no mean of five.

        Raises:
            ValueError: There are several objectives, and so no first but a front.
        """
        if len(self.objectives) > 1:
            raise ValueError(f"trials have no order by several objectives: {self}")
        score = result.score if result.is_scored else None
        if score is None:
            return True, 0, 0.0, 0.0, result.trial
        return False, -max(1, len(result.scores)), *self.primary.merit(score, result.loss), result.trial

    def ranks(self, results: Iterable[TrialResult]) -> dict[int, int]:
        """Returns the rank of every trial that has a score, from 1, the best first."""
        ordered = sorted((result for result in results if result.is_scored), key=self.order)
        return {result.trial: rank for rank, result in enumerate(ordered, start=1)}

    def best(self, results: Iterable[TrialResult]) -> TrialResult | None:
        """Returns the best trial; None where none has a score."""
        return min((result for result in results if result.is_scored), key=self.order, default=None)


def spread(scores: Sequence[float]) -> float | None:
    """Returns the standard deviation of a trial's trainings; None for a single one."""
    return stdev(scores) if len(scores) > 1 else None
