"""Whole searches, one per algorithm and one on masked series, looked at from MLflow's side."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from searches import Search

from automl import oracles
from automl.data import prepare
from automl.document import yaml_text
from automl.machine.folders import MODEL, trial_folder
from automl.space.domains import Range

pytestmark = pytest.mark.slow

Finished = Callable[[str], Search]


@pytest.fixture(params=["random", "bayesian", "hyperband"])
def search(request: pytest.FixtureRequest, finished: Finished) -> Search:
    return finished(request.param)


@pytest.fixture
def vowels(automl_data: Path, finished: Finished, monkeypatch: pytest.MonkeyPatch) -> Search:
    if not (automl_data / "ucr_uea" / "JapaneseVowels").is_dir():
        pytest.skip(f"no Japanese vowels in {automl_data}")
    monkeypatch.setenv("AUTOML_DATA", str(automl_data))
    return finished("rnn")


def plain(text: str) -> Any:
    """Reads a parameter of MLflow's back."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def check_trials(found: Search) -> None:
    """Every trial of the journal is a child run that tells the same, and there is no other run."""
    runs, history = found.trials, found.history
    assert runs.keys() == history.trials.keys()
    assert len(found.client.search_runs([found.summary.experiment_id])) == len(runs) + 1
    ranked = sorted(
        (trial for trial in history.trials.values() if trial.ended and trial.ended.score is not None),
        # Of equal scores the one with the lesser loss is better.
        key=lambda trial: (-trial.ended.score, trial.ended.metrics["val_loss"], trial.asked.number),
    )
    ranks = {trial.asked.number: rank for rank, trial in enumerate(ranked, start=1)}
    for number, trial in history.trials.items():
        run, ended = runs[number], trial.ended
        assert ended is not None
        assert {key: plain(value) for key, value in run.data.params.items()} == dict(trial.asked.values)
        logged = {key for report in trial.reports for key in report.metrics}
        assert {"loss", "accuracy", "val_loss", "val_accuracy", "val_f1", "val_auc"} <= logged
        for key in logged:
            expected = [(report.epoch, report.metrics[key]) for report in trial.reports]
            assert found.points(run.info.run_id, key) == expected, (number, key)
        own = {"score", "rank", "best_epoch", "epochs", "seconds", "parameters"}
        own |= {f"best/{key}" for key in ended.metrics if key.startswith("val_")}
        assert trial.reports[0].usage["process_memory_megabytes"] > 10
        own |= {f"system/{key}" for report in trial.reports for key in report.usage}
        own |= {f"health/{key}" for report in trial.reports for key in report.health}
        domains = {name: found.read.space.by_name[name].domain for name in trial.asked.values}
        own |= {f"log10/{name}" for name, domain in domains.items() if isinstance(domain, Range) and domain.log}
        own |= found.winner["test"].keys() if number == found.winner["trial"] else set()
        assert run.data.metrics.keys() == logged | own
        assert run.data.metrics["score"] == ended.score == ended.metrics["val_accuracy"]
        assert run.data.metrics["best_epoch"] == ended.best_epoch
        tags = run.data.tags
        assert tags["mlflow.parentRunId"] == found.summary.run_id
        assert tags["automl.trial"] == f"{found.summary.search_id}/t{number:03d}"
        assert tags["automl.outcome"] == ended.outcome
        assert ended.outcome in ("completed", "stopped")
        assert run.data.metrics["rank"] == ranks[number]
        assert run.info.status == "FINISHED"
        assert run.info.run_name.startswith(f"t{number:03d}")
        assert found.text(run.info.run_id, "trial.yaml") == yaml_text.dump(
            found.read.trial(trial.asked.values, trial.asked.seed, history.header.data_digest)
        )


def check_parent(found: Search) -> None:
    run, header = found.parent, found.history.header
    ends = sorted((trial.ended for trial in found.history.trials.values() if trial.ended), key=lambda ended: ended.time)
    best = list(np.maximum.accumulate([ended.score for ended in ends]))
    assert found.points(run.info.run_id, "trials_done") == [(n, n) for n in range(1, len(ends) + 1)]
    assert found.points(run.info.run_id, "best_so_far") == list(enumerate(best, start=1))
    assert run.info.status == "FINISHED"
    assert run.data.tags["automl.search"] == found.summary.search_id
    assert run.data.params["algorithm"] == oracles.registry.name_of(found.read.search.algorithm)
    assert run.data.tags["automl.version.keras"] == header.versions["keras"]
    assert found.text(run.info.run_id, "experiment.yaml").startswith("model:")
    (given,) = run.inputs.dataset_inputs
    assert header.data_digest is not None
    assert given.dataset.digest == header.data_digest[:36]
    assert run.data.tags["automl.data_digest"] == header.data_digest
    assert given.dataset.name == header.document["data"]["name"]
    for name, value in found.winner["test"].items():
        assert found.points(run.info.run_id, name) == [(len(best), value)]


def check_champion(found: Search, x: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """The registered champion is the winner, and predicts on raw input what it predicted in its trial."""
    import mlflow

    name = found.history.header.settings["name"]
    (registered,) = found.client.search_registered_models()
    assert registered.name == name
    assert list(registered.aliases) == ["champion"]
    version = found.client.get_model_version_by_alias(name, "champion")
    assert version.run_id == found.summary.run_id
    monkeypatch.setenv("MLFLOW_TRACKING_URI", found.summary.tracking_uri)
    champion = mlflow.pyfunc.load_model(f"models:/{name}@champion")
    predicted = champion.predict(x, params={"give": "outputs"})
    np.testing.assert_array_equal(predicted, found.model.predict(x, verbose=0))
    np.testing.assert_allclose(predicted.sum(axis=1), 1.0, atol=1e-5)
    by_uri = mlflow.pyfunc.load_model(found.winner["model_uri"])
    np.testing.assert_array_equal(by_uri.predict(x, params={"give": "outputs"}), predicted)
    metadata = champion.metadata.metadata
    answers = champion.predict(x)
    assert answers["prediction"].tolist() == [metadata["classes"][place] for place in predicted.argmax(axis=1)]
    np.testing.assert_array_equal(answers["probability"], predicted.max(axis=1))
    assert metadata["trial"] == found.winner["trial"]
    assert len(metadata["classes"]) == predicted.shape[1]
    assert champion.metadata.signature.inputs.inputs[0].type == np.float32


def check_weights(found: Search, folder: Path, data_root: Path | None = None) -> None:
    """The model kept is that of the best epoch: it scores on val what the trial scored, and on test what was told."""
    assert found.read.data is not None
    spec = prepare.prepare(found.read.data, folder, data_root)
    assert spec.digest == found.history.header.data_digest
    for part, expected in (
        ("val", found.winner["score"]),
        ("test", found.winner["test"]["test_accuracy"]),
    ):
        x, y = np.load(folder / f"{part}_x.npy"), np.load(folder / f"{part}_y.npy")
        predicted = found.model.predict(x.astype(np.float32), verbose=0).argmax(axis=1)
        assert np.mean(predicted == y) == pytest.approx(expected, abs=1e-6), part


def check_files(found: Search) -> None:
    """Of all models the winner's alone is left, and no checkpoint; the data is gone."""
    folder = found.folder
    assert list(folder.rglob("*.keras")) == [trial_folder(folder, found.winner["trial"]) / MODEL]
    assert list(folder.rglob("checkpoint*")) == []
    assert not (folder / "data").exists()


def test_every_trial_is_in_mlflow(search: Search) -> None:
    assert len(search.history.trials) >= 8
    told = dict(search.summary.trials)
    assert told.pop("completed") + told.pop("stopped") == 8
    assert set(told.values()) == {0}
    check_trials(search)
    assert {run.info.run_id for n, run in search.trials.items() if n == search.winner["trial"]} == {
        search.winner["run_id"]
    }


def test_the_parent_run_tells_of_the_search(search: Search) -> None:
    check_parent(search)


def test_the_champion_takes_raw_images(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.datasets import load_digits

    x = load_digits().images[:50, :, :, None].astype(np.float32)
    assert x.max() == 16.0
    check_champion(search, x, monkeypatch)


def test_the_kept_weights_are_those_of_the_best_epoch(search: Search, tmp_path: Path) -> None:
    check_weights(search, tmp_path / "data")
    check_files(search)


def test_a_search_leaves_the_address_of_mlflow_as_it_was(search: Search) -> None:
    """A second search of the same process would go there."""
    assert "MLFLOW_TRACKING_URI" not in os.environ


def test_values_are_of_many_kinds(finished: Finished) -> None:
    """The comparisons above saw text, null, numbers and absent leaves."""
    asked = [trial.asked.values for trial in finished("random").history.trials.values()]
    seen = {type(value) for values in asked for value in values.values()}
    assert seen >= {int, float, str, type(None), bool}
    assert len({frozenset(values) for values in asked}) > 1


def test_hyperband_stops_trials_at_their_rungs(finished: Finished) -> None:
    trials = finished("hyperband").history.trials.values()
    stopped = [trial for trial in trials if trial.ended and trial.ended.outcome == "stopped"]
    assert len(stopped) >= 2
    for trial in trials:
        assert trial.ended is not None
        assert trial.ended.score is not None
        assert trial.ended.epochs in ((*trial.asked.rungs, 4) if trial in stopped else (4,))
    assert len({trial.asked.rungs for trial in trials}) == 2


def test_masked_series(vowels: Search, automl_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_trials(vowels)
    check_parent(vowels)
    check_weights(vowels, tmp_path / "data", automl_data)
    check_files(vowels)
    x = np.load(tmp_path / "data" / "test_x.npy").astype(np.float32)
    assert np.isnan(x[:, -1]).any()
    check_champion(vowels, x, monkeypatch)
