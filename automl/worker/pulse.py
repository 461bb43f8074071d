"""A running trial's pulse: word every second that it is at work, and the answer whether it goes on. No Keras."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from automl.executors import Tell
from automl.records.alive import Alive, Work

EVERY_S = 1.0
"""How often a trial says that it is at work. A batch in between costs a look at the clock."""


class Cut(Exception):  # noqa: N818 - the end of a trial's time is no error
    """A training ends here, between two batches; the message is a clause that says why."""


class Pulse:
    """Beats between two batches of whatever a trial is at.

    Args:
        trial: Number of the trial.
        attempt: Which attempt at it this is.
        tell: Takes the word; tells whether the trial goes on.
        left_s: Tells what is left of the trial's own time.
    """

    def __init__(self, trial: int, attempt: int, tell: Tell, left_s: Callable[[], float] = lambda: math.inf) -> None:
        self._of = (trial, attempt)
        self._tell = tell
        self._left_s = left_s
        self._next = 0.0
        self._wait()

    def beat(self, work: Work, epoch: int, done: int, total: int | None = None) -> None:
        """Says what the trial is at, if it is time to.

        Args:
            work: What.
            epoch: In which epoch, from 1, through all of the trial's trainings.
            done: Batches that are behind it.
            total: Of how many.

        Raises:
            Cut: The trial's own time is over, or it was told to end.
        """
        if time.monotonic() < self._next:
            return
        # What is computed for all trials is not on the time of the one that happens to come first.
        if work != "features" and self._left_s() <= 0:
            raise Cut("its trial_time was over")
        if not self._tell(Alive(*self._of, work, epoch, done, total)):
            raise Cut("the time of the search was over")
        self._wait()

    def _wait(self) -> None:
        self._next = time.monotonic() + min(EVERY_S, max(0.0, self._left_s()))
