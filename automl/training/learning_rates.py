"""Schedules of the learning rate: its share of the optimizer's `learning_rate`, a function of the epoch alone.

Keras's own `LearningRateScheduler` sets the rate as each epoch begins. So a trial that goes on from another finds the
same rate, every backend works, and no schedule stands in a saved model.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from automl.records.objective import Objective
from automl.registry import Member, Table


class Schedule(Member):
    """How the learning rate goes over the epochs of a trial."""

    warmup: int = Field(0, ge=0, description="Epochs below the full rate, over which it rises linearly; then it holds.")

    def share(self, epoch: int, epochs: int) -> float:
        """Returns the rate of an epoch as a share of the optimizer's.

        Args:
            epoch: As Keras counts, from 0.
            epochs: Those of the document, which a trial that is stopped or shared out in rungs may never reach.
        """
        if epoch < self.warmup:
            return (epoch + 1) / (self.warmup + 1)
        return self.decay(epoch - self.warmup, epochs - self.warmup)

    def decay(self, epoch: int, epochs: int) -> float:
        """Returns the share once the rate is warm, both arguments counted from there; 1 unless the schedule says."""
        del epoch, epochs
        return 1.0

    def callbacks(self, rate: float, epochs: int, objective: Objective, start: int = 0) -> list[Any]:
        """Returns the Keras callbacks that set the rate and log it as `learning_rate`.

        Args:
            rate: The learning rate at full height.
            epochs: Those of the document, or of one phase.
            objective: What scores the trial.
            start: The epoch that the phase begins with, as Keras counts.
        """
        import keras

        del objective

        def scheduled(epoch: int, _: float) -> float:
            return rate * self.share(epoch - start, epochs)

        return [keras.callbacks.LearningRateScheduler(scheduled)]


class Constant(Schedule):
    """The optimizer's learning rate in every epoch."""


class Cosine(Schedule):
    """Falls along half a cosine, slowly at both ends. One epoch more would be the first at `final`.

    Source: Loshchilov & Hutter 2016, https://arxiv.org/abs/1608.03983, equation 5, without restarts.
    """

    final: float = Field(0.0, ge=0.0, le=1.0, description="Share of the rate that it falls to.")

    def decay(self, epoch: int, epochs: int) -> float:
        """Returns the share after so many of so many epochs."""
        return self.final + (1.0 - self.final) * (1.0 + math.cos(math.pi * min(epoch / max(epochs, 1), 1.0))) / 2.0


class Exponential(Schedule):
    """Falls by the same factor with every epoch."""

    factor: float = Field(0.95, gt=0.0, le=1.0, description="The rate of an epoch over that of the epoch before.")

    def decay(self, epoch: int, epochs: int) -> float:
        """Returns the share after so many epochs."""
        del epochs
        return self.factor**epoch


def _rising(boundaries: list[int]) -> list[int]:
    if not boundaries or any(later <= earlier for earlier, later in pairwise([0, *boundaries])):
        raise ValueError("whole numbers of epochs from 1 that rise, as [10, 20]")
    return boundaries


class Piecewise(Schedule):
    """Falls by the same factor after certain epochs, and holds in between."""

    boundaries: Annotated[list[int], AfterValidator(_rising)] = Field(
        description="Epochs, those of the warm-up counted, after which the rate falls, as [10, 20]."
    )
    factor: float = Field(0.1, gt=0.0, lt=1.0, description="What the rate is multiplied by there.")

    def decay(self, epoch: int, epochs: int) -> float:
        """Returns the share after so many epochs."""
        del epochs
        return self.factor ** sum(boundary <= epoch + self.warmup for boundary in self.boundaries)


class ReduceOnPlateau(Schedule):
    """Falls by a factor whenever the objective has not improved for some epochs: Keras's `ReduceLROnPlateau`.

    While the rate warms up it rises whatever the objective does: it falls at the earliest after the first full epoch.
    """

    factor: float = Field(0.1, gt=0.0, lt=1.0, description="What the rate is multiplied by.")
    patience: int = Field(10, ge=1, description="Epochs without improvement before it falls.")
    min_delta: float = Field(1e-4, ge=0.0, description="Smallest change of the objective that is an improvement.")
    cooldown: int = Field(0, ge=0, description="Epochs after a fall that do not count against patience.")
    min_lr: float = Field(0.0, ge=0.0, description="Learning rate that it never falls below.")

    def callbacks(self, rate: float, epochs: int, objective: Objective, start: int = 0) -> list[Any]:
        """Returns the callbacks: the warm-up up to its first full epoch, from then on the plateau alone."""
        import keras

        def rise(epoch: int, current: float) -> float:
            at = epoch - start
            return rate * self.share(at, epochs) if at - 1 < self.warmup else current

        arguments = self.model_dump(exclude={"warmup"})
        return [
            keras.callbacks.LearningRateScheduler(rise),
            keras.callbacks.ReduceLROnPlateau(objective.metric, mode=objective.direction, **arguments),
        ]


SCHEDULES: Table[Schedule] = Table(
    {
        "constant": Constant,
        "cosine": Cosine,
        "exponential": Exponential,
        "piecewise": Piecewise,
        "reduce_on_plateau": ReduceOnPlateau,
    },
    Schedule,
    "schedule",
)
