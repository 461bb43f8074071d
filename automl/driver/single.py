"""Something that a worker does by itself, beside the trials: the driver waits for it."""

from __future__ import annotations

from automl.driver.crew import SILENCE_S, R, Work, run_all
from automl.driver.loop import Loop
from automl.executors import Run
from automl.records.trials import WorkerLost


def run_single(loop: Loop, run: Run, request: Work, kind: type[R]) -> R | WorkerLost:
    """Runs something in a worker, because the driver sees no device; again when the worker dies.

    Args:
        loop: The search, none of whose trials runs.
        run: What a worker does with the request.
        request: The request.
        kind: What comes of it.

    Raises:
        KeyboardInterrupt: Somebody wants the search to stop now.
    """
    silence_s = max(SILENCE_S, loop.retries.silence_s())
    (found,) = run_all(loop.executor, run, [request], kind, check=loop.check, silence_s=silence_s)
    return found
