"""Runs trials in this very process, one after the other: for debuggers, profilers and quick tests."""

from __future__ import annotations

from automl.executors import Follow, Request, Run


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

    def wait(self, timeout_s: float, follow: Follow, silence_s: float) -> None:
        """Runs the request to its end, however long it takes."""
        del timeout_s, silence_s
        if self._queue:
            run, request = self._queue[0]
            result = run(request, follow)
            self._queue.clear()
            follow(result)

    def close(self) -> None:
        """Forgets what was not run."""
        self._queue.clear()
