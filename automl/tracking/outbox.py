"""What waits to be told to a store that may be slow, busy or gone: a page for each run."""

from __future__ import annotations

import logging
import re
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from automl.tracking.address import redacted
from automl.tracking.run import Point

log = logging.getLogger("automl.tracking")

FLUSH_S = 1.0
FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 300.0
QUICK_S = 2.0
"""A failure that took no longer may pass at once; one that took its time would take it again."""
# Not signed in, too slow, too many: these may pass. The other client errors are refusals.
_PASSING = (401, 403, 408, 429)

# What SQLAlchemy adds to a driver's own words: the class before them, and the statement with its values behind.
_STATEMENT = re.compile(
    r"\((?:\w+\.)+\w*(?:Error|Exception)\)\s*|\s*(?:\[SQL: |\(Background on this error at: ).*", re.DOTALL
)
_LOCKED = re.compile(r"^database (table )?is locked$")

T = TypeVar("T")


@dataclass
class Page:
    """What waits to be told of one run. What is told of it until the page goes out, goes out with it.

    Args:
        trial: Number of its trial, or name of its baseline; None for the search's run.
        time_ms: When the run began, if it has to be made, since 1970.
        anew: Whether it replaces the run that the trial had.
        begins: Whether it is running from here on.
        params: Its parameters.
        tags: Its tags.
        points: Points of its curves.
        texts: Artifacts, by name.
        ended: Its status and when it ended, since 1970; None while it goes on.
        is_going: Whether it is being written at this moment, and takes nothing up.
        name: What its run is called, if it has to be made; else as its trial's number says.
    """

    trial: int | str | None
    time_ms: int
    anew: bool = False
    begins: bool = False
    params: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, Any] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    ended: tuple[str, int] | None = None
    is_going: bool = False
    name: str | None = None

    def add(self, later: Page) -> None:
        """Takes up what was told later."""
        self.begins |= later.begins
        self.name = later.name or self.name
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
        write: Writes a page to the store; called from one thread at a time.
        shown: The store's address, as it may be printed.
        aside: Whether what is due goes out from a thread of its own, so that nobody waits for a slow answer.
    """

    def __init__(self, write: Callable[[Page], None], shown: str, *, aside: bool = False) -> None:
        self.write = write
        self.shown = shown
        self.aside = aside
        self.queue: deque[Page] = deque()
        self.dropped = 0
        self.trouble = ""
        """What the store, or the way to it, said last where it did not take something."""
        self.has_refused = False
        self.has_failed = False
        self._lock = threading.Lock()
        self._sender: threading.Thread | None = None
        self._flushed_at = -FLUSH_S
        self._pause_s = 0.0
        self._retry_at = 0.0

    def put(self, page: Page) -> None:
        """Adds to what waits of a run. It goes out within about a second, with whatever is told until then."""
        with self._lock:
            waiting = next((each for each in reversed(self.queue) if each.trial == page.trial), None)
            if waiting is None or waiting.ended or waiting.is_going or page.anew:
                self.queue.append(page)
            else:
                waiting.add(page)
        self.flush_if_due()

    def flush_if_due(self) -> None:
        """Writes what waits, unless that was done less than a second ago: a trial may last for less than that."""
        now = time.monotonic()
        if now < self._retry_at or now - self._flushed_at < FLUSH_S:
            return
        if not self.aside or not self.queue:
            self._send()
        elif self._sender is None or not self._sender.is_alive():
            # A daemon: a server that never answers must not keep the program from ending.
            self._sender = threading.Thread(target=self._send, name="automl-outbox", daemon=True)
            self._sender.start()

    def flush(self, *, now: bool = False) -> None:
        """Writes what waits, in order, and waits for it.

        Args:
            now: Also while the store is left in peace after a failure.
        """
        if self._sender is not None:
            self._sender.join()
        if now or time.monotonic() >= self._retry_at:
            self._send()

    def attempt(self, call: Callable[[], T]) -> T:
        """Calls the store; a second time when the first one fails quickly.

        A server that was restarted, or is tired of an idle connection, fails the first call after that. MLflow's own
        repetition is switched off: it makes a run twice when only the answer was lost.

        Raises:
            Exception: What the store, or the way to it, raised.
        """
        began = time.monotonic()
        try:
            return call()
        except Exception as error:
            self.has_failed = True
            if _is_refusal(error) or time.monotonic() - began > QUICK_S:
                raise
            return call()

    def drop(self, error: Exception) -> None:
        """Notes that the store will not have something, or that nobody is going to try it again."""
        self.dropped += 1
        self.trouble, self.has_refused = line(error), self.has_refused or _is_refusal(error)

    def _send(self) -> None:
        while self.queue:
            with self._lock:
                page = self.queue[0]
                page.is_going = True
            try:
                self.attempt(partial(self.write, page))
            except Exception as error:  # noqa: BLE001 - a dead server does not stop a search
                if not _is_refusal(error):
                    page.is_going = False
                    self._pause(error)
                    return
                self.drop(error)
                log.warning("MLflow refused a part of the search; the rest goes on: %s", self.trouble)
            with self._lock:
                self.queue.popleft()
            if self._pause_s:
                self._pause_s = self._retry_at = 0.0
                log.info("MLflow at %s answers again", self.shown)
        self._flushed_at = time.monotonic()

    def _pause(self, error: Exception) -> None:
        self.trouble = line(error)
        if not self._pause_s:
            log.warning("MLflow at %s fails; the search goes on, the rest is told later: %s", self.shown, self.trouble)
        self._pause_s = min(LONGEST_PAUSE_S, self._pause_s * 2 or FIRST_PAUSE_S)
        self._retry_at = time.monotonic() + self._pause_s


def line(error: Exception) -> str:
    """Returns an error as one line that holds no secret, and none of the statement that a database was sent."""
    text = " ".join(_STATEMENT.sub("", str(error)).split())
    text = _LOCKED.sub("the database is locked: another program writes to it", text)
    return redacted(text)[:300] or type(error).__name__


def _is_refusal(error: Exception) -> bool:
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import InterfaceError, OperationalError

    if isinstance(error, OperationalError | InterfaceError | sqlite3.OperationalError) or isinstance(
        error.__cause__, InterfaceError
    ):
        return False  # the way to a database; MLflow takes some of them for a mistake of its caller's
    if isinstance(error, MlflowException):
        status = error.get_http_status_code()
    else:  # of the HTTP library, where artifacts go: an OSError, whatever the server said
        unsaid = 503 if isinstance(error, OSError) else 400
        status = getattr(getattr(error, "response", None), "status_code", unsaid)
    return 400 <= status < 500 and status not in _PASSING
