"""What waits to be told to a store that may be slow, busy or gone: a page for each run."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from automl.tracking.runs import Point
from automl.tracking.store import redacted

log = logging.getLogger("automl.tracking")

FLUSH_S = 1.0
FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 300.0
# Not signed in, too slow, too many: these may pass. The other client errors are refusals.
_PASSING = (401, 403, 408, 429)


@dataclass
class Page:
    """What waits to be told of one run. What is told of it until the page goes out, goes out with it.

    Args:
        trial: Number of its trial; None for the search's run.
        time_ms: When the run began, if it has to be made, since 1970.
        anew: Whether it replaces the run that the trial had.
        begins: Whether it is running from here on.
        params: Its parameters.
        tags: Its tags.
        points: Points of its curves.
        texts: Artifacts, by name.
        ended: Its status and when it ended, since 1970; None while it goes on.
    """

    trial: int | None
    time_ms: int
    anew: bool = False
    begins: bool = False
    params: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, Any] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    ended: tuple[str, int] | None = None

    def add(self, later: Page) -> None:
        """Takes up what was told later."""
        self.begins |= later.begins
        self.params |= later.params
        self.tags |= later.tags
        self.points += later.points
        self.texts |= later.texts
        self.ended = later.ended


class Outbox:
    """Pages in the order they were begun; each can be written twice without harm.

    A page that fails because the store is away stays first in line, and for a while nothing is tried; one that the
    store refuses is dropped, because no repetition cures it.

    Args:
        write: Writes a page to the store.
        shown: The store's address, as it may be printed.
    """

    def __init__(self, write: Callable[[Page], None], shown: str) -> None:
        self.write = write
        self.shown = shown
        self.queue: deque[Page] = deque()
        self.dropped = 0
        self.has_failed = False
        self._flushed_at = -FLUSH_S
        self._pause_s = 0.0
        self._retry_at = 0.0

    def put(self, page: Page) -> None:
        """Adds to what waits of a run. It goes out within about a second, with whatever is told until then."""
        waiting = next((each for each in reversed(self.queue) if each.trial == page.trial), None)
        if waiting is None or waiting.ended or page.anew:
            self.queue.append(page)
        else:
            waiting.add(page)
        self.flush_if_due()

    def flush_if_due(self) -> None:
        """Writes what waits, unless that was done less than a second ago: a trial may last for less than that."""
        if time.monotonic() - self._flushed_at >= FLUSH_S:
            self.flush()

    def flush(self, *, now: bool = False) -> None:
        """Writes what waits, in order.

        Args:
            now: Also while the store is left in peace after a failure.
        """
        if not now and time.monotonic() < self._retry_at:
            return
        while self.queue:
            try:
                self.write(self.queue[0])
            except Exception as error:  # noqa: BLE001 - the border of DESIGN.md: a dead server does not stop a search
                self.has_failed = True
                if not _is_refusal(error):
                    self._pause(error)
                    return
                self.dropped += 1
                log.warning("MLflow refused a part of the search; the rest goes on: %s", line(error))
            self.queue.popleft()
            if self._pause_s:
                self._pause_s = self._retry_at = 0.0
                log.info("MLflow at %s answers again", self.shown)
        self._flushed_at = time.monotonic()

    def _pause(self, error: Exception) -> None:
        if not self._pause_s:
            log.warning("MLflow at %s fails; the search goes on, the rest is told later: %s", self.shown, line(error))
        self._pause_s = min(LONGEST_PAUSE_S, self._pause_s * 2 or FIRST_PAUSE_S)
        self._retry_at = time.monotonic() + self._pause_s


def line(error: Exception) -> str:
    """Returns an error as one line that holds no secret."""
    return redacted(" ".join(str(error).split()))[:300] or type(error).__name__


def _is_refusal(error: Exception) -> bool:
    from mlflow.exceptions import MlflowException

    if isinstance(error, MlflowException):
        status = error.get_http_status_code()
        return 400 <= status < 500 and status not in _PASSING
    return not isinstance(error, OSError)
