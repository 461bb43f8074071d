"""Work that is no trial of a search, by one worker or by several at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from automl.executors import Event, Executor, Run
from automl.records.trials import (
    BaselineRequest,
    BaselineResult,
    Report,
    TestRequest,
    TestResult,
    TrialRequest,
    TrialResult,
    WorkerLost,
)

R = TypeVar("R", TrialResult, TestResult, BaselineResult)

Work = TestRequest | TrialRequest | BaselineRequest

MOST_ATTEMPTS = 3

SILENCE_S = 600.0
"""Least time after which a worker that says nothing is given up."""


def nobody(event: Report | R) -> None:
    """Is told of something, and does nothing."""
    del event


def _go_on() -> None:
    """Wishes nothing."""


def run_all(
    executor: Executor,
    run: Run,
    requests: Sequence[Work],
    kind: type[R],
    *,
    told: Callable[[Report | R], None] = nobody,
    check: Callable[[], None] = _go_on,
    silence_s: float = SILENCE_S,
) -> list[R | WorkerLost]:
    """Runs requests, as many at once as there are workers; one whose worker dies again.

    Args:
        executor: The workers, none of which is at work.
        run: What one does with a request.
        requests: They, each with a number of its own.
        kind: What comes of it.
        told: Is told of every epoch, and of what comes of each, as it comes.
        check: Raises where somebody wants it to stop now.
        silence_s: Give up a worker that has said nothing for so long.

    Returns:
        What came of each, in their order; of one whose worker died each time, that.
    """
    by_number = {each.trial: each for each in requests}
    waiting, attempts = list(by_number), dict.fromkeys(by_number, 0)
    ended: dict[int, R | WorkerLost] = {}

    def follow(event: Event) -> bool:
        if isinstance(event, kind):
            ended[event.trial] = event
            told(event)
        elif isinstance(event, WorkerLost) and attempts[event.trial] < MOST_ATTEMPTS:
            waiting.append(event.trial)
        elif isinstance(event, WorkerLost):
            ended[event.trial] = WorkerLost(event.trial, MOST_ATTEMPTS, "its worker died each time")
        elif isinstance(event, Report):
            told(event)
        return True

    while len(ended) < len(requests):
        check()
        while executor.free and waiting:
            number = waiting.pop(0)
            attempts[number] += 1
            executor.submit(run, replace(by_number[number], attempt=attempts[number]))
        executor.wait(1.0, follow, silence_s)
    return [ended[each.trial] for each in requests]
