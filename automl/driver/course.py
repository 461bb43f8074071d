"""How a model is trained that has no validation part: as long, and at the rates, as its trainings on folds went."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, median
from typing import Protocol

RATE = "learning_rate"
"""What the rate of a trial's optimizer is called in its epochs, whichever that is."""

Rates = tuple[tuple[float, ...], ...]
"""The learning rate of each epoch, by phase."""


class Epoch(Protocol):
    """An epoch of a training, as it was reported."""

    @property
    def metrics(self) -> Mapping[str, float]:
        """What was measured."""

    @property
    def phase(self) -> int:
        """The phase of the training, from 1."""


def course(trainings: Sequence[Sequence[Epoch]], best: Sequence[int], share: float) -> Rates:
    """Returns the rates that a model is trained at on the examples of all folds together.

    Each phase lasts as long as it did on the folds up to their best epochs, in the mean and in steps: one epoch goes
    through more examples than theirs did. Its rates are the median of theirs at the same step. So a rate that is
    reduced on a plateau falls where it fell on the folds, which the training itself could not tell: its loss falls on.

    Args:
        trainings: The epochs of each training, in their order.
        best: The best epoch of each, from 1.
        share: Of all examples, which one training had; above 0 to 1.
    """
    found = []
    for phase in range(1, max(each.phase for epochs in trainings for each in epochs) + 1):
        until = zip(trainings, best, strict=True)
        lengths = [sum(each.phase == phase for each in epochs[:end]) for epochs, end in until]
        length = max(1 if phase == 1 else 0, round(fmean(lengths) * share))
        rates = [[each.metrics[RATE] for each in epochs if each.phase == phase] for epochs in trainings]
        found.append(tuple(_rate(rates, (epoch + 0.5) / share) for epoch in range(length)))
    return tuple(found)


def _rate(trainings: Sequence[Sequence[float]], at: float) -> float:
    """Returns the median rate of trainings after so many epochs; of those that lasted so long, if there are any."""
    epoch = math.floor(at)
    return median([rates[epoch] for rates in trainings if epoch < len(rates)] or [r[-1] for r in trainings if r])
