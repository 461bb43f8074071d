"""Executors: where trials run. They move plain records and know nothing of Keras, oracles, journals or MLflow.

`inline` runs a trial in this process, for debugging and tests; `processes` in worker processes on this machine. What
they run is handed to them: a function of a request and of a callback for the reports on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from automl.records import Report, TestResult, TrialResult, WorkerLost

Event = Report | TrialResult | TestResult | WorkerLost
"""What comes back from a worker."""

Run = Callable[[Any, Callable[[Report], None]], TrialResult | TestResult]
"""What a worker is asked to run; a module-level function, so that it can be named across processes."""

WORKER_LOST = "the worker process died"


class Request(Protocol):
    """The part of a request an executor looks at."""

    @property
    def trial(self) -> int:
        """Number of the trial."""

    @property
    def attempt(self) -> int:
        """Which attempt at it this is."""


class Executor(Protocol):
    """What the loop drives."""

    @property
    def free(self) -> int:
        """How many more requests can be submitted now."""

    def submit(self, run: Run, request: Request) -> None:
        """Hands a request to a free worker."""

    def wait(self, timeout_s: float) -> list[Event]:
        """Waits for something to happen, at most `timeout_s`; returns what did, oldest first."""

    def close(self) -> None:
        """Ends every worker now, in mid-trial too."""
