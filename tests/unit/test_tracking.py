"""The mirror, checked through MLflow's own client on a real SQLite store."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import logging
import math
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException

from automl.errors import ConfigError, MissingExtra
from automl.records.trials import TrialResult
from automl.tracking import BestModel, DatasetInput, Store, Tracker, key_text, redacted, serve, store, value_text

SEARCH = "20261123-010203-abcd"
T0 = 1_700_000_000_000
DATA = DatasetInput("digits", "ab" * 32, "sklearn:digits", {"sizes": {"train": 1000}, "classes": ["0", "1"]})


def begin(tracker: Tracker, **changed: Any) -> str | None:
    told = {"name": "cnn-digits", "params": {"trials": 8, "algorithm": "random"}, "tags": {"versions.keras": "3"}}
    told |= {"experiment_yaml": "model: []\n", "dataset": DATA, "time_ms": T0, "note": "A search."}
    return tracker.start(**(told | changed))


def tell_trial(tracker: Tracker, number: int = 1, epochs: int = 3, attempt: int = 1, later_ms: int = 0) -> None:
    values = {"conv.filters": 32, "rate": 1e-3, "norm": None, "wide": True, "units": [64, 32], "cell": "lstm"}
    tracker.trial_started(number, values, "training: {}\n", T0 + 10 + later_ms, attempt)
    for epoch in range(1, epochs + 1):
        tracker.epoch(number, epoch, {"loss": 1.0 / epoch, "val_accuracy": epoch / 10}, T0 + 100 * epoch + later_ms)
    result = TrialResult(number, attempt, "completed", 0.3, 3, {"val_accuracy": 0.3}, epochs, 1.5, 1234, message=None)
    tracker.trial_ended(result, T0 + 1000 + later_ms)
    tracker.flush()


def steps(client: MlflowClient, run_id: str, key: str) -> list[int]:
    return [point.step for point in client.get_metric_history(run_id, key)]


def wait_for(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 20
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return found


@pytest.fixture
def where(home_with_store: Path) -> Store:
    return store(home_with_store)


@pytest.fixture
def client(where: Store) -> MlflowClient:
    return where.client()


@pytest.fixture
def tracker(where: Store) -> Tracker:
    return Tracker(where, "digits", SEARCH)


class TestStore:
    def test_is_an_sqlite_file_in_the_home_by_default(self, tmp_path: Path) -> None:
        found = store(tmp_path)
        assert found.uri == f"sqlite:///{tmp_path}/mlflow.db"
        assert found.artifacts == tmp_path / "artifacts"
        assert not list(tmp_path.iterdir())

    def test_takes_the_option_before_the_environment(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
        assert store(tmp_path).uri == "http://127.0.0.1:1"
        assert store(tmp_path).is_remote
        assert store(tmp_path, "sqlite:////x/y.db").uri == "sqlite:////x/y.db"

    def test_does_not_move_with_the_working_directory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert store(Path("mlruns"), "sqlite:///here.db").uri == f"sqlite:///{tmp_path}/here.db"

    @pytest.mark.parametrize("uri", ["./mlruns", "file:///tmp/mlruns", "ftp://host"])
    def test_refuses_what_mlflow_has_given_up(self, tmp_path: Path, uri: str) -> None:
        with pytest.raises(ConfigError, match=r"^--tracking-uri: not a tracking store. Expected sqlite"):
            store(tmp_path, uri)

    @pytest.mark.parametrize(
        ("uri", "hint"),
        [
            ("127.0.0.1:5000", "Did you mean http://127.0.0.1:5000?"),
            ("localhost:5000", "Did you mean http://localhost:5000?"),
            ("mlflow.team.org:80/api", "Did you mean http://mlflow.team.org:80/api?"),
            ("//[::1]:5000", "Did you mean http://[::1]:5000?"),
            ("./mlruns", "migrate-filestore"),
        ],
    )
    def test_says_what_may_have_been_meant(self, tmp_path: Path, uri: str, hint: str) -> None:
        with pytest.raises(ConfigError) as told:
            store(tmp_path, uri)
        assert hint in str(told.value)

    def test_an_old_file_store_in_the_folder_does_not_disturb(
        self, home_with_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (home_with_store / "0").mkdir()
        (home_with_store / "0" / "meta.yaml").write_text("artifact_location: x\nname: Default\n")
        tracker = Tracker(store(home_with_store), "digits", SEARCH)
        assert begin(tracker)
        assert not tracker.behind

    def test_what_is_no_database_is_told_at_once(self, tmp_path: Path) -> None:
        (tmp_path / "mlflow.db").write_text("no database at all, and long enough to be none")
        began = time.monotonic()
        with pytest.raises(sqlite3.DatabaseError, match="not a database"):
            store(tmp_path).prepare()
        assert time.monotonic() - began < 10

    @pytest.mark.slow
    def test_four_processes_may_open_a_new_one_at_once(self, tmp_path: Path) -> None:
        code = (
            "import sys; from pathlib import Path; from automl.tracking import store; "
            "s = store(Path(sys.argv[1])); s.prepare(); s.client().create_experiment(sys.argv[2])"
        )
        opened = [
            subprocess.Popen([sys.executable, "-c", code, str(tmp_path), f"e{i}"], stderr=subprocess.PIPE)
            for i in range(4)
        ]
        errors = [process.communicate(timeout=120)[1].decode() for process in opened]
        assert [process.returncode for process in opened] == [0] * 4, errors
        assert len(store(tmp_path).client().search_experiments()) == 5

    def test_shows_no_secret(self, tmp_path: Path) -> None:
        found = store(tmp_path, "postgresql://ann:s3cret@host:5432/db?password=s3cret")
        assert found.shown == "postgresql://***@host:5432/db?password=***"
        assert redacted("no http://a:b@h/x and token=abc&n=1") == "no http://***@h/x and token=***&n=1"
        assert redacted("postgresql://ann:s3/cr@et@host/db?sslpassword=x") == "postgresql://***@host/db?sslpassword=***"
        assert redacted("sqlite:////home/ann@work/mlflow.db") == "sqlite:////home/ann@work/mlflow.db"

    def test_names_the_driver_of_postgresql_that_is_installed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        installed = {"psycopg"}
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: name in installed or None)
        found = store(tmp_path, "postgresql://ann:s3cret@host/db")
        assert found.address == "postgresql+psycopg://ann:s3cret@host/db"
        assert found.shown == "postgresql://***@host/db"
        named = store(tmp_path, "postgresql+pg8000://ann@host/db")
        assert named.address == "postgresql+pg8000://ann@host/db"
        assert not named.is_remote
        installed.clear()
        with pytest.raises(MissingExtra, match=r"^--tracking-uri: PostgreSQL needs .*'automl-keras\[postgresql\]'"):
            store(tmp_path, "postgresql://ann:s3cret@host/db")

    @pytest.mark.parametrize(("system", "mode"), [("ext4", "wal"), ("nfs4", "delete")])
    def test_a_new_one_writes_ahead_unless_it_lies_on_another_machine(
        self, system: str, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mounts = [
            SimpleNamespace(mountpoint="/", fstype="9p"),
            SimpleNamespace(mountpoint=str(tmp_path), fstype=system),
        ]
        monkeypatch.setattr(psutil, "disk_partitions", lambda **_: mounts)
        # By its name in sys.modules: in the package, the name of the module is the function's.
        monkeypatch.setattr(sys.modules["automl.tracking.store"], "_migrate", lambda *_, **__: None)
        store(tmp_path).prepare()
        with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
            assert database.execute("PRAGMA journal_mode").fetchone() == (mode,)


class TestTexts:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (None, "null"),
            (True, "true"),
            (1, "1"),
            (1.0, "1.0"),
            (1e-5, "1e-05"),
            ([64, 32], "[64, 32]"),
            ("a b", "a b"),
        ],
    )
    def test_values_can_be_told_apart(self, value: Any, text: str) -> None:
        assert value_text(value) == text

    @pytest.mark.parametrize("key", ["a.b", "conv_2.filters", "best/val_accuracy", "recurrent.units.1", "größe"])
    def test_legal_keys_stay(self, key: str) -> None:
        assert key_text(key) == key

    @pytest.mark.parametrize("key", ["a[0]", "a//b", "../a", "/a", ".", "", "a=b", "x" * 300])
    def test_other_keys_become_legal_and_stay_apart(self, key: str, tracker: Tracker, client: MlflowClient) -> None:
        run_id = begin(tracker, params={key: 1, key + "!": 2}, tags={key: "t"})
        tracker.progress(None, 1, T0)
        tracker.flush()
        assert run_id
        assert not tracker.behind
        assert sorted(client.get_run(run_id).data.params.values()) == ["1", "2"]


class TestSearch:
    def test_a_trial_is_a_child_with_its_parameters_curves_and_outcome(
        self, tracker: Tracker, client: MlflowClient, where: Store
    ) -> None:
        parent = begin(tracker)
        tell_trial(tracker)
        assert parent
        assert tracker.experiment_id == client.get_run(parent).info.experiment_id
        run = client.get_run(tracker.trial_run_ids[1])
        assert run.info.run_name == "t001"
        assert (run.info.status, run.info.start_time, run.info.end_time) == ("FINISHED", T0 + 10, T0 + 1000)
        expected = {"conv.filters": "32", "rate": "0.001", "norm": "null", "wide": "true"}
        assert run.data.params == expected | {"units": "[64, 32]", "cell": "lstm"}
        assert run.data.tags["mlflow.parentRunId"] == parent
        assert run.data.tags["automl.trial"] == f"{SEARCH}/t001"
        assert run.data.tags["automl.outcome"] == "completed"
        assert run.data.metrics["score"] == 0.3
        assert run.data.metrics["best_epoch"] == 3
        assert run.data.metrics["best/val_accuracy"] == 0.3
        points = client.get_metric_history(run.info.run_id, "val_accuracy")
        assert [(p.step, p.value, p.timestamp) for p in points] == [
            (1, 0.1, T0 + 100),
            (2, 0.2, T0 + 200),
            (3, 0.3, T0 + 300),
        ]
        assert where.run_ids(SEARCH) == (parent, {1: run.info.run_id})
        assert where.run_ids("another") == (None, {})

    def test_the_parent_holds_settings_data_document_and_progress(
        self, tracker: Tracker, client: MlflowClient, home_with_store: Path
    ) -> None:
        parent = begin(tracker)
        tracker.progress(None, 1, T0 + 1)
        tracker.progress(0.5, 2, T0 + 2)
        tracker.finish({3: 1, 1: 2}, "FINISHED", {"accuracy": 0.97}, 3, T0 + 3)
        run = client.get_run(parent)
        assert run.data.params == {"trials": "8", "algorithm": "random"}
        assert run.data.tags["versions.keras"] == "3"
        assert run.data.tags["mlflow.note.content"] == "A search."
        assert run.data.tags["automl.best_trial"] == "3"
        assert run.data.metrics == {"best_so_far": 0.5, "trials_done": 2.0, "test_accuracy": 0.97}
        assert steps(client, parent, "trials_done") == [1, 2]
        assert (run.info.status, run.info.end_time) == ("FINISHED", T0 + 3)
        (dataset,) = run.inputs.dataset_inputs
        assert (dataset.dataset.name, dataset.dataset.digest) == ("digits", "ab" * 18)
        assert client.get_run(tracker.trial_run_ids[1]).data.metrics["rank"] == 2
        artifact = next((home_with_store / "artifacts").rglob("experiment.yaml"))
        assert artifact.read_text() == "model: []\n"

    def test_an_interruption_ends_what_was_running_and_a_resume_takes_it_up(
        self, tracker: Tracker, client: MlflowClient
    ) -> None:
        parent = begin(tracker)
        tracker.trial_started(1, {}, "model: []", T0)
        tracker.interrupted([1], T0 + 5)
        child = tracker.trial_run_ids[1]
        assert [client.get_run(run).info.status for run in (parent, child)] == ["KILLED", "KILLED"]
        assert client.get_run(child).data.tags["automl.outcome"] == "cancelled"
        begin(tracker)
        tracker.trial_started(1, {}, "model: []", T0, attempt=2)
        tracker.flush()
        assert [client.get_run(run).info.status for run in (parent, child)] == ["RUNNING", "RUNNING"]
        assert client.get_run(child).data.tags["automl.outcome"] == "running"

    def test_a_continued_search_shows_its_new_winners_test_metrics(
        self, tracker: Tracker, client: MlflowClient
    ) -> None:
        parent = begin(tracker)
        tracker.finish({1: 1}, "FINISHED", {"accuracy": 0.8}, 1, T0 + 1)
        tracker.finish({2: 1, 1: 2}, "FINISHED", {"accuracy": 0.9}, 2, T0 + 2)
        assert client.get_run(parent).data.metrics["test_accuracy"] == 0.9
        assert steps(client, parent, "test_accuracy") == [1, 2]

    def test_a_gradient_that_went_wrong_is_the_description_of_its_trial(
        self, tracker: Tracker, client: MlflowClient
    ) -> None:
        begin(tracker)
        tracker.trial_started(5, {}, "x: 1\n", T0)
        message = "the gradient vanished; try norm"
        tracker.trial_ended(TrialResult(5, 1, "completed", 0.5, message=message, gradient="vanished"), T0 + 1)
        tracker.flush()
        tags = client.get_run(tracker.trial_run_ids[5]).data.tags
        assert tags["mlflow.note.content"] == "The gradient vanished; try norm."
        assert tags["automl.message"] == message

    @pytest.mark.parametrize(
        ("outcome", "status"),
        [
            ("stopped", "FINISHED"),
            ("error", "FAILED"),
            ("diverged", "FAILED"),
            ("infeasible", "FAILED"),
            ("lost", "KILLED"),
        ],
    )
    def test_every_outcome_has_its_tag_and_status(
        self, outcome: Any, status: str, tracker: Tracker, client: MlflowClient
    ) -> None:
        begin(tracker)
        tracker.trial_started(5, {}, "x: 1\n", T0)
        tracker.trial_ended(TrialResult(5, 1, outcome, message="why", traceback="Traceback ..."), T0 + 1)
        tracker.flush()
        run = client.get_run(tracker.trial_run_ids[5])
        assert (run.data.tags["automl.outcome"], run.info.status) == (outcome, status)
        assert run.data.tags["automl.message"] == "why"
        names = sorted(item.path for item in client.list_artifacts(run.info.run_id))
        assert names == ["traceback.txt", "trial.yaml"]

    def test_numbers_that_are_not_finite_are_tags(self, tracker: Tracker, client: MlflowClient) -> None:
        begin(tracker)
        tracker.trial_started(1, {}, "", T0)
        tracker.epoch(1, 1, {"loss": 1.0, "val_loss": math.inf}, T0)
        tracker.epoch(1, 2, {"loss": 2.0, "val_loss": math.nan}, T0)
        tracker.flush()
        run = client.get_run(tracker.trial_run_ids[1])
        assert run.data.metrics == {"loss": 2.0}
        assert run.data.tags["automl.nonfinite.val_loss"] == "inf at step 1"

    def test_limits_of_a_call_and_of_a_value(self, tracker: Tracker, client: MlflowClient) -> None:
        run_id = begin(tracker, params={f"p{i}": i for i in range(250)} | {"long": "x" * 9000}, tags={"t": "y" * 9000})
        tracker.trial_started(1, {}, "", T0)
        tracker.epoch(1, 1, {f"m{i}": float(i) for i in range(2500)}, T0)
        tracker.flush()
        assert not tracker.behind
        run = client.get_run(run_id)
        assert len(run.data.params) == 251
        assert run.data.params["long"].endswith("xx ... (cut, 9000 characters)")
        assert len(client.get_run(tracker.trial_run_ids[1]).data.metrics) == 2500

    def test_what_is_told_within_a_second_goes_out_in_few_calls(
        self, tracker: Tracker, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begin(tracker)
        calls = []
        log_batch = MlflowClient.log_batch
        monkeypatch.setattr(
            MlflowClient, "log_batch", lambda self, *a, **k: calls.append(1) or log_batch(self, *a, **k)
        )
        monkeypatch.setattr("automl.tracking.outbox.FLUSH_S", 60.0)
        for number in (1, 2):
            tracker.trial_started(number, {"a": number}, "a: 1\n", T0)
        for epoch in range(1, 21):
            for number in (1, 2):
                tracker.epoch(number, epoch, {"loss": 1.0, "val_loss": 2.0}, T0 + epoch)
        tracker.trial_ended(TrialResult(2, 1, "completed", 2.0, 1), T0 + 21)
        tracker.flush()
        assert len(calls) == 2
        ended = client.get_run(tracker.trial_run_ids[2])
        assert (ended.info.status, ended.data.params["a"], ended.data.metrics["score"]) == ("FINISHED", "2", 2.0)
        assert steps(client, ended.info.run_id, "loss") == list(range(1, 21))
        assert client.get_run(tracker.trial_run_ids[1]).info.status == "RUNNING"

    def test_what_is_told_goes_out_within_a_second_or_so(
        self, tracker: Tracker, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begin(tracker)
        monkeypatch.setattr("automl.tracking.outbox.FLUSH_S", 0.2)
        tracker.trial_started(1, {"a": 1}, "a: 1\n", T0)
        time.sleep(0.2)
        tracker.flush_if_due()
        assert client.get_run(tracker.trial_run_ids[1]).data.params == {"a": "1"}


class TestToldAgain:
    def test_nothing_doubles(self, where: Store, client: MlflowClient) -> None:
        ids = []
        for later_ms in (0, 7):
            tracker = Tracker(where, "digits", SEARCH)
            parent = begin(tracker)
            tell_trial(tracker, later_ms=later_ms)
            tracker.progress(0.3, 1, T0 + later_ms)
            tracker.finish({1: 1}, "FINISHED", {"accuracy": 0.9}, 1, T0 + later_ms)
            assert not tracker.behind
            ids.append((parent, tracker.trial_run_ids))
        assert ids[0] == ids[1]
        assert len(client.search_runs([tracker.experiment_id])) == 2
        assert steps(client, ids[0][1][1], "loss") == [1, 2, 3]
        assert steps(client, ids[0][0], "test_accuracy") == [1]
        assert len(client.get_run(ids[0][0]).inputs.dataset_inputs) == 1

    def test_a_trial_cut_short_goes_on_in_its_run(self, where: Store, client: MlflowClient) -> None:
        first = Tracker(where, "digits", SEARCH)
        begin(first)
        first.trial_started(1, {"a": 1}, "", T0)
        first.epoch(1, 1, {"loss": 1.0}, T0)
        first.close()
        second = Tracker(where, "digits", SEARCH)
        begin(second)
        assert second.trial_run_ids == first.trial_run_ids
        tell_trial(second, epochs=3, attempt=2, later_ms=5)
        run_id = second.trial_run_ids[1]
        points = client.get_metric_history(run_id, "loss")
        assert [(p.step, p.timestamp) for p in points] == [(1, T0), (2, T0 + 205), (3, T0 + 305)]
        assert client.get_run(run_id).data.tags["automl.attempt"] == "2"

    def test_a_retried_attempt_in_one_process(self, tracker: Tracker, client: MlflowClient) -> None:
        begin(tracker)
        tracker.trial_started(1, {"a": 1}, "", T0)
        tracker.epoch(1, 1, {"loss": 1.0}, T0)
        tell_trial(tracker, attempt=2)
        assert steps(client, tracker.trial_run_ids[1], "loss") == [1, 2, 3]
        assert not tracker.behind

    @pytest.mark.parametrize("driver", ["the same", "another"])
    def test_a_trial_that_begins_afresh_has_its_new_points_alone(
        self, tracker: Tracker, where: Store, client: MlflowClient, driver: str
    ) -> None:
        begin(tracker)
        tracker.trial_started(1, {"a": 1}, "", T0)
        tracker.epoch(1, 1, {"loss": 9.0}, T0)
        tracker.close()
        if driver == "another":
            tracker = Tracker(where, "digits", SEARCH)
            begin(tracker)
        tracker.trial_started(1, {"a": 1}, "", T0, 2, new=True)
        tracker.epoch(1, 1, {"loss": 1.0}, T0)
        tracker.close()
        (child,) = client.search_runs([tracker.experiment_id], "tags.`mlflow.parentRunId` LIKE '%'")
        assert tracker.trial_run_ids == {1: child.info.run_id}
        assert [point.value for point in client.get_metric_history(child.info.run_id, "loss")] == [1.0]
        assert child.data.tags["automl.attempt"] == "2"

    def test_a_changed_setting_is_a_tag(self, where: Store, client: MlflowClient) -> None:
        begin(Tracker(where, "digits", SEARCH))
        tracker = Tracker(where, "digits", SEARCH)
        run = client.get_run(begin(tracker, params={"trials": 16, "algorithm": "random"}))
        assert not tracker.behind
        assert run.data.params["trials"] == "8"
        assert run.data.tags["automl.changed.trials"] == "16"


class TestAwayServer:
    def test_the_search_goes_on_and_the_mirror_is_caught_up(
        self, tracker: Tracker, client: MlflowClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, "automl.tracking")
        begin(tracker)
        log_batch = MlflowClient.log_batch

        def refuse(*args: Any, **kwargs: Any) -> None:
            raise MlflowException("cannot reach http://ann:s3cret@host")

        monkeypatch.setattr(MlflowClient, "log_batch", refuse)
        tell_trial(tracker)
        tell_trial(tracker, 2)
        assert tracker.behind
        monkeypatch.setattr(MlflowClient, "log_batch", log_batch)
        tracker.close()
        assert not tracker.behind
        assert steps(client, tracker.trial_run_ids[2], "loss") == [1, 2, 3]
        assert len(client.search_runs([tracker.experiment_id])) == 3
        warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
        assert len(warnings) == 1
        assert "s3cret" not in caplog.text

    def test_a_server_that_never_answers_costs_little(self, home: Path, caplog: pytest.LogCaptureFixture) -> None:
        tracker = Tracker(store(home, "http://ann:s3cret@127.0.0.1:9"), "digits", SEARCH)
        started = time.monotonic()
        assert begin(tracker) is None
        for number in range(1, 20):
            tell_trial(tracker, number)
        assert tracker.log_best(None, BestModel(1, "m")) is None
        tracker.close()
        assert time.monotonic() - started < 20
        assert tracker.behind
        assert "s3cret" not in caplog.text

    def test_what_is_refused_is_dropped_and_the_rest_goes_on(self, tracker: Tracker, client: MlflowClient) -> None:
        begin(tracker)
        tracker.trial_started(1, {}, "", T0)
        tracker.flush()
        # As a person may do in the UI, in the middle of a search.
        client.delete_run(tracker.trial_run_ids[1])
        tracker.epoch(1, 1, {"loss": 1.0}, T0)
        tell_trial(tracker, 2)
        assert tracker.behind
        assert steps(client, tracker.trial_run_ids[2], "loss") == [1, 2, 3]


@pytest.fixture(scope="module")
def keras_model() -> Any:
    import keras

    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, 3))
    x = keras.layers.GlobalAveragePooling1D()(keras.layers.Conv1D(4, 3, padding="same")(inputs))
    return keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(x))


class TestModel:
    def test_the_champion_predicts_as_the_model_does(
        self, tracker: Tracker, client: MlflowClient, where: Store, keras_model: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import mlflow

        before = mlflow.get_tracking_uri()
        parent = begin(tracker)
        tracker.finish({}, "FINISHED", {"accuracy": 0.9}, 0, T0 + 1)
        best = BestModel(1, "cnn/digits", {"classes": ["cat", "dog"]})
        uri = tracker.log_best(keras_model, best)
        assert uri
        assert not tracker.behind
        assert mlflow.get_tracking_uri() == before
        assert mlflow.active_run() is None
        assert tracker.log_best(keras_model, best) == uri
        assert len(client.search_model_versions("name = 'cnn-digits'")) == 1

        monkeypatch.setenv("MLFLOW_TRACKING_URI", where.uri)
        version = client.get_model_version_by_alias("cnn-digits", "champion")
        assert version.run_id == parent
        loaded = mlflow.pyfunc.load_model("models:/cnn-digits@champion")
        assert loaded.metadata.metadata["classes"] == ["cat", "dog"]
        assert [tuple(x.shape) for x in loaded.metadata.signature.inputs.inputs] == [(-1, -1, 3)]
        x = np.random.default_rng(0).normal(size=(5, 7, 3)).astype("float32")
        np.testing.assert_array_equal(loaded.predict(x), keras_model.predict(x, verbose=0))
        assert np.array_equal(mlflow.pyfunc.load_model(uri).predict(x), loaded.predict(x))
        for given in (x.astype("float64"), x.tolist()):
            np.testing.assert_array_equal(loaded.predict(given), loaded.predict(x))
        whole = np.arange(42).reshape(2, 7, 3)
        np.testing.assert_array_equal(loaded.predict(whole), loaded.predict(whole.astype("float32")))
        for wrong, told in (
            (x[..., :2], r"Expected \(any, any, 3\); received \(5, 7, 2\)"),
            ([[[1, 2, 3]], [[1, 2, 3], [4, 5, 6]]], "pad shorter series on the right with NaN"),
            ([["a"]], "cannot be read"),
            (x * 1j, "its numbers are complex"),
            (x.astype("float64") * 1e300, "beyond float32"),
        ):
            with pytest.raises(MlflowException, match=told):
                loaded.predict(wrong)
        assert loaded.predict(x[:0]).shape == (0, *loaded.predict(x).shape[1:])
        (output,) = client.get_run(parent).outputs.model_outputs
        assert f"models:/{output.model_id}" == uri
        assert steps(client, parent, "test_accuracy") == [0]
        assert client.get_run(parent).info.status == "FINISHED"

    def test_a_better_trial_takes_the_alias(self, tracker: Tracker, client: MlflowClient, keras_model: Any) -> None:
        begin(tracker)
        first = tracker.log_best(keras_model, BestModel(1, "m"))
        second = tracker.log_best(keras_model, BestModel(2, "m"))
        assert first != second
        assert str(client.get_model_version_by_alias("m", "champion").version) == "2"

    def test_its_pages_tell_what_it_is(self, tracker: Tracker, client: MlflowClient, keras_model: Any) -> None:
        parent = begin(tracker)
        measured, tags = {"val_accuracy": 0.75, "test_accuracy": 0.5}, {"automl.space": "cnn"}
        uri = tracker.log_best(keras_model, BestModel(1, "m", card="# A card", metrics=measured, tags=tags))
        assert uri is not None
        (model,) = client.search_logged_models([client.get_run(parent).info.experiment_id])
        assert {each.key: each.value for each in model.metrics} == measured
        assert {each.dataset_name for each in model.metrics} == {"digits"}
        # As the UI's page of a logged model reads it, else it says "not registered".
        assert json.loads(model.tags["mlflow.modelVersions"]) == [{"name": "m", "version": "1"}]
        assert model.tags["automl.space"] == "cnn"
        assert model.tags["mlflow.note.content"] == "# A card"
        version = client.get_model_version("m", "1")
        assert version.description == "# A card"
        assert version.tags["automl.space"] == "cnn"


class TestServe:
    def test_a_remote_store_has_its_own(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"Open http://\*\*\*@host"):
            serve(store(tmp_path, "http://a:b@host"))

    def test_a_taken_port(self, tmp_path: Path) -> None:
        import socket

        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            with pytest.raises(ConfigError, match="Choose another --port"):
                serve(store(tmp_path), port=taken.getsockname()[1])

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
    @pytest.mark.parametrize("answers", [True, False])
    def test_its_server_ends_with_the_command(self, number: int, answers: bool, home: Path) -> None:
        # With another program in the place of MLflow's, which takes ten seconds to begin.
        program = (
            "import subprocess, sys, time; from automl import cli, tracking;"
            "module = sys.modules['automl.tracking.serve'];"
            "begin = subprocess.Popen; subprocess.Popen = lambda *_, **__: begin(['sleep', '60']);"
            "module._await_answer = lambda *_: None if sys.argv[1] == 'True' else time.sleep(60);"
            "tracking.Store.prepare = lambda _: None; module._require_free = print; cli.main(['ui'])"
        )
        with subprocess.Popen([sys.executable, "-u", "-c", program, str(answers)], stdout=subprocess.PIPE) as command:
            assert command.stdout
            command.stdout.readline()
            if answers:
                assert b"MLflow UI on" in command.stdout.readline()
            (server,) = wait_for(lambda: psutil.Process(command.pid).children())
            command.send_signal(number)
            code = command.wait(20)
        assert not psutil.pid_exists(server.pid)
        assert code == (128 + number if number != signal.SIGINT else 0 if answers else 130)

    @pytest.mark.slow
    def test_shows_the_runs_and_their_artifacts(self, tracker: Tracker, where: Store) -> None:
        import socket

        begin(tracker)
        tell_trial(tracker)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = serve(where, port=port)
        try:
            address = f"http://127.0.0.1:{port}"
            body = json.dumps({"experiment_ids": [tracker.experiment_id]}).encode()
            request = urllib.request.Request(
                f"{address}/api/2.0/mlflow/runs/search", body, {"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=30) as answer:
                assert len(json.load(answer)["runs"]) == 2
            artifact = f"{address}/get-artifact?path=trial.yaml&run_uuid={tracker.trial_run_ids[1]}"
            with urllib.request.urlopen(artifact, timeout=30) as answer:
                assert answer.read() == b"training: {}\n"
            with urllib.request.urlopen(f"http://localhost:{port}/", timeout=30) as answer:
                assert b"<html" in answer.read()
        finally:
            process.terminate()
            process.wait(30)


def test_a_point_may_be_sent_twice_by_an_interrupted_call(tracker: Tracker, client: MlflowClient) -> None:
    begin(tracker)
    tracker.trial_started(1, {}, "", T0)
    tracker.flush()
    # The store took the call and its answer was lost: the same point, the same time, comes again.
    client.log_batch(tracker.trial_run_ids[1], metrics=[Metric("loss", 1.0, T0, 1)])
    tracker.epoch(1, 1, {"loss": 1.0}, T0)
    tracker.close()
    assert steps(client, tracker.trial_run_ids[1], "loss") == [1]
