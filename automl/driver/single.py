"""Something that a worker does by itself, beside the trials: the driver waits for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from automl.driver.loop import Loop
from automl.executors import Event, Run
from automl.records.alive import Alive
from automl.records.trials import (
    BaselineRequest,
    BaselineResult,
    Begun,
    TestRequest,
    TestResult,
    TrialRequest,
    TrialResult,
    WorkerLost,
)

R = TypeVar("R", TrialResult, TestResult, BaselineResult)

MOST_ATTEMPTS = 3

SILENCE_S = 600.0
"""Least time after which a worker that says nothing is given up."""


def run_single(
    loop: Loop, run: Run, request: TestRequest | TrialRequest | BaselineRequest, kind: type[R]
) -> R | WorkerLost:
    """Runs something in a worker, because the driver sees no device; again when the worker dies.

    Args:
        loop: The search, none of whose trials runs.
        run: What a worker does with the request.
        request: The request.
        kind: What comes of it.

    Raises:
        KeyboardInterrupt: Somebody wants the search to stop now.
    """
    events: list[Event] = []

    def follow(event: Event) -> bool:
        if not isinstance(event, Begun | Alive):
            events.append(event)
        return True

    for attempt in range(1, MOST_ATTEMPTS + 1):
        events.clear()
        loop.executor.submit(run, replace(request, attempt=attempt))
        while not events:
            loop.check()
            loop.executor.wait(1.0, follow, max(SILENCE_S, loop.retries.silence_s()))
        if isinstance(events[0], kind):
            return events[0]
    return WorkerLost(request.trial, MOST_ATTEMPTS, "its worker died each time")
