"""Work that is no trial of a search: what becomes of it where workers die."""

from __future__ import annotations

from typing import Any

import pytest

from automl.driver.crew import MOST_ATTEMPTS, run_all
from automl.executors import Follow
from automl.model import build
from automl.records.trials import TestRequest, TestResult, WorkerLost

DATA = build.data_of((8, 8, 1), 2)


class Workers:
    """Two workers, of which those with the work `fatal` die, so many times."""

    def __init__(self, fatal: dict[int, int]) -> None:
        self.fatal, self.held, self.seen = fatal, [], []

    @property
    def free(self) -> int:
        return 2 - len(self.held)

    def submit(self, run: Any, request: Any) -> None:
        assert self.free
        self.held.append(request)
        self.seen.append((request.trial, request.attempt))

    def wait(self, timeout_s: float, follow: Follow, silence_s: float) -> None:
        request = self.held.pop()  # the later one first
        if request.attempt <= self.fatal.get(request.trial, 0):
            follow(WorkerLost(request.trial, request.attempt, "signal 9"))
        else:
            follow(TestResult(request.trial, request.attempt, {"accuracy": request.trial / 10}))

    def close(self) -> None:
        self.held.clear()


def ran(workers: Workers, numbers: list[int], **more: Any) -> list[TestResult | WorkerLost]:
    requests = [TestRequest(number, 1, {}, DATA, "model.keras") for number in numbers]
    return run_all(workers, lambda *_: None, requests, TestResult, **more)


def test_results_come_in_the_order_of_the_requests() -> None:
    found = ran(Workers({}), [3, 1, 2])
    assert [each.trial for each in found] == [3, 1, 2]
    assert [each.metrics["accuracy"] for each in found if isinstance(each, TestResult)] == [0.3, 0.1, 0.2]


def test_what_a_worker_died_with_runs_again() -> None:
    workers = Workers({2: MOST_ATTEMPTS - 1})
    assert all(isinstance(each, TestResult) for each in ran(workers, [1, 2]))
    assert [attempt for trial, attempt in workers.seen if trial == 2] == list(range(1, MOST_ATTEMPTS + 1))


def test_what_they_died_with_each_time_is_told_beside_the_rest() -> None:
    first, second = ran(Workers({1: MOST_ATTEMPTS}), [1, 2])
    assert isinstance(first, WorkerLost)
    assert (first.attempt, first.message) == (MOST_ATTEMPTS, "its worker died each time")
    assert isinstance(second, TestResult)


def test_a_wish_to_stop_is_heard_before_work_is_handed_out() -> None:
    workers = Workers({})

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ran(workers, [1], check=stop)
    assert not workers.seen
