"""Runs trials in this very process, one after the other: for debuggers, profilers and quick tests."""

from __future__ import annotations

from automl.executors import Event, Request, Run


class Inline:
    """An executor without processes. A trial that kills its process kills the search."""

    def __init__(self) -> None:
        self._queue: list[tuple[Run, Request]] = []

    @property
    def free(self) -> int:
        """One request at a time."""
        return 1 - len(self._queue)

    def submit(self, run: Run, request: Request) -> None:
        """Keeps the request until `wait` runs it."""
        self._queue.append((run, request))

    def wait(self, timeout_s: float) -> list[Event]:
        """Runs the request to its end, whatever the timeout; its reports come all at once."""
        del timeout_s
        events: list[Event] = []
        while self._queue:
            run, request = self._queue.pop(0)
            events.append(run(request, events.append))
        return events

    def close(self) -> None:
        """Forgets what was not run."""
        self._queue.clear()
