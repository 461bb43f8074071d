from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from automl import dataset, environment, experiment, launch, pretrained
from automl.cli import plan
from automl.errors import ConfigError, DataError, SearchError
from automl.experiment import Experiment
from automl.journal import Asked, Ended, Finished, Header, Journal
from automl.options import Options
from automl.tracking import same_address
from automl.watcher import Watcher
from automl.winner import Summary


def test_a_resume_finds_the_store_the_search_was_begun_with(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert same_address("sqlite:////home/me/mlruns/mlflow.db") == "sqlite:////home/me/mlruns/mlflow.db"


def test_a_password_is_not_kept_and_asked_for_again(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(ConfigError, match=r"--tracking-uri: the address .* held a password, which is not kept"):
        same_address("postgresql://***@host/db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql://me:secret@host/db")
    assert same_address("postgresql://***@host/db") is None


class Listener(Watcher):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


def test_a_resume_cuts_the_data_as_the_version_that_began_the_search(tmp_path, monkeypatch):
    rows = [f"{row},{row % 7},p{row // 5},{'ab'[row % 2]}" for row in range(90)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,patient,kind", *rows]))
    csv = {"file": str(tmp_path / "t.csv"), "target": "kind", "group": "patient", "shape": [2, 1]}
    data = {"name": "t", "source": {"csv": csv}, "input": "series", "task": "classification"}
    read = dataset.DataDocument.model_validate(data)
    old, new = (dataset.prepare(read, tmp_path / "d", None, None, version) for version in (1, 2))
    assert old.digest != new.digest
    machine = SimpleNamespace(backend="tensorflow", cluster=None)
    monkeypatch.setattr(launch.environment, "same_machine", lambda *_: machine)
    monkeypatch.setattr(launch.environment, "become_driver", lambda _: None)
    monkeypatch.setattr(launch, "_drive", lambda _, prepared, *__: prepared)
    document = {"model": ["flatten"], "data": data}
    for name, spec, kept in (("old", old, {}), ("new", new, {"data": {"version": 2}}), ("odd", new, {})):
        settings = {"space": "s", "name": "s-t", "tracking_uri": "sqlite:///x", "data_root": None, **kept}
        header = Header(name, 1, document, spec.digest, (), 0, 1, "tensorflow", {}, "here", settings)
        Journal.create(tmp_path / "searches" / name, header).close()
    said, options = Listener(), Options(home=tmp_path)
    assert replace(launch.resume("old", options, said), folder="") == replace(old, folder="")
    assert len(said.said) == 1
    assert "stays cut as it was" in said.said[0]
    assert launch.resume("new", options, said).digest == new.digest
    assert len(said.said) == 1
    with pytest.raises(DataError, match="the data is not what it was"):
        launch.resume("odd", options, said)


@pytest.fixture
def deep(tmp_path) -> Experiment:
    """An experiment on pictures of 12 bits."""
    for name in ("a", "b"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(5):
            pixels = np.random.default_rng(number).integers(0, 4096, (28, 28)).astype(np.uint16)
            Image.fromarray(pixels).save(tmp_path / "set" / name / f"{number}.png")
    (tmp_path / "d.yaml").write_text("source: {image_folder: {folder: set}}\ninput: image\ntask: classification\n")
    return experiment.load("lenet", str(tmp_path / "d.yaml"))


NOTE = "10 images hold numbers of 12 bits, divided by 16 for the range of bytes"


def test_a_search_says_how_its_data_was_read(deep, tmp_path, monkeypatch):
    def enough(*_: object) -> None:
        raise SearchError("enough")

    monkeypatch.setattr(pretrained, "require", enough)
    monkeypatch.setattr(environment, "become_driver", lambda name: None)
    watcher = Listener()
    with pytest.raises(SearchError, match="enough"):
        launch.start(deep, Options(home=tmp_path / "home"), watcher)
    assert watcher.said == [NOTE]


def test_a_plan_says_it_too(deep, tmp_path, capsys):
    plan._data(deep, tmp_path / "prepared", shape=None, data_root=None)
    assert capsys.readouterr().err == f"{NOTE}\n"


@pytest.mark.parametrize(("trials", "goes_on"), [(None, False), (1, False), (2, False), (3, True), (4, True)])
def test_trials_that_could_not_be_built_take_no_place_of_a_new_total(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trials: int | None, goes_on: bool
) -> None:
    """Four were made, two of them count: a total of three is one more, of two the result that there is."""
    settings = {"space": "space", "tracking_uri": "sqlite:///none.db", "data_root": None, "workers": 1}
    data = {"name": "toy", "source": {"sklearn": {"name": "digits"}}, "input": "image", "task": "classification"}
    content = {"model": ["flatten"], "search": {"trials": 2}, "data": data}
    header = Header("s", 1, content, "0", (), 0, 1, "tensorflow", {}, "here", settings)
    result = {"search_id": "s", "status": "completed", "reason": "all 2 trials are done", "trials": {}, "best": None}
    result |= {"wall_s": 1.0, "tracking_uri": "", "experiment_id": None, "run_id": None}
    with Journal.create(environment.search_folder(tmp_path, "s"), header) as journal:
        for number, outcome in enumerate(("completed", "infeasible", "infeasible", "error"), start=1):
            journal.append(Asked(number, {}, 0, 2))
            journal.append(Ended(number, 1, outcome, 3))  # type: ignore[arg-type]
        journal.append(Finished("completed", "all 2 trials are done", 4, result=result))
    monkeypatch.setattr(environment, "become_driver", lambda _: None)
    monkeypatch.setattr(dataset, "prepare", lambda *_: None)
    monkeypatch.setattr(launch, "_drive", lambda read, *_: read.search.trials)
    found = launch.resume("s", Options(home=tmp_path), Watcher(), trials)
    assert found == (trials if goes_on else Summary(**result))
