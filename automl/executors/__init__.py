"""Executors: where trials run. They move plain records and know nothing of Keras, oracles, journals or MLflow.

`inline` runs a trial in this process, for debugging and tests; `processes` in worker processes on this machine. What
they run is handed to them: a function of a request and of a callback for the reports on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from automl.records.alive import Alive
from automl.records.trials import BaselineResult, Begun, Measured, Report, TestResult, TrialResult, WorkerLost

Message = Report | Measured | Alive
"""What a running trial says on its way."""

Event = Message | Begun | TrialResult | TestResult | BaselineResult | WorkerLost
"""What comes back from a worker."""

Tell = Callable[[Message], bool]
"""What a running trial calls after each epoch, after each of several trainings, and every second in between; tells
whether it goes on: where the message waits for that, and otherwise as far as the driver has said by then."""

Run = Callable[[Any, Tell], TrialResult | TestResult | BaselineResult]
"""What a worker is asked to run; a module-level function, so that it can be named across processes."""

Follow = Callable[[Event], bool]
"""Who is told of every event, in order; tells whether its trial goes on."""

WORKER_LOST = "the worker process died"
WORKER_HUNG = "the worker process was killed"


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

    def wait(self, timeout_s: float, follow: Follow, silence_s: float) -> None:
        """Waits for something to happen, and tells `follow` what did, oldest first.

        Args:
            timeout_s: Wait so long at most.
            follow: Who is told.
            silence_s: Give up a worker that has said nothing for so long.
        """

    def close(self) -> None:
        """Ends every worker now, in mid-trial too."""
