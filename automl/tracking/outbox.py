"""What waits to be told to a store that may be slow, busy or gone."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from automl.tracking.runs import Point
from automl.tracking.store import redacted

log = logging.getLogger("automl.tracking")

FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 300.0
# Not signed in, too slow, too many: these may pass. The other client errors are refusals.
_PASSING = (401, 403, 408, 429)


@dataclass
class Points:
    """Waiting points of one run: what several epochs add goes out in one call.

    Args:
        trial: Number of its trial; None for the search's run.
        points: The points.
        send: Sends them.
    """

    trial: int | None
    points: list[Point]
    send: Callable[[Points], None]

    def __call__(self) -> None:
        """Sends them."""
        self.send(self)


class Outbox:
    """Calls in the order they must be made, each safe to make twice.

    A call that fails because the store is away stays first in line, and for a while nothing is tried; a call that the
    store refuses is dropped, because no repetition cures it.

    Args:
        shown: The store's address, as it may be printed.
    """

    def __init__(self, shown: str) -> None:
        self.shown = shown
        self.queue: deque[Callable[[], None]] = deque()
        self.dropped = 0
        self.has_failed = False
        self._flushed_at = time.monotonic()
        self._pause_s = 0.0
        self._retry_at = 0.0

    @property
    def waited_s(self) -> float:
        """Seconds since everything was sent."""
        return time.monotonic() - self._flushed_at

    def tell(self, call: Callable[[], None]) -> None:
        """Puts a call last in line, and makes what calls can be made."""
        self.queue.append(call)
        self.flush()

    def flush(self, *, now: bool = False) -> None:
        """Makes the waiting calls, in order.

        Args:
            now: Also while the store is left in peace after a failure.
        """
        if not now and time.monotonic() < self._retry_at:
            return
        while self.queue:
            try:
                self.queue[0]()
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
