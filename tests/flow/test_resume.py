"""Searches that end early, by a kill or by Ctrl-C, and go on as if nothing had happened."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import sweeps
from searches import (
    Search,
    automl,
    begun,
    client_of,
    command,
    environment,
    journal_holds,
    load,
    make,
    parent_run,
    program,
    scores,
    trial_runs,
    wait_for,
)
from spaces import DOCUMENTS

from automl.driver import launch
from automl.driver.launch import Interrupted
from automl.driver.options import Options
from automl.driver.progress import Watcher
from automl.journal import History, Lock, replay
from automl.records.trials import Report

pytestmark = pytest.mark.slow

Finished = Callable[[str], Search]


def start(home: Path, document: str, *args: str) -> subprocess.Popen[str]:
    """Starts a search as a user would, in a process group of its own."""
    file = home.parent / f"{args[0] if args else 'space'}.yaml"
    file.write_text(document)
    return subprocess.Popen(
        command("search", file, "-o", "json"),
        env=environment(home),
        cwd=home.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def workers_of(driver: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(driver.pid).children(recursive=True)


def run_ids(client: Any, search_id: str) -> dict[int, str]:
    return {number: run.info.run_id for number, run in trial_runs(client, search_id).items()}


@dataclass
class Killed:
    """A search that was killed in its third trial, and what was there then and after it was resumed."""

    home: Path
    before: History
    parent: str
    runs: dict[int, str]
    survivors: list[psutil.Process]
    refused: subprocess.CompletedProcess[str]
    resumed: subprocess.CompletedProcess[str]

    @property
    def result(self) -> dict[str, Any]:
        return dict(json.loads(self.resumed.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Killed:
    home = tmp_path_factory.mktemp("killed") / "mlruns"
    driver = start(home, DOCUMENTS["bayesian"], "bayesian")
    wait_for(journal_holds(home, '"event":"report","number":3'), 200, driver)
    workers = workers_of(driver)
    os.kill(driver.pid, signal.SIGKILL)
    driver.communicate()
    _, survivors = psutil.wait_procs(workers, timeout=2.0)
    before, client = replay(begun(home)), client_of(home)
    parent, runs = parent_run(client, begun(home).name).info.run_id, run_ids(client, begun(home).name)
    with Lock(begun(home)):
        refused = program(home, "resume")
    return Killed(home, before, parent, runs, survivors, refused, program(home, "resume", "-o", "json"))


def test_workers_end_with_a_killed_driver(killed: Killed) -> None:
    assert killed.survivors == []


def test_a_second_driver_is_refused_with_one_line(killed: Killed) -> None:
    assert killed.refused.returncode == 1
    (line,) = killed.refused.stderr.splitlines()
    assert f"process {os.getpid()}" in line
    assert killed.refused.stdout == ""


def test_a_killed_search_goes_on_as_the_same_search(killed: Killed) -> None:
    assert killed.resumed.returncode == 0, killed.resumed.stderr
    assert killed.before.trials.keys() == {1, 2, 3}
    assert killed.before.trials[3].ended is None
    after = replay(begun(killed.home))
    assert after.header == killed.before.header
    assert killed.result["search_id"] == after.header.search
    assert killed.result["run_id"] == killed.parent
    assert killed.result["trials"]["completed"] == 8
    # The trial that was running is run again, the others are not.
    assert [trial.attempts for trial in after.trials.values()] == [1, 1, 2, 1, 1, 1, 1, 1]
    assert f"search {after.header.search}: 8 trials, 2 done before" in killed.resumed.stderr


def test_no_run_and_no_point_is_doubled(killed: Killed) -> None:
    client, after = client_of(killed.home), replay(begun(killed.home))
    runs = run_ids(client, after.header.search)
    assert killed.runs.items() <= runs.items()
    assert runs.keys() == set(range(1, 9))
    for number, trial in after.trials.items():
        for key in trial.reports[0].metrics:
            points = [(p.step, p.value) for p in client.get_metric_history(runs[number], key)]
            assert [step for step, _ in points] == [report.epoch for report in trial.reports]
            assert dict(points) == pytest.approx({r.epoch: r.metrics[key] for r in trial.reports}, abs=1e-6)
    done = client.get_metric_history(killed.parent, "trials_done")
    assert [(point.step, point.value) for point in done] == [(number, number) for number in range(1, 9)]
    assert parent_run(client, after.header.search).info.status == "FINISHED"


def test_it_finds_what_an_uninterrupted_search_finds(killed: Killed, finished: Finished) -> None:
    whole = finished("bayesian")
    assert scores(replay(begun(killed.home))) == scores(whole.history)
    for key in ("trial", "params"):
        assert killed.result["best"][key] == whole.winner[key]
    assert killed.result["best"]["score"] == pytest.approx(whole.winner["score"], abs=1e-6)
    assert killed.result["best"]["test"] == pytest.approx(whole.winner["test"], abs=1e-6)


def test_a_finished_search_is_told_again_and_then_continued(killed: Killed) -> None:
    """In this order: to continue changes what there is to tell."""
    again = automl(killed.home, "resume", "-o", "json")
    assert again.returncode == 0
    assert json.loads(again.stdout) == killed.result
    fewer = automl(killed.home, "resume", "--trials", "8", "-o", "json")
    assert json.loads(fewer.stdout) == killed.result

    more = automl(killed.home, "resume", "--trials", "9", "--inline", "-o", "json")
    assert more.returncode == 0, more.stderr
    result = json.loads(more.stdout.splitlines()[-1])
    assert result["trials"]["completed"] == 9
    assert (result["search_id"], result["run_id"]) == (killed.result["search_id"], killed.parent)
    assert "the test part was looked at before" in more.stderr
    assert result["best"]["test_seen_before"] is True
    assert killed.result["wall_s"] < result["wall_s"]
    client = client_of(killed.home)
    run = parent_run(client, result["search_id"])
    assert run.data.tags["automl.changed.trials"] == "9"
    for name, value in result["best"]["test"].items():
        assert run.data.metrics[name] == pytest.approx(value, abs=1e-6)
    assert len(run_ids(client, result["search_id"])) == 9


class Impatient(Watcher):
    """Presses Ctrl-C at the first epoch of a trial."""

    def __init__(self, trial: int) -> None:
        self.trial = trial

    def epoch(self, report: Report) -> None:
        if report.trial == self.trial:
            raise KeyboardInterrupt


def test_a_resumed_search_judges_as_the_uninterrupted_one(new_home: Path, finished: Finished) -> None:
    """Interrupted in a trial that goes on past a rung, after others were stopped there."""
    whole = finished("hyperband")
    trials = whole.history.trials.values()
    running = max(t.asked.number for t in trials if t.asked.rungs and t.ended and t.ended.outcome == "completed")
    with pytest.raises(Interrupted) as stopped:
        make(new_home, "hyperband", DOCUMENTS["hyperband"], watcher=Impatient(running), inline=True)
    search_id = stopped.value.search_id
    assert parent_run(client_of(new_home), search_id).info.status == "KILLED"
    summary = launch.resume(search_id, Options(home=new_home, inline=True), Watcher())
    after = Search(new_home, load(new_home, "hyperband", DOCUMENTS["hyperband"]), summary, client_of(new_home))
    assert scores(after.history) == scores(whole.history)
    assert after.parent.info.status == "FINISHED"
    assert after.winner["test"] == pytest.approx(whole.winner["test"], abs=1e-6)


SIGNALS = [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGHUP)]


@pytest.mark.parametrize("signals", sweeps.part(SIGNALS[1:], SIGNALS), ids=str)
def test_a_second_signal_stops_a_search_at_once_and_keeps_what_it_did(home: Path, signals: tuple[int, int]) -> None:
    driver = start(home, DOCUMENTS["random"], "random")
    wait_for(journal_holds(home, '"event":"start","number":3'), 200, driver)
    workers = workers_of(driver)
    os.killpg(driver.pid, signals[0])
    time.sleep(0.05)
    os.killpg(driver.pid, signals[1])
    out, err = driver.communicate(timeout=60)
    search_id = begun(home).name
    assert driver.returncode == 130
    assert out == ""
    assert err.splitlines()[-1] == f"Stopped. What was done is kept; go on with: automl resume {search_id}"
    assert "Traceback" not in err
    _, alive = psutil.wait_procs(workers, timeout=2.0)
    assert alive == []
    assert parent_run(client_of(home), search_id).info.status == "KILLED"
    best = automl(home, "best", "-o", "json")
    assert best.returncode == 0
    assert json.loads(best.stdout)["trial"] in (1, 2)


@pytest.mark.parametrize("how", ["Ctrl-C", "automl stop"])
def test_a_search_that_is_stopped_ends_well_and_goes_on_later(home: Path, how: str) -> None:
    driver = start(home, DOCUMENTS["random"].replace("trials: 8", "trials: 60"), "random")
    wait_for(journal_holds(home, '"event":"start","number":3'), 200, driver)
    told = automl(home, "status", "-o", "json")
    assert json.loads(told.stdout)["state"].startswith(f"run by process {driver.pid}")
    if how == "Ctrl-C":
        os.killpg(driver.pid, signal.SIGINT)
    else:
        assert "was asked to stop after its running trials" in automl(home, "stop").stdout
    out, err = driver.communicate(timeout=120)
    assert driver.returncode == 130, err
    result = json.loads(out.splitlines()[-1])
    done = result["trials"]["completed"]
    assert 3 <= done < 60
    assert result["status"] == "stopped"
    assert result["best"]["test"]["test_accuracy"] > 0
    assert err.splitlines()[-1] == f"Stopped; go on with: automl resume {begun(home).name}"
    nobody = automl(home, "stop")
    assert nobody.returncode == 2
    assert "nobody runs this search" in nobody.stderr
    assert json.loads(automl(home, "status", "-o", "json").stdout)["state"] == "ended: it was stopped"
    if how != "Ctrl-C":
        return  # it goes on in the same way

    again = automl(home, "resume", "--trials", str(done + 1), "--inline", "-o", "json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout.splitlines()[-1])["trials"]["completed"] == done + 1
