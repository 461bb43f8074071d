"""A search of Keras Tuner's own, as its guide writes it, in MLflow."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest
from searches import REPO, client_of, parent_run, trial_runs

from automl import MlflowTuner

pytestmark = [
    pytest.mark.slow,
    # Keras Tuner 1.4.8 itself: it loads weights into a model whose optimizer is not built.
    pytest.mark.filterwarnings("ignore:(currentThread|getName):DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer"),
]


# As Keras Tuner's guide has it: https://keras.io/keras_tuner/getting_started
build_model = runpy.run_path(str(REPO / "docs" / "keras_tuner_in_mlflow.py"))["build_model"]


class RandomSearch(MlflowTuner, keras_tuner.RandomSearch):
    pass


class Hyperband(MlflowTuner, keras_tuner.Hyperband):
    pass


@pytest.fixture
def data() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    x, y = rng.random((60, 8, 8)), keras.utils.to_categorical(rng.integers(0, 10, 60), 10)
    return {"x": x[:40], "y": y[:40], "validation_data": (x[40:], y[40:]), "verbose": 0}


def tuner(folder: Path, kind: type = RandomSearch, model: Any = build_model, **options: Any) -> Any:
    given = {"objective": "val_accuracy", "directory": str(folder / "my_dir"), "project_name": "helloworld", "seed": 1}
    return kind(model, **{**given, **options})


def family(tuned: Any, home: Path) -> tuple[Any, dict[int, Any]]:
    client = client_of(home)
    search_id = client.get_run(tuned.run_id).data.tags["automl.search"]
    return parent_run(client, search_id), trial_runs(client, search_id)


def test_every_trial_is_a_run_with_a_point_an_epoch(home: Path, tmp_path: Path, data: dict[str, Any]) -> None:
    tuned = tuner(tmp_path, max_trials=3, executions_per_trial=2, overwrite=True, registered_name="hello")
    tuned.search(epochs=2, **data)
    parent, runs = family(tuned, home)
    assert parent.info.status == "FINISHED"
    assert parent.data.params["algorithm"] == "RandomSearchOracle"
    assert runs.keys() == {1, 2, 3}
    client = client_of(home)
    for number, run in runs.items():
        trial = tuned.oracle.get_trial(f"{number - 1}")
        assert run.data.params == {key: str(value) for key, value in trial.hyperparameters.values.items()} | {
            "dropout": str(trial.hyperparameters.get("dropout")).lower()
        }
        assert run.data.metrics["score"] == pytest.approx(trial.score)
        assert run.data.tags["automl.outcome"] == "completed"
        assert run.info.status == "FINISHED"
        points = client.get_metric_history(run.info.run_id, "val_accuracy")
        assert [point.step for point in points] == [1, 2, 3, 4]
        best = [np.max([point.value for point in points[start : start + 2]]) for start in (0, 2)]
        assert np.mean(best) == pytest.approx(trial.score)
    assert sorted(run.data.metrics["rank"] for run in runs.values()) == [1, 2, 3]
    assert parent.data.metrics["trials_done"] == 3
    assert client.get_model_version_by_alias("hello", "champion").run_id == tuned.run_id


def test_a_search_that_is_reloaded_goes_on_in_its_run(home: Path, tmp_path: Path, data: dict[str, Any]) -> None:
    first = tuner(tmp_path, max_trials=2)
    first.search(epochs=1, **data)
    _, before = family(first, home)
    second = tuner(tmp_path, max_trials=3)
    second.search(epochs=1, **data)
    parent, after = family(second, home)
    assert second.run_id == first.run_id
    assert after.keys() == {1, 2, 3}
    for number in (1, 2):
        assert after[number].info.end_time == before[number].info.end_time
        for metrics in (after[number].data.metrics, before[number].data.metrics):
            assert metrics.pop("rank") in (1, 2, 3)  # the third may be better than they are
        assert after[number].data.metrics == before[number].data.metrics
    assert parent.data.tags["automl.changed.trials"] == "3"
    other = tuner(tmp_path, max_trials=1, overwrite=True)
    other.search(epochs=1, **data)
    assert other.run_id != first.run_id


def test_a_trial_that_fails_is_a_failed_run(home: Path, tmp_path: Path, data: dict[str, Any]) -> None:
    def sometimes(hp: Any) -> keras.Model:
        if hp.Int("place", 0, 9) > 4:
            raise ValueError("no such place")
        return build_model(hp)

    tuned = tuner(tmp_path, model=sometimes, max_trials=4, max_consecutive_failed_trials=9, max_retries_per_trial=1)
    tuned.search(epochs=1, **data)
    _, runs = family(tuned, home)
    assert runs.keys() == {1, 2, 3, 4}
    failed = {number for number, run in runs.items() if int(run.data.params["place"]) > 4}
    assert failed
    assert failed != runs.keys()
    for number, run in runs.items():
        bad = number in failed
        assert run.info.status == ("FAILED" if bad else "FINISHED")
        assert run.data.tags["automl.outcome"] == ("error" if bad else "completed")
        assert run.data.tags["automl.attempt"] == ("2" if bad else "1")
        assert ("rank" in run.data.metrics) is not bad
        if bad:
            assert run.data.tags["automl.message"] == "ValueError: no such place"


def test_hyperbands_trials_go_on_from_others(home: Path, tmp_path: Path, data: dict[str, Any]) -> None:
    tuned = tuner(tmp_path, Hyperband, max_epochs=3, factor=3)
    tuned.search(**data)
    _, runs = family(tuned, home)
    assert len(runs) == len(tuned.oracle.trials)
    client = client_of(home)
    for number, run in runs.items():
        values = tuned.oracle.get_trial(f"{number - 1:04d}").hyperparameters.values
        points = client.get_metric_history(run.info.run_id, "val_accuracy")
        assert len(points) == values["tuner/epochs"] - values["tuner/initial_epoch"]
    # With the weights that the other had at its best epoch, as Keras Tuner documents it.
    later = next(each for each in tuned.oracle.trials.values() if "tuner/trial_id" in each.hyperparameters.values)
    earlier = tuned.oracle.get_trial(later.hyperparameters.values["tuner/trial_id"])
    begun, kept = tuned._try_build(later.hyperparameters), tuned.load_model(earlier)
    for weights, expected in zip(begun.get_weights(), kept.get_weights(), strict=True):
        np.testing.assert_array_equal(weights, expected)


def test_an_interrupted_search_is_told_as_killed(home: Path, tmp_path: Path, data: dict[str, Any]) -> None:
    class Impatient(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if epoch == 1:
                raise KeyboardInterrupt

    tuned = tuner(tmp_path, max_trials=2)
    with pytest.raises(KeyboardInterrupt):
        tuned.search(epochs=3, callbacks=[Impatient()], **data)
    parent, runs = family(tuned, home)
    assert {parent.info.status, runs[1].info.status} == {"KILLED"}
    again = tuner(tmp_path, max_trials=2)
    again.search(epochs=3, **data)
    parent, runs = family(again, home)
    assert parent.info.status == "FINISHED"
    assert runs.keys() == {1, 2}
    points = client_of(home).get_metric_history(runs[1].info.run_id, "val_accuracy")
    assert [point.step for point in points] == [1, 2, 3]
