from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from automl.cli import plan
from automl.data import prepare
from automl.data.section import DataDocument
from automl.driver import launch
from automl.driver.finish import Summary
from automl.driver.options import Options
from automl.driver.progress import Watcher
from automl.errors import ConfigError, DataError, SearchError
from automl.experiment import experiment
from automl.experiment.experiment import Experiment
from automl.journal import Asked, Ended, Finished, Header, Journal
from automl.machine import folders, keras_backend
from automl.model import pretrained
from automl.tracking import same_address


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


GROUPS = "counts the examples of groups and splits none between folds"
FOLDS = "validates each fold on `limit.val` examples at most"
KEPT = "its data stays cut as it was; a new search "

GROUPED = "85a00098106bf24e9a47c1b11ca7bed394a325d0b1db3cb19c5f1d37c44685e5"
NUMBERS = "30141e64f8ed34782a862b87dc001821d97ac9021286500249dcd8c143e964b7"
ZEROS = "c066352e4793c6106519ce72a4acec2e3581c977937ac9269723c615ad3f3566"
WORDS = "dc8118ffeb6d0cd2e6014a69886c3005f5bd12499d51ea5a4ffe14fe002f6d8e"
LIMITED = "58ba240af306afd335040082920d8fe1ec7196e6eb8a9ba4f19e49af97b597da"
WALKED = "22661311a2ade3f612c88e404e2110e367517be6ecb60c09faa4648948c0025d"

# What the first version wrote into its journals: the labels of rows that take turns, and the digest.
FIRST = {
    "groups": ("ab", {"group": "patient"}, {}, GROUPED, GROUPS),
    "numbers": (("0.0", "1.0"), {}, {}, NUMBERS, None),
    "one class written in two ways": (("0", "1.0", "0.0", "1"), {}, {}, NUMBERS, None),
    "leading zeros": (("01", "02"), {}, {}, ZEROS, None),
    "words": ("ab", {}, {}, WORDS, None),
    "a limit of folds": ("ab", {}, {"folds": 3}, LIMITED, FOLDS),
    "time": ("ab", {}, {"folds": 3, "strategy": "walk_forward"}, WALKED, f"tests the end of the time line; it {FOLDS}"),
}


@pytest.fixture
def resumed(tmp_path, monkeypatch):
    """Goes on with a search on a table as a journal tells of it; returns what was prepared, and what was said."""
    machine = SimpleNamespace(backend="tensorflow", cluster=None)
    monkeypatch.setattr(launch, "same_machine", lambda *_: machine)
    monkeypatch.setattr(launch.keras_backend, "become_driver", lambda _: None)
    monkeypatch.setattr(launch, "_drive", lambda _, prepared, *__: prepared)

    def resume(digest: str, data: dict[str, object], evaluation: dict[str, object], kept: dict[str, object]):
        settings = {"space": "s", "name": "s-t", "tracking_uri": "sqlite:///x", "data_root": None, **kept}
        document = {"model": ["flatten"], "data": data, "evaluation": evaluation}
        header = Header("s", 1, document, digest, (), 0, 1, "tensorflow", {}, "here", settings)
        Journal.create(tmp_path / "searches" / "s", header).close()
        said = Listener()
        return launch.resume("s", Options(home=tmp_path), said), said.said

    return resume


def table(folder: Path, kinds: Sequence[str], **source: str) -> dict[str, object]:
    """Writes a table of 90 rows; returns the data document."""
    rows = [f"{row},{row % 7},p{row // 5},{kinds[row % len(kinds)]}" for row in range(90)]
    (folder / "t.csv").write_text("\n".join(["a,b,patient,kind", *rows]))
    csv = {"file": str(folder / "t.csv"), "target": "kind", "columns": ["a", "b"], "shape": [2, 1], **source}
    return {"name": "t", "source": {"csv": csv}, "input": "series", "task": "classification", "limit": {"val": 15}}


@pytest.mark.parametrize("case", FIRST)
def test_a_resume_reads_and_cuts_the_data_as_the_version_that_began_the_search(case, tmp_path, resumed):
    labels, source, evaluation, digest, otherwise = FIRST[case]
    data, said = resumed(digest, table(tmp_path, labels, **source), evaluation, {})
    assert (data.digest, data.version) == (digest, 1)
    assert said == ([] if otherwise is None else [KEPT + otherwise])


def test_a_resume_of_what_was_read_as_today_says_nothing(tmp_path, resumed):
    declared = table(tmp_path, "ab", group="patient")
    new = prepare.prepare(DataDocument.model_validate(declared), tmp_path / "d")
    assert new.digest != GROUPED
    data, said = resumed(new.digest, declared, {}, {"data": {"version": 2}})
    assert (data.digest, said) == (new.digest, [])


@pytest.mark.parametrize("source", [{}, {"labels": "number"}])
@pytest.mark.parametrize(
    ("kept", "said"),
    [
        ({}, r"was, or this version of automl reads it otherwise \(labels, .*, go on with the version of automl that"),
        ({"data": {"version": 2}}, r"was\. Expected SHA-256 0.* or remove `digest`"),
    ],
)
def test_data_that_no_version_reads_so_is_refused_for_what_may_be_why(source, kept, said, tmp_path, resumed):
    with pytest.raises(DataError, match=f"the data is not what it {said}"):
        resumed("0" * 64, table(tmp_path, "01", **source), {}, kept)


def test_labels_that_are_declared_are_read_so_alone(tmp_path, resumed):
    with pytest.raises(DataError, match="the data is not what it was"):
        resumed(NUMBERS, table(tmp_path, ("0.0", "1.0"), labels="text"), {}, {})


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
    monkeypatch.setattr(keras_backend, "become_driver", lambda name: None)
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
    with Journal.create(folders.search_folder(tmp_path, "s"), header) as journal:
        for number, outcome in enumerate(("completed", "infeasible", "infeasible", "error"), start=1):
            journal.append(Asked(number, {}, 0, 2))
            journal.append(Ended(number, 1, outcome, 3))  # type: ignore[arg-type]
        journal.append(Finished("completed", "all 2 trials are done", 4, result=result))
    monkeypatch.setattr(keras_backend, "become_driver", lambda _: None)
    monkeypatch.setattr(prepare, "prepare", lambda *_, **__: SimpleNamespace(notes=()))
    monkeypatch.setattr(launch, "_drive", lambda read, *_: read.search.trials)
    found = launch.resume("s", Options(home=tmp_path), Watcher(), trials)
    assert found == (trials if goes_on else Summary(**result))
