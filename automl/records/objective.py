"""How trials, their trainings and their epochs compare: one order, for all that asks which is the best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import stdev
from typing import Literal

Direction = Literal["max", "min"]
"""Whether more of a metric is better, or less."""

LOSS = "val_loss"
"""The metric that tells equal scores apart."""


def merit(score: float, loss: float | None, direction: Direction) -> tuple[float, float]:
    """Returns what sorts the best first: by the score, equal ones by the loss; one that is not known stands last.

    Where few examples validate, many scores are equal: of two models that get all of them right, the surer is better.

    Args:
        score: What was reached.
        loss: The validation loss beside it.
        direction: Whether more of the score is better.
    """
    return -score if direction == "max" else score, math.inf if loss is None else loss


def standing(
    score: float | None, number: int, direction: Direction, parts: int = 1, loss: float | None = None
) -> tuple[bool, int, float, float, int]:
    """Returns what sorts the best trial first; of equals the earlier one, and those without a score last.

    A trial that was dropped after some of its trainings stands behind those that were measured by more: a lucky first
    fold is no mean of five.

    Args:
        score: What the trial reached.
        number: Its number.
        direction: Whether more is better.
        parts: Trainings that the score is the mean of.
        loss: The loss beside it, which tells equal scores apart.
    """
    return score is None, -parts, *merit(score or 0.0, loss, direction), number


def spread(scores: Sequence[float]) -> float | None:
    """Returns the standard deviation of a trial's trainings; None for a single one."""
    return stdev(scores) if len(scores) > 1 else None
