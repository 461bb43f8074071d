"""The mirror in MLflow, lost and told again from the journal."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import INVALID_PARAMETER_VALUE, MlflowException
from searches import Search, client_of, make, mirrored, program
from spaces import QUICK

from automl.driver import launch
from automl.driver.launch import Interrupted
from automl.driver.options import Options
from automl.driver.progress import Watcher
from automl.driver.sync import sync
from automl.errors import SearchError
from automl.journal import Lock, read, replay
from automl.records.trials import Report
from automl.results import prediction
from automl.results.prediction import Prediction

pytestmark = pytest.mark.slow

SPACE = QUICK.replace("epochs: 1", "epochs: 2").replace("trials: 2", "trials: 3")


def held(home: Path, search_id: str) -> dict[str, Any]:
    """Returns all that the store of a home holds of a search."""
    # A copy: this process goes on reading an SQLite file that it has opened, also when another has taken its place.
    copied = Path(tempfile.mkdtemp(dir=home.parent))
    with closing(sqlite3.connect(home / "mlflow.db")) as store, closing(sqlite3.connect(copied / "mlflow.db")) as copy:
        store.backup(copy)
    return mirrored(client_of(copied), search_id)


def lose(home: Path) -> None:
    for file in home.glob("mlflow.db*"):
        file.unlink()
    shutil.rmtree(home / "artifacts")


@pytest.fixture(scope="module")
def continued(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Search:
    """A search of three trials that was predicted, finished, and continued to a fourth."""
    home = tmp_path_factory.mktemp("continued") / "mlruns"
    home.mkdir()
    shutil.copy(empty_store, home)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(prediction, "recall", lambda *_: Prediction(10.123, 5.123, 20.123))
        made = make(home, "space", SPACE, inline=True)
        summary = launch.resume(made.summary.search_id, Options(home=home, inline=True), Watcher(), trials=4)
    return Search(home, made.read, summary, made.client)


def test_a_lost_mirror_is_rebuilt_and_nothing_doubles(continued: Search) -> None:
    home, search_id = continued.home, continued.summary.search_id
    before = held(home, search_id)
    assert before.keys() == {"parent", "t001", "t002", "t003", "t004"}
    assert [step for step, _, _ in before["parent"]["points"]["search_s"]] == [3, 4]
    assert before["parent"]["tags"]["automl.changed.trials"] == before["parent"]["tags"]["automl.trials"] == "4"
    lose(home)
    models = set()
    for _ in range(2):
        told = program(home, "sync", "-o", "json")
        assert told.returncode == 0, told.stderr
        assert held(home, search_id) == before
        result = json.loads(told.stdout)
        assert (result["search_id"], result["trials"]) == (search_id, 4)
        models.add(result["model_uri"])
    assert len(models) == 1
    assert len(list((home / "artifacts").rglob("MLmodel"))) == 1


def test_every_point_has_the_time_of_the_journal(continued: Search) -> None:
    told, history = held(continued.home, continued.summary.search_id), continued.history
    for number, trial in history.trials.items():
        points, ended = told[f"t{number:03d}"]["points"], trial.ended
        assert ended is not None
        for key in trial.reports[0].metrics:
            assert points[key] == [(each.epoch, each.metrics[key], each.time) for each in trial.reports]
        for key in ("score", "epochs", "seconds", "best/val_loss"):
            assert [time for _, _, time in points[key]] == [ended.time]
        assert told[f"t{number:03d}"]["info"][2:] == (trial.asked.time, ended.time)
    parent = told["parent"]["points"]
    ends = sorted(trial.ended.time for trial in history.trials.values() if trial.ended)
    assert parent["trials_done"] == [(done, done, time) for done, time in enumerate(ends, start=1)]
    first, last = history.finishes
    assert parent["test_accuracy"] == [
        (3, first.test["test_accuracy"], first.time),
        (4, last.test["test_accuracy"], last.time),
    ]
    assert told["parent"]["info"][2:] == (history.header.created, last.time)


def test_a_store_that_will_never_take_it_is_told_as_such(
    continued: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, search_id = continued.home, continued.summary.search_id
    broken = tmp_path / "broken.db"
    broken.write_text("no database at all, and long enough to be none")
    with pytest.raises(SearchError, match=r"cannot be opened: file is not a database. Mend that, or name another"):
        sync(home, search_id, Watcher(), f"sqlite:///{broken}")

    def refuse(*_: Any, **__: Any) -> None:
        raise MlflowException("too long", INVALID_PARAMETER_VALUE)

    shutil.copy(home / "mlflow.db", tmp_path / "other.db")
    monkeypatch.setattr(MlflowClient, "log_batch", refuse)
    with pytest.raises(SearchError, match=r"lacks a part of the search .*: too long. It would be refused again: mend"):
        sync(home, search_id, Watcher(), f"sqlite:///{tmp_path}/other.db")


class Impatient(Watcher):
    """Presses Ctrl-C in the first epoch of the second trial."""

    def epoch(self, report: Report) -> None:
        if report.trial == 2:
            raise KeyboardInterrupt


def test_an_interrupted_search_is_told_with_what_it_had_and_goes_on_after(new_home: Path) -> None:
    with pytest.raises(Interrupted) as stopped:
        make(new_home, "space", SPACE, watcher=Impatient(), inline=True)
    search_id = stopped.value.search_id
    folder = new_home / "searches" / search_id
    lose(new_home)
    with Lock(folder):
        refused = program(new_home, "sync")
    assert refused.returncode == 1
    assert "another process drives this search" in refused.stderr
    assert not (new_home / "mlflow.db").exists()

    assert program(new_home, "sync").returncode == 0
    told = held(new_home, search_id)
    *_, last = read(folder)
    assert told["t001"]["info"][1] == "FINISHED"
    for name in ("parent", "t002"):
        assert (told[name]["info"][1], told[name]["info"][3]) == ("KILLED", last.time)  # type: ignore[union-attr]
    assert [step for step, _, _ in told["t002"]["points"]["loss"]] == [1]

    resumed = program(new_home, "resume", "--inline", "-o", "json")
    assert resumed.returncode == 0, resumed.stderr
    whole = held(new_home, search_id)
    assert whole["t002"]["points"]["loss"][0] == told["t002"]["points"]["loss"][0]
    for number, trial in replay(folder).trials.items():
        assert [step for step, _, _ in whole[f"t{number:03d}"]["points"]["loss"]] == [r.epoch for r in trial.reports]
    assert whole["parent"]["info"][1] == "FINISHED"
