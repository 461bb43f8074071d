"""Names that MLflow would refuse at the end of a search are refused before it begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import automl
from automl.driver import launch
from automl.driver.options import Options
from automl.driver.progress import Watcher
from automl.errors import ConfigError
from automl.tracking import Tracker, names, store

SPACE = {
    "model": [{"dense": {"units": {"values": [2, 4]}}}],
    "data": {"name": "few", "source": {"sklearn": {"name": "digits"}}, "input": "image", "task": "classification"},
}
UNFIT = [
    ("", "is empty"),
    (" ", "is empty"),
    ("two\nlines", "a control character, such as a line break"),
    ("two\u2028lines", "a line break"),
    ("tab\t", "a control character"),
    ("\x1b[31mred", "a control character"),
    ("half \ud800", "is not Unicode text"),
    ("x" * 251, "has 251 characters"),
    ("x" * 5000, "has 5000 characters"),
    ("..", "takes the name for a path"),
    (".", "takes the name for a path"),
]


def of_data(name: str) -> dict[str, Any]:
    return {**SPACE, "data": {**SPACE["data"], "name": name}}  # type: ignore[dict-item]


@pytest.mark.parametrize(("name", "why"), UNFIT)
def test_what_is_wrong_with_a_name_is_said(name: str, why: str) -> None:
    assert why in str(names.fault(name))


def test_a_name_that_is_taken_is_kept_by_mlflow(home_with_store: Path) -> None:
    name = "größe 50% 'a' \"b\"; 🙂 /:?#".ljust(names.LONGEST, "x")
    assert names.fault(name) is None
    tracker = Tracker(store(home_with_store), name, "20261123-010203-abcd")
    run_id = tracker.start(name=name, params={}, tags={}, experiment_yaml="", dataset=None, time_ms=1)
    assert run_id
    client = tracker.store.client()
    assert client.get_run(run_id).info.run_name == name
    assert client.get_experiment(tracker.experiment_id).name == name


def test_a_home_whose_models_mlflow_would_not_find_is_refused(tmp_path: Path) -> None:
    read = automl.load_space(SPACE).read
    with pytest.raises(ConfigError, match=r"it reads %20 as a character\. Rename the folder"):
        launch.start(read, Options(home=tmp_path / "my%20runs"), Watcher())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", ["experiment", "name"])
def test_an_option_is_refused_before_anything_is_made(option: str, home: Path) -> None:
    read = automl.load_space(SPACE).read
    with pytest.raises(ConfigError, match=f"^--{option}: the name holds .*line break. Expected a line of at most 250"):
        launch.start(read, Options(home=home, **{option: "two\nlines"}), Watcher())
    assert not home.exists()


def test_a_name_in_a_document_is_refused_too(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = automl.load_space(of_data("two\nlines")).read
    with pytest.raises(ConfigError) as told:
        launch.start(read, Options(home=home), Watcher())
    assert [problem.where for problem in told.value.problems] == ["data.name", "the name SPACE-DATA"]
    with pytest.raises(ConfigError) as told:
        launch.start(read, Options(home=home, experiment="mine", name="mine\ud800"), Watcher())
    assert [problem.where for problem in told.value.problems] == ["--name"]
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "x" * 300)
    with pytest.raises(ConfigError, match=r"^MLFLOW_EXPERIMENT_NAME: the name has 300 characters"):
        launch.start(read, Options(home=home, name="mine"), Watcher())
    assert not home.exists()


def test_the_experiment_is_named_by_mlflows_own_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert names.of_search("cnn", "digits", None, None) == ("digits", "cnn-digits")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "team")
    assert names.of_search("cnn", "digits", None, None) == ("team", "cnn-digits")
    assert names.of_search("cnn", "digits", "mine", "best") == ("mine", "best")


@pytest.mark.parametrize("text", ["half \ud800", "nothing\0"])
def test_what_no_program_can_be_given_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^search\(name=...\): the text cannot be handed to a program"):
        automl.search("cnn", "digits", name=text)
    with pytest.raises(ConfigError, match=r"^search: the text cannot be handed to a program"):
        automl.search(text)


def test_a_document_that_cannot_be_written_is_refused(home: Path) -> None:
    with pytest.raises(ConfigError, match=r"^space\.yaml:7:3: the text is not Unicode"):
        automl.load_space(of_data("half \ud800"))
    with pytest.raises(ConfigError, match=r"^--set data.name=.*: the text is not Unicode"):
        automl.load_space(SPACE, settings={"data.name": "half \ud800"})
    assert not home.exists()


class TestTuner:
    @pytest.mark.parametrize("option", ["experiment", "registered_name", "project_name"])
    def test_its_names_are_checked_when_it_is_made(self, option: str, tmp_path: Path) -> None:
        import keras_tuner

        class Told(automl.MlflowTuner, keras_tuner.RandomSearch):
            pass

        given = {"max_trials": 1, "directory": str(tmp_path), option: "two\nlines"}
        with pytest.raises(ConfigError, match=f"^{option}: the name holds"):
            Told(None, **given)
