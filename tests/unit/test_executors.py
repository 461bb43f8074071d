from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from automl.executors import Event
from automl.executors.inline import Inline
from automl.executors.processes import Processes
from automl.machine.workers import Machine
from automl.records.alive import Alive
from automl.records.trials import Report, TrialResult, WorkerLost

# Workers import what they run by its name; `spawn` hands them this path.
sys.path.insert(0, str(Path(__file__).parent))
import jobs

Pool = Callable[..., Processes]


@pytest.fixture
def pool() -> Iterator[Pool]:
    made: list[Processes] = []

    def make(workers: int = 1, variables: dict[str, str | None] | None = None, **given: Any) -> Processes:
        made.append(Processes([variables or {}] * workers, **given))
        return made[-1]

    yield make
    for executor in made:
        executor.close()


def until_idle(executor: Processes, timeout_s: float = 30.0) -> list[Event]:
    """Returns all that happens until no request is running."""
    events: list[Event] = []
    deadline = time.monotonic() + timeout_s
    while any(worker.request for worker in executor._workers):
        assert time.monotonic() < deadline, f"nothing but {events} in {timeout_s} s"
        events += happened(executor, 0.5)
    return events


def happened(
    executor: Processes | Inline, timeout_s: float, goes_on: bool = True, silence_s: float = math.inf
) -> list[Event]:
    """Returns what happens within a wait; trials that ask are told `goes_on`."""
    events: list[Event] = []

    def follow(event: Event) -> bool:
        events.append(event)
        return goes_on

    executor.wait(timeout_s, follow, silence_s)
    return events


def only(executor: Processes, run: Any, **document: Any) -> Event:
    """Runs one request and returns what came of it."""
    executor.submit(run, jobs.request(1, **document))
    return until_idle(executor)[-1]


def gone(pids: list[int], within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in pids):
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(("warm", "found"), [(jobs.warm_up, "yes"), (jobs.warm_up_in_vain, None), (None, None)])
def test_a_worker_is_warm_before_its_first_request(pool: Pool, warm: Callable[[], None] | None, found: str) -> None:
    executor = pool(warm=warm)
    executor.submit(jobs.tell_warmth, jobs.request(1))
    (event,) = until_idle(executor)
    assert isinstance(event, TrialResult)
    assert event.message == found


def test_reports_come_while_the_trial_runs(pool: Pool) -> None:
    executor = pool()
    executor.submit(jobs.count, jobs.request(4, attempt=2, pause=0.4))
    batches = []
    while any(worker.request for worker in executor._workers):
        batches.append(happened(executor, 10.0))
    events = [event for batch in batches for event in batch]
    assert [type(event) for event in events] == [Report, Report, Report, TrialResult]
    assert [event.epoch for event in events if isinstance(event, Report)] == [1, 2, 3]
    assert {(event.trial, event.attempt) for event in events} == {(4, 2)}
    assert len(batches) >= 3, "the reports came together"


def test_a_wait_ends_at_its_timeout(pool: Pool) -> None:
    executor = pool()
    assert happened(executor, 60.0) == []  # nothing is running, so nothing can happen
    executor.submit(jobs.stay, jobs.request(1))
    assert isinstance(happened(executor, 30.0)[0], Report)
    started = time.monotonic()
    assert happened(executor, 0.2) == []
    assert 0.1 < time.monotonic() - started < 2.0


def test_two_trials_run_at_once(pool: Pool, tmp_path: Path) -> None:
    executor = pool(2)
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    executor.submit(jobs.meet, jobs.request(1, mine=a, other=b))
    assert executor.free == 1
    executor.submit(jobs.meet, jobs.request(2, mine=b, other=a))
    assert executor.free == 0
    with pytest.raises(RuntimeError, match="no free worker"):
        executor.submit(jobs.succeed, jobs.request(3))
    results = [event for event in until_idle(executor) if isinstance(event, TrialResult)]
    assert {result.trial: result.message for result in results} == {1: "met", 2: "met"}
    assert executor.free == 2


def test_a_worker_serves_many_trials_and_is_replaced_after_some(pool: Pool) -> None:
    executor = pool(recycle_after=2)
    first, second, third = (only(executor, jobs.succeed).message for _ in range(3))
    assert first == second != third
    assert gone([int(first or 0)], 1.0)


def test_a_worker_that_grows_is_replaced_before_its_time(pool: Pool) -> None:
    executor = pool(growth_mib=100)
    pids = [only(executor, jobs.leak, mib=60).message for _ in range(5)]
    # The first trial's memory is where a worker starts from; then 60 MiB are allowed, and 120 are not.
    assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 2]
    assert gone([int(pids[0] or 0)], 1.0)


def test_the_pages_of_a_mapped_file_are_no_growth(pool: Pool, tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(bytes(200 * 2**20))
    executor = pool(growth_mib=100)
    first = only(executor, jobs.succeed).message
    assert only(executor, jobs.read_file, file=str(tmp_path / "data")).message == first
    worker = psutil.Process(int(first or 0))
    assert worker.memory_info().rss > 200 * 2**20, "the file was not read"
    assert only(executor, jobs.succeed).message == first


def test_each_worker_has_its_own_gpu_and_so_has_who_takes_its_place(tmp_path: Path) -> None:
    machine = Machine("jax", workers=4, threads=1, gpus=("0", "GPU-b"), workers_per_gpu=2)
    executor = Processes(machine.worker_environments(tmp_path / "home"), recycle_after=2)
    try:
        for round_of_trials in (1, 2, 3):  # the second ends each worker's time
            folder = tmp_path / str(round_of_trials)
            folder.mkdir()
            for trial in range(1, 5):
                executor.submit(jobs.device, jobs.request(trial, folder=str(folder), wait_for=4))
            seen = [event.message for event in until_idle(executor) if isinstance(event, TrialResult)]
            assert sorted(map(str, seen)) == ["0", "0", "GPU-b", "GPU-b"]
        # One that is killed leaves its GPU to the one that comes, while the other three are busy.
        executor._workers[1].process.kill()
        executor._workers[1].process.join(5.0)
        last = tmp_path / "last"
        last.mkdir()
        for trial in range(1, 5):
            executor.submit(jobs.device, jobs.request(trial, folder=str(last), wait_for=4, die=trial == 3))
        events = until_idle(executor)
        assert sum(isinstance(event, WorkerLost) for event in events) == 1
        executor.submit(jobs.device, jobs.request(3, attempt=2, folder=str(last), wait_for=5))
        (again,) = until_idle(executor)
        seen = [event.message for event in (*events, again) if isinstance(event, TrialResult)]
        assert sorted(map(str, seen)) == ["0", "0", "GPU-b", "GPU-b"]
    finally:
        executor.close()


def test_a_killed_worker_takes_its_own_trial_alone(pool: Pool, tmp_path: Path) -> None:
    executor = pool(2)
    a, b = str(tmp_path / "a"), str(tmp_path / "b")
    executor.submit(jobs.meet, jobs.request(1, mine=a, other=b))
    executor.submit(jobs.die, jobs.request(2))
    events: list[Event] = []
    while executor.free == 0:
        events += happened(executor, 10.0)
    # What it reported is there, in order, before the news of its death.
    assert [type(event) for event in events] == [Report, Report, WorkerLost]
    lost = events[-1]
    assert isinstance(lost, WorkerLost)
    assert (lost.trial, lost.attempt) == (2, 1)
    assert "SIGKILL" in lost.message
    # Its place is filled, and the other trial never noticed.
    executor.submit(jobs.meet, jobs.request(2, attempt=2, mine=b, other=a))
    ended = until_idle(executor)
    assert {(event.trial, event.attempt) for event in ended if isinstance(event, TrialResult)} == {(1, 1), (2, 2)}


def test_an_exit_code_is_named(pool: Pool) -> None:
    lost = only(pool(), jobs.leave)
    assert isinstance(lost, WorkerLost)
    assert "exit code 7" in lost.message


def test_a_worker_that_died_idle_is_replaced_when_it_is_needed(pool: Pool) -> None:
    executor = pool()
    first = only(executor, jobs.succeed)
    os.kill(int(first.message or 0), signal.SIGKILL)
    executor._workers[0].process.join(5.0)
    second = only(executor, jobs.succeed)
    assert isinstance(second, TrialResult)
    assert second.message != first.message


def test_a_worker_that_dies_right_behind_its_result_loses_nothing(pool: Pool) -> None:
    executor = pool()
    assert isinstance(only(executor, jobs.succeed_and_die), TrialResult)
    executor._workers[0].process.join(5.0)
    assert isinstance(only(executor, jobs.succeed), TrialResult)


def test_a_run_function_that_raises_loses_its_worker_and_says_why(pool: Pool) -> None:
    executor = pool()
    executor.submit(jobs.raise_error, jobs.request(3))
    told, lost = until_idle(executor)
    assert isinstance(told, Report)
    assert isinstance(lost, WorkerLost)
    assert lost.trial == 3
    assert "RuntimeError: nobody caught this" in lost.message
    assert isinstance(only(executor, jobs.succeed), TrialResult)


def test_a_result_that_cannot_be_sent_loses_its_worker_and_says_why(pool: Pool) -> None:
    lost = only(pool(), jobs.return_unpicklable)
    assert isinstance(lost, WorkerLost)
    assert "lambda" in lost.message


def test_a_function_the_worker_cannot_import_does_not_hang_the_driver(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = pool()
    only(executor, jobs.succeed)
    # The worker started before the path was set, so it alone does not find the file.
    (tmp_path / "only_here.py").write_text("def run(request, tell): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import only_here

    lost = only(executor, only_here.run)
    assert isinstance(lost, WorkerLost)
    assert "only_here" in lost.message


def test_what_workers_print_goes_to_the_log(pool: Pool, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "backend.log"
    log.write_text("from before\n")
    only(pool(log=log), jobs.write)
    assert capfd.readouterr() == ("", "")
    lines = log.read_text().splitlines()
    assert lines[0] == "from before"
    assert sorted(lines[1:]) == ["descriptor 1", "descriptor 2", "python stderr", "python stdout"]


def test_without_a_log_nothing_reaches_stdout(pool: Pool, capfd: pytest.CaptureFixture[str]) -> None:
    only(pool(), jobs.write)
    out, err = capfd.readouterr()
    assert out == ""
    assert "python stdout" in err
    assert "descriptor 1" in err


def test_the_environment_is_set_before_anything_is_imported(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOBS_TAKEN", "there")
    seen = only(pool(variables={"JOBS_SET": "1", "JOBS_TAKEN": None}), jobs.look)
    assert seen.message == "1 None 1 None"
    assert os.environ["JOBS_TAKEN"] == "there"


def test_workers_leave_an_interrupt_to_the_driver(pool: Pool) -> None:
    executor = pool()
    for what in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        assert only(executor, jobs.interrupt, what=int(what)).message == "still here"


def test_an_interrupt_while_workers_start_does_not_reach_them(pool: Pool) -> None:
    executor = pool(2)
    for _ in range(20):
        for worker in executor._workers:
            for what in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                os.kill(worker.process.pid or 0, what)
        time.sleep(0.01)
    assert isinstance(only(executor, jobs.succeed), TrialResult)
    assert all(worker.process.is_alive() for worker in executor._workers)


def test_a_driver_that_closes_nothing_ends_all_the_same() -> None:
    variables = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import jobs
from automl.executors.processes import Processes
if __name__ == "__main__":
    executor = Processes([{{}}])
    executor.submit(jobs.stay, jobs.request(1))
    executor.wait(60, lambda event: True, 60)
"""
    done = subprocess.run([sys.executable, "-c", code], env=variables, timeout=60, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_close_ends_workers_in_mid_trial(pool: Pool) -> None:
    executor = pool(2)
    executor.submit(jobs.stay, jobs.request(1))
    (told,) = happened(executor, 30.0)
    assert isinstance(told, Report)
    pids = [worker.process.pid or 0 for worker in executor._workers]
    executor.close()
    assert gone(pids, 1.0)
    assert executor.free == 0
    executor.close()  # twice does no harm


def test_workers_end_with_their_driver_in_mid_trial() -> None:
    variables = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, str(jobs.__file__), "2"]
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=variables)
    assert driver.stdout is not None
    try:
        pids = [int(driver.stdout.readline()) for _ in range(2)]
    finally:
        driver.kill()
        driver.wait()
        driver.stdout.close()
    assert len(set(pids)) == 2
    assert gone(pids, 2.0)


def test_inline_runs_here_and_gives_the_same_events() -> None:
    executor = Inline()
    assert executor.free == 1
    executor.submit(jobs.count, jobs.request(1, pause=0.0))
    assert executor.free == 0
    events = happened(executor, 0.0)
    assert [type(event) for event in events] == [Report, Report, Report, TrialResult]
    assert executor.free == 1
    executor.submit(jobs.succeed, jobs.request(2))
    executor.close()
    assert happened(executor, 0.0) == []


@pytest.mark.parametrize("goes_on", [True, False])
@pytest.mark.parametrize("here", [True, False])
def test_a_trial_that_waits_is_told_whether_it_goes_on(pool: Pool, here: bool, goes_on: bool) -> None:
    executor: Processes | Inline = Inline() if here else pool()
    executor.submit(jobs.obey, jobs.request(1))
    events: list[Event] = []
    deadline = time.monotonic() + 30
    while not any(isinstance(event, TrialResult) for event in events) and time.monotonic() < deadline:
        events += happened(executor, 1.0, goes_on)
    reports = [event for event in events if isinstance(event, Report)]
    assert [report.epoch for report in reports] == ([1, 2, 3] if goes_on else [1])
    assert isinstance(events[-1], TrialResult)


@pytest.mark.parametrize("here", [True, False])
def test_a_trial_that_waits_for_nothing_is_ended_all_the_same(pool: Pool, here: bool) -> None:
    """And the next one of the same worker is not."""
    executor: Processes | Inline = Inline() if here else pool()
    for trial, goes_on in ((1, False), (2, True), (3, False)):
        executor.submit(jobs.beat if trial != 2 else jobs.count, jobs.request(trial, pause=0.1))
        events: list[Event] = []
        deadline = time.monotonic() + 30
        while not any(isinstance(event, TrialResult) for event in events) and time.monotonic() < deadline:
            events += happened(executor, 1.0, goes_on)
        assert isinstance(events[-1], TrialResult)
        assert events[-1].message == (None if goes_on else "cut")
        assert {type(event) for event in events[:-1]} == {Report if goes_on else Alive}


def test_a_worker_that_says_it_is_at_work_is_not_silent(pool: Pool) -> None:
    executor = pool()
    executor.submit(jobs.beat, jobs.request(1))
    happened(executor, 30.0)
    events = [event for _ in range(20) for event in happened(executor, 1.0, silence_s=0.9)]
    assert {type(event) for event in events} == {Alive}


def test_a_worker_that_dies_while_it_waits_is_lost_as_any_other(pool: Pool) -> None:
    executor = pool()
    executor.submit(jobs.wait_and_die, jobs.request(1))
    events = until_idle(executor)
    assert [type(event) for event in events] == [Report, WorkerLost]


def test_a_worker_that_says_nothing_for_too_long_is_killed(pool: Pool) -> None:
    executor = pool()
    executor.submit(jobs.stay, jobs.request(1))
    (told,) = happened(executor, 30.0)
    assert isinstance(told, Report)
    pid = int(told.metrics["pid"])
    assert happened(executor, 0.3, silence_s=5.0) == []
    assert happened(executor, 0.3, silence_s=0.1) == [
        WorkerLost(1, 1, "the worker process was killed (it said nothing for 0 s)", hung=True)
    ]
    assert gone([pid], 1.0)
    assert isinstance(only(executor, jobs.succeed), TrialResult)
