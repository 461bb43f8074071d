"""Trials on a real Ray cluster: a head and a node on this machine."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from searches import load, make, program, scores, trial_runs
from spaces import QUICK
from walks import stroll, walk

pytest.importorskip("ray", reason="Ray is not installed: pip install 'automl-keras[ray]'")
from clusters import LocalCluster

from automl.driver import launch
from automl.driver.options import Options
from automl.driver.progress import Watcher
from automl.errors import ConfigError, SearchError
from automl.executors import Event
from automl.executors import ray as executor
from automl.executors.ray import Cluster
from automl.journal import FILE, replay
from automl.model import build
from automl.records.alive import Alive
from automl.records.data import DataSpec
from automl.records.trials import Begun, Report, TestRequest, TestResult, TrialResult, WorkerLost

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))
import jobs
import remote_jobs

pytestmark = [
    pytest.mark.slow,
    # Ray 2.60's own, of its sockets and the processes that it leaves to its nodes.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
]

Pool = Callable[..., Cluster]


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    made = LocalCluster(cpus=2)
    yield made
    made.close()


@pytest.fixture
def pool(cluster: LocalCluster) -> Iterator[Pool]:
    made: list[Cluster] = []

    def make(workers: int = 1, address: str = cluster.address, **given: Any) -> Cluster:
        executor.connect(address)
        made.append(Cluster(workers, **given))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def data(tmp_path: Path) -> DataSpec:
    """Prepared data, as far as a worker that trains nothing reads it."""
    folder = tmp_path / "searches" / "data"
    folder.mkdir(parents=True)
    (folder / "train_x.npy").write_bytes(b"examples" * 1000)
    return replace(build.data_of((1, 1, 1), 2), folder=str(folder), name="few", digest="d")


@pytest.fixture
def request_of(tmp_path: Path, data: DataSpec) -> Callable[..., Any]:
    def made(number: int = 1, attempt: int = 1, **document: Any) -> Any:
        folder = tmp_path / "searches" / f"t{number:03d}"
        folder.mkdir(exist_ok=True)
        return replace(jobs.request(number, attempt, **document), data=data, folder=str(folder))

    return made


def until_idle(running: Cluster, goes_on: bool = True, silence_s: float = math.inf) -> list[Event]:
    """Returns all that happens until no request is running."""
    events: list[Event] = []

    def follow(event: Event) -> bool:
        if not isinstance(event, Begun):
            events.append(event)
        return goes_on

    workers = len(running._workers)
    for _ in range(120):
        running.wait(0.5, follow, silence_s)
        if running.free == workers:
            return events
    raise AssertionError(f"nothing but {events}")


def came_of(running: Cluster, run: Any, request: Any, **how: Any) -> list[Event]:
    running.submit(run, request)
    return until_idle(running, **how)


@pytest.mark.parametrize("by_client", [False, True])
def test_a_trial_tells_and_obeys(pool: Pool, cluster: LocalCluster, request_of: Any, by_client: bool) -> None:
    running = pool(address=cluster.client_address if by_client else cluster.address)
    for goes_on in (True, False):
        *reports, result = came_of(running, jobs.obey, request_of(), goes_on=goes_on)
        assert [report.epoch for report in reports] == ([1, 2, 3] if goes_on else [1])
        assert isinstance(result, TrialResult)
    *beats, result = came_of(running, jobs.beat, request_of(), goes_on=False)
    assert {type(each) for each in beats} == {Alive}
    assert isinstance(result, TrialResult)
    assert result.message == "cut"


@pytest.mark.parametrize("failures", [1, 99])
def test_a_client_whose_server_dies_as_it_starts_is_let_in_again(
    pool: Pool, cluster: LocalCluster, request_of: Any, failures: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray.util.client.worker import Worker

    whole, left = Worker._server_init, [failures]

    def init(*given: Any) -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise ConnectionAbortedError("Initialization failure from server")
        whole(*given)

    monkeypatch.setattr(Worker, "_server_init", init)
    monkeypatch.setattr("automl.executors.ray._join.time.sleep", lambda _: None)
    if failures > 1:
        with pytest.raises(ConfigError, match=r"cannot join 'ray://.*': Initialization failure from server"):
            executor.connect(cluster.client_address)
    # After a failure the cluster can still be joined in the other way.
    running = pool(address=cluster.client_address if failures == 1 else cluster.address)
    assert isinstance(came_of(running, jobs.succeed, request_of())[-1], TrialResult)


def test_faults_cost_their_own_trial_alone(pool: Pool, request_of: Any) -> None:
    running = pool(2)
    for run, said in ((jobs.die, "died"), (jobs.raise_error, "RuntimeError: nobody caught this")):
        lost = came_of(running, run, request_of())[-1]
        assert isinstance(lost, WorkerLost)
        assert said in lost.message
        assert len(lost.message) < 300
    running.submit(jobs.stay, request_of(1))
    (hung,) = [each for each in until_idle(running, silence_s=0.5) if isinstance(each, WorkerLost)]
    assert hung.hung
    running.submit(jobs.count, request_of(1, pause=0.1))
    running.submit(jobs.die, request_of(2))
    ended = [event for event in until_idle(running) if not isinstance(event, Report)]
    assert {type(event): event.trial for event in ended} == {TrialResult: 1, WorkerLost: 2}


def test_workers_are_replaced_when_they_are_worn(pool: Pool, request_of: Any) -> None:
    running = pool(recycle_after=2)
    pids = [came_of(running, jobs.succeed, request_of())[-1].message for _ in range(4)]  # type: ignore[union-attr]
    assert pids[0] == pids[1] != pids[2] == pids[3]


def test_no_worker_holds_the_room_that_another_waits_for(pool: Pool, request_of: Any) -> None:
    """As after the loss of a node: one place, two workers; a worn one comes back behind the other."""
    running = pool(2, cpus=2.0, recycle_after=2)
    for number in range(1, 6):
        assert isinstance(came_of(running, jobs.succeed, request_of(number))[-1], TrialResult)


def test_what_a_killed_driver_left_running_is_ended(pool: Pool, request_of: Any) -> None:
    before = pool(name="20261124-000000-abcd")
    before.submit(jobs.stay, request_of(1))
    said: list[Event] = []
    while not any(isinstance(event, Report) for event in said):
        before.wait(1.0, lambda event: bool(said.append(event)) or True, math.inf)
    after = Cluster(1, name="20261124-000000-abcd")
    assert isinstance(until_idle(before)[-1], WorkerLost)
    assert isinstance(came_of(after, jobs.succeed, request_of(2))[-1], TrialResult)


def test_a_folder_that_others_may_write_to_is_not_used(pool: Pool, request_of: Any, tmp_path: Path) -> None:
    (tmp_path / f"automl-{os.getuid()}").mkdir(mode=0o755)
    running = pool(variables={"TMPDIR": str(tmp_path)})
    with pytest.raises(SearchError, match=r"no worker of the cluster comes to begin: .* is not this user's alone"):
        came_of(running, jobs.succeed, request_of())


def test_a_node_that_sees_no_file_of_the_drivers_is_sent_what_it_needs(
    pool: Pool, request_of: Any, data: DataSpec, tmp_path: Path
) -> None:
    running = pool(2, shared=False, variables={"TMPDIR": str(tmp_path)})
    asked = request_of()
    lost = came_of(running, remote_jobs.checkpoint_and_die, asked)[-1]
    assert isinstance(lost, WorkerLost)
    assert Path(asked.folder, "checkpoint.npz").read_bytes() == b"after epoch 1"
    told = came_of(running, remote_jobs.go_on, asked)[-1]
    assert isinstance(told, TrialResult)
    assert told.message == f"checkpoint after epoch 1, data of {8 * 1000} bytes"
    assert told.model == f"{asked.folder}/model.keras"
    assert Path(told.model).read_bytes() == b"the model"
    tested = came_of(running, remote_jobs.read_model, TestRequest(1, 1, {}, data, told.model))[-1]
    assert tested == TestResult(1, 1, {"test_size": float(len(b"the model"))})
    # The data lies there once, and nothing else stays behind.
    (own,) = tmp_path.glob("automl-*")
    kept = [path for path in own.iterdir() if path.is_dir()]
    assert [path.name for path in kept[0].iterdir()] == ["train_x.npy"]
    assert len(kept) == 1  # nor what the dead worker had


def test_nodes_must_have_the_same_versions(pool: Pool, request_of: Any) -> None:
    running = pool(versions={"keras": "0.1"})
    with pytest.raises(SearchError, match=r"a node of the cluster has keras 3.*; this machine has 0\.1\."):
        came_of(running, jobs.succeed, request_of())


SPACE = QUICK.replace("trials: 2", "trials: 12").replace("max: 9", "max: 99").replace("epochs: 1", "epochs: 6")


class Killer(Watcher):
    """Kills a node in the middle of a search, while both run a trial."""

    def __init__(self, cluster: LocalCluster, node: subprocess.Popen[bytes]) -> None:
        self.cluster, self.node = cluster, node

    def epoch(self, report: Report) -> None:
        if report.trial == 4 and report.epoch == 3 and self.node.poll() is None:
            self.cluster.kill(self.node)


def stocked(home: Path) -> Path:
    """Puts the model into a home that walks leave as theirs."""
    import keras

    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10, "softmax")])
    (home / "searches").mkdir()
    model.save(home / "searches" / "model.keras")
    return home


def form(folder: Path) -> dict[str, set[tuple[str, ...]]]:
    """Returns which kinds of lines a journal has, and the names in each."""
    kinds: dict[str, set[tuple[str, ...]]] = {}
    for line in (folder / FILE).read_text().splitlines():
        event = json.loads(line)
        names = sorted(event) + [f"settings.{name}" for name in sorted(event.get("settings", ()))]
        kinds.setdefault(event["event"], set()).add(tuple(names))
    return kinds


def test_a_node_that_is_killed_takes_nothing_with_it(new_home: Path, tmp_path: Path, empty_store: Path) -> None:
    other = tmp_path / "local" / "mlruns"
    other.mkdir(parents=True)
    shutil.copy(empty_store, other)
    cluster = LocalCluster(cpus=1)
    try:
        killer = Killer(cluster, cluster.join(cpus=1))
        found = make(stocked(new_home), "walks", SPACE, stroll, killer, cluster=cluster.address)
    finally:
        cluster.close()
    assert found.summary.status == "completed"
    assert found.history.header.settings["workers"] == 2
    lost = [each for trial in found.history.trials.values() for each in trial.lost]
    assert len(lost) == 1
    assert found.summary.trials["completed"] == 12
    local = make(stocked(other), "walks", SPACE, walk, inline=True)
    assert scores(found.history) == scores(local.history)
    assert trial_runs(found.client, found.summary.search_id).keys() == set(range(1, 13))
    there, here = form(found.folder), form(local.folder)
    assert there.pop("lost")
    assert there == here


class Impatient(Watcher):
    """Presses Ctrl-C twice in the third trial."""

    def epoch(self, report: Report) -> None:
        if report.trial == 3 and report.epoch == 2:
            raise KeyboardInterrupt


def test_a_search_goes_on_on_another_address(new_home: Path, cluster: LocalCluster) -> None:
    space = SPACE.replace("trials: 12", "trials: 5")
    with pytest.raises(launch.Interrupted) as stopped:
        make(stocked(new_home), "walks", space, walk, Impatient(), cluster=cluster.address, gpus_per_trial=0.0)
    options = Options(home=new_home, cluster=cluster.address.replace("127.0.0.1", "localhost"))
    summary = launch.resume(stopped.value.search_id, options, Watcher(), run=walk)
    assert summary.trials["completed"] == 5
    history = replay(new_home / "searches" / summary.search_id)
    assert history.trials[3].attempts == 2
    assert [[each.epoch for each in trial.reports] for trial in history.trials.values()] == [[1, 2, 3, 4, 5, 6]] * 5


def test_one_worker_on_a_cluster_finds_what_one_here_does(
    cluster: LocalCluster, new_home: Path, tmp_path: Path, empty_store: Path
) -> None:
    space = QUICK.replace("epochs: 1", "epochs: 2").replace("random", "{bayesian: {initial_points: 1}}")
    local = make(new_home, "quick", space)
    threads = local.history.header.threads
    other = tmp_path / "cluster" / "mlruns"
    other.mkdir(parents=True)
    shutil.copy(empty_store, other)
    found = make(other, "quick", space, workers=1, cluster=cluster.address, cpus_per_trial=float(threads or 1))
    assert scores(found.history) == scores(local.history)
    assert found.winner["test"] == pytest.approx(local.winner["test"], abs=1e-6)
    assert found.history.header.settings["cluster"]["cpus"] == threads
    assert found.model.predict(numbers(), verbose=0) == pytest.approx(
        local.model.predict(numbers(), verbose=0), abs=1e-6
    )


def numbers() -> Any:
    import numpy as np

    return np.random.default_rng(0).random((4, 8, 8, 1)) * 16


def test_what_cannot_be_is_one_line(home: Path, cluster: LocalCluster) -> None:
    home.mkdir()
    read_ = load(home, "quick", QUICK)
    with pytest.raises(ConfigError, match=r"no trial fits on a node\. Expected a node with 9 CPUs and 0 GPUs"):
        launch.start(read_, Options(home=home, cluster=cluster.address, cpus_per_trial=9.0), Watcher())
    executor.leave()
    for line, said in (
        (["--cluster", "auto", "--inline"], "trials run on the cluster, not on this machine"),
        (["--cpus-per-trial", "2"], "there is no cluster to take them from"),
        (["--cluster", "127.0.0.1:1"], "cannot join '127.0.0.1:1'"),
    ):
        refused = program(home, "search", "quick.yaml", *line)
        assert refused.returncode == 2, refused.stderr
        assert len(refused.stderr.splitlines()) == 1
        assert said in refused.stderr
    assert not list(home.glob("searches/*"))
