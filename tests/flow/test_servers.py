"""MLflow on another host: a tracking server, a PostgreSQL database; killed, slow, or closed to us."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from searches import Said, Search, automl, client_of, make, mirrored, parent_run
from servers import PASSWORD, MlflowServer, PostgreSQL, Process, free_port, losing_answers, secured
from spaces import QUICK

from automl.executors import Message, Tell
from automl.records.trials import Report, TrialRequest, TrialResult
from automl.tracking import outbox, serve, store
from automl.worker.trial import run_trial

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("eagerly")]

SPACE = QUICK.replace("epochs: 1", "epochs: 2").replace("trials: 2", "trials: 3")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[MlflowServer]:
    folder = tmp_path_factory.mktemp("server")
    (folder / "mlflow.db").write_bytes(empty_store.read_bytes())
    made = MlflowServer(folder, f"sqlite:///{folder}/mlflow.db")
    try:
        made.restart()
        yield made
    finally:
        made.kill()


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSQL]:
    made = PostgreSQL()
    try:
        made.restart()
        yield made
    finally:
        made.remove()


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search of seconds tells all at once, and leaves a server in peace for a moment: a trial may last for less."""
    monkeypatch.setattr(outbox, "FLUSH_S", 0.0)
    monkeypatch.setattr(outbox, "FIRST_PAUSE_S", 0.1)
    monkeypatch.setattr(outbox, "LONGEST_PAUSE_S", 0.1)


def search(home: Path, name: str, uri: str, run: Any = run_trial, watcher: Said | None = None) -> Search:
    """Runs a search in an experiment of its own, and returns it with MLflow's client for the store."""
    made = make(home, name, SPACE, run, watcher, inline=True, tracking_uri=uri, experiment=name)
    return Search(home, made.read, made.summary, store(home, uri).client())


def check_mirror(found: Search) -> dict[str, Any]:
    """All of the search stands there once, and as it does in the embedded store, told from the same journal."""
    search_id = found.summary.search_id
    told = mirrored(found.client, search_id)
    assert told.keys() == {"parent", *(f"t{number:03d}" for number in found.history.trials)}
    for number, trial in found.history.trials.items():
        points = told[f"t{number:03d}"]["points"]
        for key in trial.reports[0].metrics:
            assert points[key] == [(each.epoch, each.metrics[key], each.time) for each in trial.reports]
    synced = automl(found.home, "sync", search_id, "--tracking-uri", f"sqlite:///{found.home}/mlflow.db")
    assert synced.returncode == 0, synced.stderr
    assert told == mirrored(client_of(found.home), search_id)
    return told


def check_champion(found: Search, uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One model is registered, and predicts as the winner does."""
    import mlflow

    name = found.history.header.settings["name"]
    (version,) = found.client.search_model_versions(f"run_id = '{found.parent.info.run_id}'")
    assert version.name == name
    assert found.client.get_model_version_by_alias(name, "champion").version == version.version
    (entity,) = found.client.search_logged_models(
        [found.parent.info.experiment_id], f"source_run_id = '{found.parent.info.run_id}'"
    )
    (output,) = found.parent.outputs.model_outputs
    assert output.model_id == entity.model_id
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store(found.home, uri).address)
    champion = mlflow.pyfunc.load_model(f"models:/{name}@champion")
    x = np.random.default_rng(0).uniform(0, 16, (3, 8, 8, 1)).astype("float32")
    np.testing.assert_array_equal(champion.predict(x, params={"give": "outputs"}), found.model.predict(x, verbose=0))


def check_secret(home: Path, *said: str) -> None:
    """The password stands in nothing that was said and in no file."""
    for secret in (PASSWORD, base64.b64encode(f"ann:{PASSWORD}".encode()).decode()):
        assert secret not in "".join(said)
        assert not [path for path in home.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


def outage(server: Process, again: int | None) -> Callable[[TrialRequest, Tell], TrialResult]:
    """Returns how to train when the server dies in the first epoch of trial 2, and is back before trial `again`."""

    def run(request: TrialRequest, tell: Tell) -> TrialResult:
        def told(message: Message) -> bool:
            if isinstance(message, Report) and (message.trial, message.epoch) == (2, 1):
                server.kill()
            return tell(message)

        if request.trial == again:
            server.restart()
        return run_trial(request, told)

    return run


def test_an_address_that_is_none_leaves_nothing_behind(home: Path) -> None:
    (home.parent / "space.yaml").write_text(SPACE)
    done = automl(home, "search", "space.yaml", "--tracking-uri", "ftp://ann@host")
    assert done.returncode == 2
    assert "--tracking-uri: not a tracking store" in done.stderr
    assert not home.exists()


def test_a_server_holds_what_the_embedded_store_holds(
    server: MlflowServer, new_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = search(new_home, "plain", server.uri)
    assert found.summary.tracking_uri == server.uri
    check_mirror(found)
    check_champion(found, server.uri, monkeypatch)


def test_a_server_that_loses_answers_holds_nothing_twice(
    server: MlflowServer, new_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with losing_answers(server.port) as uri:
        found = search(new_home, "lossy", uri)
        assert found.winner["model_uri"] is None
        # Each takes the model some steps further.
        assert [automl(new_home, "sync", "--tracking-uri", uri).returncode for _ in range(2)] == [1, 0]
    found.client = store(new_home, server.uri).client()
    check_mirror(found)
    check_champion(found, server.uri, monkeypatch)


def test_a_server_is_killed_and_restarted_in_mid_search(
    server: MlflowServer, new_home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    found = search(new_home, "killed", server.uri, outage(server, again=3))
    assert [record.levelname for record in caplog.records if record.name == "automl.tracking"] == ["WARNING"]
    check_mirror(found)
    check_champion(found, server.uri, monkeypatch)


def test_a_server_that_is_away_at_the_end_is_told_later_by_who_may(
    server: MlflowServer,
    new_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    found = search(new_home, "away", server.uri, outage(server, again=None))
    assert found.summary.status == "completed"
    assert found.summary.trials["completed"] == 3
    search_id = found.summary.search_id
    assert f"MLflow at {server.uri} lacks a part of the search {search_id}" in caplog.messages

    closed = secured(server)
    try:
        closed.restart()
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ann")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", f"{PASSWORD}-of-old")
        caplog.clear()
        refused = automl(new_home, "search", "away.yaml", "--inline", "--trials", "1", "--tracking-uri", server.uri)
        assert refused.returncode == 0
        (first, last) = [record.getMessage() for record in caplog.records if record.name == "automl.tracking"]
        assert "fails; the search goes on" in first
        assert "401" in first
        assert "lacks a part" in last
        check_secret(new_home, refused.stdout, refused.stderr, caplog.text, capfd.readouterr().err)

        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", PASSWORD)
        told = automl(new_home, "sync", search_id)
        assert told.returncode == 0, told.stderr
        assert "View run" not in told.stdout
        check_secret(new_home, told.stdout, told.stderr, caplog.text, capfd.readouterr().err)
        found.summary = replace(found.summary, run_id=parent_run(found.client, search_id).info.run_id)
        check_mirror(found)
        check_champion(found, server.uri, monkeypatch)
    finally:
        closed.kill()


class TestPostgreSQL:
    def test_two_machines_may_open_a_new_database_at_once(self, postgresql: PostgreSQL, tmp_path: Path) -> None:
        code = (
            "import sys; from pathlib import Path; from automl.tracking import store; "
            "s = store(Path('.')); s.prepare(); s.client().create_experiment(sys.argv[1])"
        )
        opened = []
        for name in ("left", "right"):
            (tmp_path / name).mkdir()
            # MLflow locks a file of the machine's; two machines have none in common.
            own = {"MLFLOW_TRACKING_URI": postgresql.uri("opened"), "TMPDIR": str(tmp_path / name)}
            opened.append(
                subprocess.Popen([sys.executable, "-c", code, name], env={**os.environ, **own}, stderr=subprocess.PIPE)
            )
        postgresql.make("opened")
        errors = [process.communicate(timeout=120)[1].decode() for process in opened]
        assert [process.returncode for process in opened] == [0, 0], errors
        names = {each.name for each in store(tmp_path, postgresql.uri("opened")).client().search_experiments()}
        assert names == {"Default", "left", "right"}

    def test_a_database_is_killed_and_restarted_in_mid_search(
        self,
        postgresql: PostgreSQL,
        new_home: Path,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        uri = postgresql.make("searched")
        found = search(new_home, "database", uri, outage(postgresql, again=3))
        assert [record.levelname for record in caplog.records if record.name == "automl.tracking"] == ["WARNING"]

        # The address is kept without its password, which a resume needs again.
        more = ("resume", "--trials", "4", "--inline")
        shut = automl(new_home, *more)
        assert shut.returncode == 2
        assert "Give it again with --tracking-uri or MLFLOW_TRACKING_URI" in shut.stderr
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        resumed = automl(new_home, *more)
        assert resumed.returncode == 0, resumed.stderr
        told = check_mirror(found)
        assert "t004" in told
        check_champion(found, uri, monkeypatch)

        port = free_port()
        ui = serve(store(new_home), port=port)
        try:
            process = psutil.Process(ui.pid)
            arguments = [part for each in [process, *process.children(recursive=True)] for part in each.cmdline()]
            shown = mirrored(store(new_home, f"http://127.0.0.1:{port}").client(), found.summary.search_id)
        finally:
            ui.terminate()
            ui.wait(30)
        assert shown == told
        listed = [automl(new_home, *line.split()) for line in ("trials", "show 1", "best", "doctor")]
        said = [each.stdout + each.stderr for each in (shut, resumed, *listed)]
        check_secret(new_home, *said, *arguments, caplog.text, *capfd.readouterr())
