from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from automl import environment, experiment, launch, pretrained
from automl.cli import plan
from automl.errors import ConfigError, SearchError
from automl.experiment import Experiment
from automl.tracking import same_address
from automl.watcher import Watcher


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


NOTE = "10 images hold numbers of 12 bits, brought to the range of bytes"


def test_a_search_says_how_its_data_was_read(deep, tmp_path, monkeypatch):
    def enough(*_: object) -> None:
        raise SearchError("enough")

    monkeypatch.setattr(pretrained, "require", enough)
    monkeypatch.setattr(environment, "become_driver", lambda name: None)
    watcher = Listener()
    with pytest.raises(SearchError, match="enough"):
        launch.start(deep, launch.Options(home=tmp_path / "home"), watcher)
    assert watcher.said == [NOTE]


def test_a_plan_says_it_too(deep, tmp_path, capsys):
    plan._data(deep, tmp_path / "prepared", shape=None, data_root=None)
    assert capsys.readouterr().err == f"{NOTE}\n"
