"""What a running trial says between two batches, and how it ends there."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from automl.records.alive import Alive
from automl.worker import pulse
from automl.worker.pulse import Cut, Pulse


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found = [100.0]
    monkeypatch.setattr(pulse.time, "monotonic", lambda: found[0])
    return found


def beating(told: list[Alive], goes_on: bool = True, left_s: Callable[[], float] = lambda: math.inf) -> Pulse:
    def tell(alive: object) -> bool:
        assert isinstance(alive, Alive)
        told.append(alive)
        return goes_on

    return Pulse(3, 2, tell, left_s)


def test_word_goes_out_once_a_second_however_many_batches(clock: list[float]) -> None:
    told: list[Alive] = []
    beats = beating(told)
    for batch in range(1000):
        clock[0] += 0.01
        beats.beat("train", 4, batch, 1000)
    assert 9 <= len(told) <= 10
    assert told[0] == Alive(3, 2, "train", 4, 99, 1000)
    clock[0] += 60.0  # a batch that took long
    beats.beat("validate", 4, 7)
    assert told[-1] == Alive(3, 2, "validate", 4, 7, None)


def test_a_trial_that_is_not_to_go_on_ends_between_two_batches(clock: list[float]) -> None:
    beats = beating([], goes_on=False)
    beats.beat("train", 1, 0)
    clock[0] += 1.0
    with pytest.raises(Cut, match="the time of the search was over"):
        beats.beat("train", 1, 1)


def test_its_own_time_ends_it_to_the_batch_and_nothing_that_is_for_all(clock: list[float]) -> None:
    told: list[Alive] = []
    beats = beating(told, left_s=lambda: 100.3 - clock[0])
    clock[0] += 0.2
    beats.beat("train", 1, 1)
    clock[0] += 0.1 + 1e-9
    beats.beat("features", 1, 1)
    with pytest.raises(Cut, match="its trial_time was over"):
        beats.beat("train", 1, 2)
    assert [each.work for each in told] == ["features"]
