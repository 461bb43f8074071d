"""Keras Tuner's documented ways of running a trial, each seen in MLflow; nothing is trained."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest
from mlflow import MlflowClient

from automl import MlflowTuner
from automl.integrations import tuner_trials
from automl.tracking import store

pytestmark = pytest.mark.filterwarnings("ignore:(currentThread|getName):DeprecationWarning")

SCORES = [0.5, 0.7, 0.6]


@pytest.fixture
def client(home_with_store: Path) -> MlflowClient:
    return store(home_with_store).client()


class Told(MlflowTuner, keras_tuner.RandomSearch):
    pass


class Model(keras_tuner.HyperModel):
    """Trains in a loop of its own, as https://keras.io/guides/keras_tuner/custom_tuner has it."""

    def build(self, hp: Any) -> keras.Model:
        hp.Int("units", 1, 1000)
        return keras.Sequential([keras.layers.Dense(1)])  # without weights until it sees data

    def fit(self, hp: Any, model: Any, *args: Any, callbacks: Any = (), **_: Any) -> dict[str, float]:
        ours = [each for each in callbacks if type(each).__name__ == "TunerCallback"]
        for epoch, score in enumerate(SCORES):
            for callback in ours:
                callback.set_model(model)
                callback.on_epoch_end(epoch, {"val_score": np.float32(score), "by_class": np.zeros(3), "note": "x"})
        return {"val_score": max(SCORES)}


def tuner(folder: Path, kind: type = Told, model: Any = None, **options: Any) -> Any:
    given = {"objective": keras_tuner.Objective("val_score", "max"), "directory": str(folder), "seed": 1}
    return kind(model or Model(), **{**given, "project_name": "mine", "max_trials": 2, **options})


def runs(client: MlflowClient, tuned: Any) -> tuple[Any, dict[str, Any]]:
    parent = client.get_run(tuned.run_id)
    found = client.search_runs([parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{tuned.run_id}'")
    return parent, {run.info.run_name: run for run in found}


def test_a_fit_of_ones_own_is_logged_whatever_it_measures(client: MlflowClient, tmp_path: Path) -> None:
    tuned = tuner(tmp_path)
    # Keras Tuner keeps how a model was built to load it again, which one that saw no data cannot tell.
    tuned._build_and_fit_model = lambda trial, *args, **given: tuned.hypermodel.fit(None, None, *args, **given)
    tuned.search(verbose=0)
    parent, trials = runs(client, tuned)
    assert parent.info.status == "FINISHED"
    assert trials.keys() == {"t001", "t002"}
    for run in trials.values():
        points = client.get_metric_history(run.info.run_id, "val_score")
        assert [point.value for point in points] == pytest.approx(SCORES)
        assert run.data.metrics["best_epoch"] == 2
        assert "by_class" not in run.data.metrics


class TestOwnRunTrial:
    """`run_trial` in a sub-class: the tuner as a black-box optimizer, which Keras Tuner documents there."""

    class Square(Told):
        def run_trial(self, trial: Any, *_: Any, **__: Any) -> float:
            x = trial.hyperparameters.Float("x", -1.0, 1.0)
            return float(x * x)

    def test_its_number_is_the_score(self, client: MlflowClient, tmp_path: Path) -> None:
        tuned = self.Square(max_trials=2, directory=str(tmp_path), seed=1)  # neither a model nor an objective
        tuned.search()
        _, trials = runs(client, tuned)
        for run in trials.values():
            assert run.data.metrics["score"] == pytest.approx(float(run.data.params["x"]) ** 2)
            assert run.data.tags["automl.outcome"] == "completed"

    def test_a_model_that_was_not_saved_is_not_registered_and_the_search_is_kept(
        self, client: MlflowClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        tuned = tuner(tmp_path, self.Square, registered_name="m")
        tuned.search()
        assert runs(client, tuned)[0].info.status == "FINISHED"
        assert "The best model is not registered" in caplog.text

    def test_a_project_that_is_reloaded_shows_its_new_total(self, client: MlflowClient, tmp_path: Path) -> None:
        first = tuner(tmp_path, self.Square)
        first.search()
        second = tuner(tmp_path, self.Square, max_trials=3)
        second.search()
        assert second.run_id == first.run_id
        parent, trials = runs(client, second)
        assert trials.keys() == {"t001", "t002", "t003"}
        assert (parent.data.tags["automl.trials"], parent.data.metrics["trials_done"]) == ("3", 3)
        fresh = tuner(tmp_path, self.Square, overwrite=True)
        fresh.search()
        assert fresh.run_id != first.run_id


class TestOwnLoop:
    class Scores(Told):
        """Its trials are trained elsewhere."""

        def _build_and_fit_model(self, trial: Any, *args: Any, **given: Any) -> Any:
            if self.fails:
                raise ValueError("no such thing")
            return self.hypermodel.fit(None, keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]), **given)

        fails = False

    def test_run_trial_alone_is_a_run(self, client: MlflowClient, tmp_path: Path) -> None:
        tuned = tuner(tmp_path, self.Scores)
        trial = tuned.oracle.create_trial("me")
        assert tuned.run_trial(trial) == [{"val_score": 0.7}]
        for _ in range(2):
            parent, trials = runs(client, tuned)
            run = trials["t001"]
            assert (parent.info.status, run.info.status, run.data.metrics["score"]) == ("FINISHED", "FINISHED", 0.7)
            assert run.data.metrics["parameters"] == 3
            assert [p.step for p in client.get_metric_history(run.info.run_id, "val_score")] == [1, 2, 3]
            # What Keras Tuner has its users do then, and what doubles nothing.
            if trial.status == "RUNNING":
                tuned.oracle.update_trial(trial.trial_id, {"val_score": 0.7})
                trial.status = "COMPLETED"
                tuned.on_trial_end(trial)
        tuned.search(verbose=0)
        parent, trials = runs(client, tuned)
        assert trials.keys() == {"t001", "t002"}
        assert parent.data.metrics["trials_done"] == 2

    def test_one_that_fails_is_a_failed_run(self, client: MlflowClient, tmp_path: Path) -> None:
        tuned = tuner(tmp_path, self.Scores)
        tuned.fails = True
        with pytest.raises(ValueError, match="no such thing"):
            tuned.run_trial(tuned.oracle.create_trial("me"))
        _, trials = runs(client, tuned)
        assert trials["t001"].info.status == "FAILED"
        assert trials["t001"].data.tags["automl.message"] == "ValueError: no such thing"

    def test_a_trial_that_the_oracle_does_not_know_is_run_and_not_logged(self, tmp_path: Path) -> None:
        tuned = tuner(tmp_path, self.Scores)
        trial = keras_tuner.engine.trial.Trial(keras_tuner.HyperParameters(), trial_id="my own")
        assert tuned.run_trial(trial) == [{"val_score": 0.7}]
        assert tuned.run_id is None


class TestData:
    def test_arrays_are_known_by_what_they_hold(self) -> None:
        x, y = np.arange(6.0).reshape(3, 2), np.arange(3)
        first = tuner_trials.dataset(None, "mine", (x, y), {"validation_data": (x, y), "epochs": 3})
        again = tuner_trials.dataset(None, "mine", (), {"y": y.copy(), "x": x.copy(), "validation_data": (x, y)})
        assert first is not None
        assert first == again
        assert first.profile == {"x": [3, 2], "y": [3]}
        other = tuner_trials.dataset(None, "mine", (x, y), {"validation_data": (x, y + 1)})
        assert other is not None
        assert other.digest != first.digest

    def test_what_is_read_as_it_comes_is_not_known(self) -> None:
        assert tuner_trials.dataset(None, "mine", (iter([]),), {}) is None
        assert tuner_trials.dataset(None, "mine", (), {}) is None
        given = SimpleNamespace(shape=(1,))
        assert tuner_trials.dataset(None, "mine", (given, given), {}) is None
