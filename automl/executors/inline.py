"""Runs trials in this very process, one after the other: for debuggers, profilers and quick tests."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from automl.executors import Follow, Request, Run


class Inline:
    """An executor without processes. A trial that kills its process kills the search.

    Args:
        environment: Variables to set while a request runs.
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = dict(environment or {})
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
            result = self._within(run, request, follow)
            self._queue.clear()
            follow(result)

    def _within(self, run: Run, request: Request, follow: Follow) -> Any:
        """Runs a request in its environment, and leaves that of whoever searches as it was."""
        before = {name: os.environ.get(name) for name in self._environment}
        os.environ.update(self._environment)
        try:
            return run(request, follow)
        finally:
            for name, value in before.items():
                os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)

    def close(self) -> None:
        """Forgets what was not run."""
        self._queue.clear()
