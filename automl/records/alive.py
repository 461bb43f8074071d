"""What a running trial says between two epochs: a plain record, as those of `records.trials`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

Work = Literal["features", "train", "validate"]
"""What a running trial is at: the features of a frozen backbone, the training or the validation of an epoch."""


@dataclass(frozen=True)
class Alive:
    """A running trial is at work; said every second or so, between two batches. It ends where it is told not to go on.

    Args:
        trial: Its number.
        attempt: Which attempt at it this is.
        work: What it is at.
        epoch: In which epoch, from 1, through all of its trainings.
        done: Batches of it that are behind it.
        total: Of how many; None where that is not known.
    """

    waits: ClassVar[bool] = False

    trial: int
    attempt: int
    work: Work
    epoch: int
    done: int
    total: int | None = None
