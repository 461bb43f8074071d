"""A search space under Keras Tuner's own tuners."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest
from searches import client_of, parent_run, trial_runs
from spaces import QUICK

import automl
from automl.document import yaml_text
from automl.errors import ConfigError
from automl.tracking import value_text

# Keras Tuner's own.
pytestmark = [
    pytest.mark.filterwarnings("ignore:(currentThread|getName):DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer"),
]

SPACE = yaml_text.parse(QUICK, "space.yaml").data


def tuner(model: Any, folder: Path, kind: type = keras_tuner.RandomSearch, **options: Any) -> Any:
    options = {"objective": "val_accuracy", "seed": 1, "directory": folder} | options
    return kind(model, **options)


@pytest.fixture(scope="module")
def model() -> Any:
    return automl.load_space(SPACE).hypermodel()


def document_of(model_: list[Any], **training: Any) -> dict[str, Any]:
    return {**SPACE, "model": model_, "training": {"epochs": 1, "batch_size": 256, **training}}


def test_it_is_measured_as_the_document_says(tmp_path: Path) -> None:
    """By a fold where there are folds, in the declared precision, and with the declared task."""
    written = document_of(["flatten"], precision="mixed_bfloat16") | {"evaluation": {"folds": 4}}
    declared = {"data.task": {"classification": {"class_weights": "balanced"}}}
    found = automl.load_space(written, settings=declared).hypermodel()
    assert found.data.fold == 3
    network = found.build(keras_tuner.HyperParameters())
    assert {layer.compute_dtype for layer in network.layers[1:-1]} == {"bfloat16"}
    assert network.layers[-1].compute_dtype == "float32"
    assert found.data.task.declared == {"classification": {"class_weights": "balanced"}}
    walks = written | {"evaluation": {"folds": 4, "strategy": "walk_forward"}}
    ordered = automl.load_space(walks).hypermodel().data
    folds = np.load(Path(ordered.folder) / "folds.npy")
    assert (np.diff(folds) >= 0).all()


@pytest.mark.slow
class TestSearch:
    def test_it_trains_on_the_data_of_the_space(self, model: Any, tmp_path: Path) -> None:
        search = tuner(model, tmp_path, max_trials=2)
        search.search(verbose=0)
        assert len(search.oracle.trials) == 2
        (best,) = search.get_best_hyperparameters(1)
        assert model.document(best)["model"][0]["conv"]["filters"] == model.values(best)["conv.filters"]
        assert search.get_best_models(1)[0].predict(np.zeros((3, 8, 8, 1)), verbose=0).shape == (3, 10)

    def test_what_it_found_is_a_document_that_runs(self, model: Any, tmp_path: Path) -> None:
        hyperparameters = keras_tuner.HyperParameters()
        model.build(hyperparameters)
        again = automl.load_space(model.document(hyperparameters))
        assert again.params == []

    def test_it_trains_on_arrays_of_the_users_own(self, model: Any, tmp_path: Path) -> None:
        rng = np.random.default_rng(0)
        x, y = rng.random((64, 8, 8, 1), np.float32), np.arange(64) % 10
        search = tuner(model, tmp_path, max_trials=1)
        search.search(x, y, validation_data=(x, y), epochs=3, verbose=0)
        assert search.oracle.get_trial("0").best_step < 3

    def test_hyperband_trains_a_trial_on(self, model: Any, tmp_path: Path) -> None:
        search = tuner(model, tmp_path, keras_tuner.Hyperband, max_epochs=3, factor=3)
        search.search(verbose=0)
        assert all(trial.status == "COMPLETED" for trial in search.oracle.trials.values())

    def test_every_trial_is_in_mlflow(self, model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)

        class Tuner(automl.MlflowTuner, keras_tuner.RandomSearch):
            pass

        search = tuner(model, tmp_path, Tuner, max_trials=1)
        search.search(verbose=0)
        assert search.run_id


class TestMlflow:
    def test_its_runs_show_plain_values_and_a_document(self, home_with_store: Path, tmp_path: Path) -> None:
        conv = {"filters": {"values": [2, 4]}, "kernel_size": {"values": [3, [1, 3]]}}
        space = document_of([{"conv": conv}], clipnorm={"values": [None, 1.0]})
        model = automl.load_space(space).hypermodel()

        class Tuner(automl.MlflowTuner, keras_tuner.Hyperband):
            def run_trial(self, trial: Any, *_: Any, **__: Any) -> float:
                return float(trial.trial_id)

        search = tuner(model, tmp_path, Tuner, max_epochs=2, factor=2)
        search.search(verbose=0)
        client = client_of(home_with_store)
        search_id = client.get_run(search.run_id).data.tags["automl.search"]
        parent, runs = parent_run(client, search_id), trial_runs(client, search_id)
        for number, run in runs.items():
            hyperparameters = search.oracle.get_trial(f"{number - 1:04d}").hyperparameters
            values = model.values(hyperparameters)
            told = {name: run.data.params[name] for name in model.read.space.by_name}
            assert told == {name: value_text(value) for name, value in values.items()}
            assert run.data.params["tuner/epochs"] == str(hyperparameters.values["tuner/epochs"])
            written = yaml_text.read(Path(client.download_artifacts(run.info.run_id, "trial.yaml"))).data
            assert written == model.document(hyperparameters)
        assert {run.data.params["training.clipnorm"] for run in runs.values()} == {"null", "1.0"}
        assert parent.data.tags["automl.data_digest"] == model.data.digest


class TestBuild:
    def test_the_space_is_known_before_a_trial(self, model: Any) -> None:
        hyperparameters = keras_tuner.HyperParameters()
        network = model.build(hyperparameters)
        assert isinstance(network, keras.Model)
        assert network.optimizer is not None
        assert {each.name for each in hyperparameters.space} == set(automl.load_space(SPACE).params)

    def test_a_point_that_breaks_a_constraint_is_a_failed_trial(self) -> None:
        space = {**SPACE, "search": {"constraints": ["conv.filters < 0"]}}
        with pytest.raises(keras_tuner.errors.FailedTrialError, match="constraint"):
            automl.load_space(space).hypermodel().build(keras_tuner.HyperParameters())

    def test_layers_that_do_not_fit_are_a_failed_trial(self) -> None:
        space = document_of([{"conv": {"kernel_size": 9, "padding": "valid"}}])
        with pytest.raises(keras_tuner.errors.FailedTrialError, match="kernel"):
            automl.load_space(space).hypermodel().build(keras_tuner.HyperParameters())


class TestFit:
    def test_phases_follow_each_other_in_one_history(self) -> None:
        phases = [{"epochs": 2, "learning_rate": 1e-2}, {"epochs": 1, "factor": 0.1}]
        space = document_of([{"dense": {"units": 8}}])
        space["training"] = {"batch_size": 256, "phases": phases}
        hyper, values = automl.load_space(space).hypermodel(), keras_tuner.HyperParameters()
        network = hyper.build(values)
        history = hyper.fit(values, network, verbose=0)
        assert (history.epoch, len(history.history["val_loss"])) == ([0, 1, 2], 3)
        assert float(network.optimizer.learning_rate) == pytest.approx(1e-3)

    def test_mixing_needs_the_data_of_the_space(self) -> None:
        space = document_of([{"dense": {"units": 8}}], augmentation={"mixup": 0.2})
        hyper, values = automl.load_space(space).hypermodel(), keras_tuner.HyperParameters()
        network = hyper.build(values)
        x, y = np.zeros((8, 8, 8, 1)), np.arange(8)
        with pytest.raises(keras_tuner.errors.FatalValueError, match="mixup"):
            hyper.fit(values, network, x, y)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({key: value for key, value in SPACE.items() if key != "data"}, "a model needs data"),
        ({**SPACE, "model": [{"conf": {}}]}, "space.yaml"),
    ],
)
def test_what_is_wrong_is_told_at_once(space: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as told:
        automl.load_space(space).hypermodel()
    assert "/tmp" not in str(told.value)
