"""Whole searches for numbers and for labels: what the journal, MLflow, the leaderboard and the exported model say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from searches import Said, Search, client_of

import automl
from automl import inputs, tasks
from automl.cli import main
from automl.data import prepare
from automl.driver import launch
from automl.driver.options import Options
from automl.experiment import experiment
from automl.journal.data import data_of
from automl.results import leaderboard

pytestmark = pytest.mark.slow

SMALL = """model:
  - conv: {filters: {min: 2, max: 4}, kernel_size: 3, pool: max}
  - flatten
training:
  epochs: 2
  batch_size: 16
  loss: {one_of: {mse: {}, huber: {}, quantile: {quantile: {min: 0.4, max: 0.6}}}}
  optimizer: {adam: {learning_rate: 0.02}}
  schedule: {reduce_on_plateau: {patience: 1}}
  early_stopping: {patience: 2}
search: {objective: val_medae, algorithm: random}
evaluation: {folds: 2, refit: true}
"""


def toy(folder: Path, task: str, reader: str, *, twice: bool = False) -> Path:
    """Writes an archive and its data document; `twice`: a second target, of another unit."""
    rng = np.random.default_rng(0)
    latent, y = tasks.registry.read(task).toy(rng)
    x = inputs.registry.read(reader).toy(latent, rng)["x"]
    np.savez(folder / "toy.npz", x=x, y=np.stack([y, -1000 * y], axis=1) if twice else y)
    path = folder / "toy.yaml"
    path.write_text(f"source: {{npz: {{file: toy.npz}}}}\ninput: {reader}\ntask: {task}\n")
    return path


def search(home: Path, space: str, data: Path, *options: str, trials: int = 2) -> tuple[Search, list[str]]:
    read = experiment.load(space, str(data), options, {"trials": trials})
    watcher = Said()
    summary = launch.start(read, Options(home=home, inline=True), watcher)
    return Search(home, read, summary, client_of(home)), watcher.lines


def check_records(found: Search, task: str) -> None:
    """The journal, MLflow and the leaderboard tell the same metrics, each of the task's table."""
    metrics = tasks.registry.get(task).metrics
    measured = set(tasks.registry.get(task).measures)
    runs, history = found.trials, found.history
    for number, trial in history.trials.items():
        assert trial.ended is not None
        assert trial.ended.outcome == "completed", trial.ended.message
        assert trial.ended.score == pytest.approx(trial.ended.metrics[found.read.goals.primary.metric])
        for report in trial.reports:
            of_training = {name for name in report.metrics if not name.startswith("val_")} - {"learning_rate"}
            assert of_training == set(metrics) - measured
            assert {f"val_{name}" for name in metrics} <= set(report.metrics)
            assert not report.nonfinite
        for name in metrics:
            expected = [(report.epoch, report.metrics[f"val_{name}"]) for report in trial.reports]
            assert found.points(runs[number].info.run_id, f"val_{name}") == expected
    assert found.winner["test"].keys() == {f"test_{name}" for name in metrics}
    for name, value in found.winner["test"].items():
        assert found.parent.data.metrics[name] == value
    scores = [row[found.read.goals.primary.metric] for row in leaderboard.rows(found.home, found.summary.search_id)]
    assert scores == sorted(scores, reverse=found.read.goals.primary.direction == "max")
    assert scores[0] == found.winner["score"]


def exported(found: Search, folder: Path) -> Any:
    """Returns the model that `automl export` wrote, read as a stranger would."""
    import keras

    result = CliRunner().invoke(main, ["export", "--to", str(folder / "m.keras")], env={"AUTOML_HOME": str(found.home)})
    assert result.exit_code == 0, result.output
    return keras.saving.load_model(folder / "m.keras", safe_mode=True)


def of_test(found: Search, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    assert found.read.data is not None
    spec = prepare.prepare(found.read.data, folder, None, found.read.evaluation)
    assert spec.digest == found.history.header.data_digest
    return np.load(folder / "test_x.npy").astype(np.float32), np.load(folder / "test_y.npy")


def test_numbers_of_series_in_a_shipped_space(new_home: Path, tmp_path: Path) -> None:
    options = ("training.epochs=8", "recurrent.units={min: 8, max: 16}", "search.algorithm=random")
    found, _ = search(new_home, "rnn", toy(tmp_path, "regression", "series"), *options)
    assert (found.read.goals.primary.metric, found.read.goals.primary.direction) == ("val_r2", "max")
    check_records(found, "regression")
    x, y = of_test(found, tmp_path / "prepared")
    given = exported(found, tmp_path).predict(x, verbose=0)
    spec = data_of(found.history.header).task
    answers = tasks.of(spec).answers(given, tasks.of(spec).metadata(spec))[0]["prediction"]
    np.testing.assert_array_equal(answers, given[:, 0])
    # The toy's numbers go from 20 to 60; a model that gave deviations would be some 40 off.
    assert np.abs(answers - y[:, 0]).mean() == pytest.approx(found.winner["test"]["test_mae"], rel=1e-4)
    assert np.median(np.abs(answers - y[:, 0])) == pytest.approx(found.winner["test"]["test_medae"], rel=1e-4)
    assert found.winner["test"]["test_mae"] < 12
    assert "1 target." in found.parent.data.tags["mlflow.note.content"]
    (given_to,) = found.parent.inputs.dataset_inputs
    assert "classes" not in given_to.dataset.profile


def test_numbers_of_images_by_the_median_with_folds(
    new_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    (tmp_path / "small.yaml").write_text(SMALL)
    data = toy(tmp_path, "regression", "image", twice=True)
    found, said = search(new_home, str(tmp_path / "small.yaml"), data, trials=3)
    assert found.read.goals.primary.direction == "min"
    check_records(found, "regression")
    assert all(len(trial.ended.scores) == 2 for trial in found.history.trials.values() if trial.ended)
    assert not [line for line in said if "could not" in line]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", found.summary.tracking_uri)
    model = mlflow.pyfunc.load_model(found.winner["model_uri"])
    assert model.metadata.metadata["targets"] == ["0", "1"]
    assert "classes" not in model.metadata.metadata
    x, y = of_test(found, tmp_path / "prepared")
    given = model.predict(x, params={"give": "outputs"})
    np.testing.assert_array_equal(model.predict(x)[["0", "1"]].to_numpy(), given)
    np.testing.assert_array_equal(given, exported(found, tmp_path).predict(x, verbose=0))
    assert np.median(np.abs(given - y)) == pytest.approx(found.winner["test"]["test_medae"], rel=1e-4)
    assert "2 targets (0, 1)." in found.parent.data.tags["mlflow.note.content"]


def test_labels_of_images_in_a_shipped_space(new_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    options = ("training.epochs=8", "search.algorithm=random")
    found, _ = search(new_home, "cnn", toy(tmp_path, "multi_label", "image"), *options)
    assert (found.read.goals.primary.metric, found.read.goals.primary.direction) == ("val_f1", "max")
    check_records(found, "multi_label")
    x, y = of_test(found, tmp_path / "prepared")
    spec = data_of(found.history.header).task
    outputs = exported(found, tmp_path).predict(x, verbose=0)
    answers = tasks.of(spec).answers(outputs, tasks.of(spec).metadata(spec))[0]["prediction"]
    names = np.array(spec.state["classes"])
    assert names.tolist() == ["high", "low", "middle"]
    right = [
        set(filter(None, answer.split("|"))) == set(names[row == 1]) for answer, row in zip(answers, y, strict=True)
    ]
    assert np.mean(right) == pytest.approx(found.winner["test"]["test_subset_accuracy"], abs=1e-6)
    assert found.winner["test"]["test_accuracy"] > 0.6
    monkeypatch.setenv("MLFLOW_TRACKING_URI", found.summary.tracking_uri)
    metadata = mlflow.pyfunc.load_model(found.winner["model_uri"]).metadata.metadata
    assert (metadata["classes"], metadata["threshold"]) == (names.tolist(), 0.5)
    assert "3 labels." in found.parent.data.tags["mlflow.note.content"]


@pytest.mark.filterwarnings("ignore:(currentThread|getName):DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer")
def test_a_tuner_of_the_users_own_follows_the_median(tmp_path: Path) -> None:
    import keras_tuner

    (tmp_path / "small.yaml").write_text(SMALL.partition("search:")[0] + "search: {objective: val_medae}\n")
    space = automl.load_space(str(tmp_path / "small.yaml"), str(toy(tmp_path, "regression", "image")))
    objective = keras_tuner.Objective("val_medae", "min")
    tuner = keras_tuner.RandomSearch(space.hypermodel(), objective, 1, directory=tmp_path / "tuner", seed=1)
    tuner.search(epochs=2, verbose=0)
    (trial,) = tuner.oracle.trials.values()
    assert trial.score == pytest.approx(min(each.value[0] for each in trial.metrics.get_history("val_medae")))
    x, y = np.zeros((8, 9, 9, 1), np.float32), np.zeros((8, 1), np.float32)
    with pytest.raises(keras_tuner.errors.FatalValueError, match="measured on the space's own data only"):
        tuner.hypermodel.fit(trial.hyperparameters, tuner.hypermodel.build(trial.hyperparameters), x, y)
