"""How far a search is and how long the rest may take, from the pace so far."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

LEAST = 0.1
"""Share of a trial from which on a pace is known: before, it is that of a worker's start."""


@dataclass
class Pace:
    """Counts trials, and the shares that are done of those that run.

    A trial that cannot be built takes no place of the total, and so does not count.

    Args:
        total: Trials in all; None where they are not what ends the search.
        before: Trials that earlier drivers did: they tell nothing of today's pace.
    """

    total: int | None = None
    before: int = 0
    done: int = field(init=False)
    _shares: dict[int, float] = field(default_factory=dict)
    _began: float = field(init=False)
    _seen: float = 0.0
    """When something was known to be done last."""

    def __post_init__(self) -> None:
        self.done, self._began = self.before, time.monotonic()

    def note(self, trial: int, share: float) -> None:
        """Takes up how much of a running trial is done, from 0 to 1, at most."""
        if share > self._shares.get(trial, 0.0):
            self._shares[trial] = share
            self._seen = time.monotonic()

    def end(self, trial: int, counts: bool) -> None:
        """Takes up that a trial ended; whether it counts."""
        self._shares.pop(trial, None)
        if counts:
            self.done += 1
            self._seen = time.monotonic()

    def left_s(self) -> float | None:
        """Returns how long the rest may take, in seconds; None where nothing is known of it.

        Between two things that happen it falls with the time, and does not grow.
        """
        running = sum(self._shares.values())
        worked = self.done - self.before + running
        if self.total is None or worked < LEAST:
            return None
        rest = max(0.0, self.total - self.done - running)
        return max(0.0, (self._seen - self._began) / worked * rest - (time.monotonic() - self._seen))
