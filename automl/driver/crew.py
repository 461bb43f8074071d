"""Trainings that belong to no search, by several workers at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from automl.driver.single import MOST_ATTEMPTS, SILENCE_S
from automl.errors import SearchError
from automl.executors import Event, Executor, Run
from automl.records.trials import Report, TestRequest, TestResult, TrialRequest, TrialResult, WorkerLost

R = TypeVar("R", TrialResult, TestResult)


def run_all(
    executor: Executor,
    run: Run,
    requests: Sequence[TrialRequest | TestRequest],
    kind: type[R],
    told: Callable[[Report], None] = lambda _: None,
) -> list[R]:
    """Runs requests, as many at once as there are workers; one whose worker dies again.

    Args:
        executor: The workers.
        run: What one does with a request.
        requests: They, each with a number of its own.
        kind: What comes of it.
        told: Is told of every epoch.

    Returns:
        What came of each, in their order.

    Raises:
        SearchError: A worker died with one each time.
    """
    waiting, attempts = list(requests), dict.fromkeys((each.trial for each in requests), 1)
    ended: dict[int, R] = {}

    def follow(event: Event) -> bool:
        if isinstance(event, WorkerLost):
            if attempts[event.trial] < MOST_ATTEMPTS:
                attempts[event.trial] += 1
                waiting.append(next(each for each in requests if each.trial == event.trial))
            else:
                raise SearchError(f"a training was lost {MOST_ATTEMPTS} times: {event.message}.")
        elif isinstance(event, kind):
            ended[event.trial] = event
        elif isinstance(event, Report):
            told(event)
        return True

    while len(ended) < len(requests):
        while executor.free and waiting:
            request = waiting.pop(0)
            executor.submit(run, replace(request, attempt=attempts[request.trial]))
        executor.wait(1.0, follow, SILENCE_S)
    return [ended[each.trial] for each in requests]
