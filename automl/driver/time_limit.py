"""The time of a search: how much of it is spent, and who is to end when it is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from automl.driver.ranking import Ranking
from automl.records.alive import Alive

_WORK = ("features", "train", "validate")
"""What a trial is at, in the order in which it comes."""


@dataclass
class Limit:
    """What a search may take, counted as its journal counts: from a driver's beginning, earlier drivers' time included.

    Args:
        limit_s: How much; None for no end.
        before_s: What earlier drivers took.
        began: When this one began, by the monotonic clock.
    """

    limit_s: float | None
    before_s: float
    began: float
    _last: dict[int, Alive] = field(default_factory=dict)
    _spared: int | None = None
    _is_settled: bool = False

    def seconds(self) -> float:
        """Returns what is spent."""
        return self.before_s + time.monotonic() - self.began

    @property
    def is_over(self) -> bool:
        """Whether all of it is spent."""
        return self.limit_s is not None and self.seconds() >= self.limit_s

    def goes_on(self, alive: Alive, ranking: Ranking, say: Callable[[str], None]) -> bool:
        """Tells whether a running trial goes on.

        When the time is over, none does; but where nothing has a score by then, the one that is furthest may end its
        epoch: without it the search would have found nothing.

        Args:
            alive: What the trial is at.
            ranking: How the trials stand.
            say: Takes a line for the user.
        """
        self._last[alive.trial] = alive
        if not self.is_over:
            return True
        if not self._is_settled:
            self._is_settled = True
            if not ranking.is_any_scored():
                running = [each for trial, each in self._last.items() if trial in ranking.running]
                self._spared = max(running, key=_place).trial
                say(f"the time is over and nothing has a score yet: t{self._spared:03d} ends its epoch first")
        return alive.trial == self._spared and not ranking.is_any_scored()


def _place(alive: Alive) -> tuple[int, int, float, int]:
    """Returns what sorts trials by how far they are; of equals the earlier one stands last."""
    share = alive.done / alive.total if alive.total else 0.0
    return alive.epoch, _WORK.index(alive.work), share, -alive.trial
