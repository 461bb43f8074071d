"""Which version of a registered model is its champion, through MLflow's own client on a real SQLite store."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

import automl.deploy.register
from automl.cli._progress import Lines
from automl.deploy.card import BestTrial
from automl.journal import Header
from automl.machine.folders import LOG
from automl.model import build
from automl.records.objective import Champion, Objective
from automl.records.trials import TrialResult
from automl.tracking import BestModel, DatasetInput, Store, Tracker, store
from automl.tracking import model as models
from automl.tracking.champion import Standing, objection

T0 = 1_700_000_000_000
DATA = DatasetInput("digits", "ab" * 32, "sklearn:digits", {})
OTHER = replace(DATA, digest="cd" * 32)


@pytest.fixture
def where(home_with_store: Path) -> Store:
    return store(home_with_store)


@pytest.fixture
def client(where: Store, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    def save(model: Any, path: Path, *_: Any) -> None:
        path.mkdir()
        (path / "MLmodel").write_text(f"{model}\n")

    monkeypatch.setattr(models, "_save", save)
    return where.client()


def register(
    where: Store,
    search: str,
    score: float,
    trial: int = 1,
    data: DatasetInput = DATA,
    policy: Champion = "better",
) -> list[str]:
    """Tells of a search of one trial and registers its model as `m`; returns what was said."""
    tracker, said = Tracker(where, "digits", search), []
    params = {"objective": "val_accuracy", "direction": "max"}
    tracker.start(name="s", params=params, tags={}, experiment_yaml="", dataset=data, time_ms=T0)
    tracker.trial_started(trial, {}, "", T0)
    tracker.trial_ended(TrialResult(trial, 1, "completed", score, 1), T0)
    assert tracker.log_best("model", BestModel(trial, "m", champion=policy), said.append)
    assert not tracker.behind
    return said


def test_the_user_is_told_and_not_the_log_of_the_backend(tmp_path: Path, monkeypatch: Any, capfd: Any) -> None:
    """Saving a model is noisy, and its noise goes to a file; what became of the champion does not."""
    spec = replace(build.data_of((8, 8, 1), 2), name="d", digest="ab")
    header = Header("s", 1, {}, "ab", (), 0, 1, "tensorflow", {}, "here", {"name": "m", "space": "cnn"})

    class Mirror:
        def model_uri(self, _: int) -> None:
            return None

        def log_best(self, model: Any, best: BestModel, say: Any) -> str:
            os.write(2, b"noise\n")
            say("m: version 1 stays the champion")
            return "models:/m-1"

    monkeypatch.setattr(automl.deploy.register.saved, "load", lambda *_: "model")
    # As outside of a test: pytest's own stderr does not follow what becomes of the file behind it.
    monkeypatch.setattr(sys, "stderr", open(2, "w", buffering=1, closefd=False))  # noqa: SIM115
    winner = BestTrial(1, {"model": []}, {}, "val_accuracy", 0.5)
    told = automl.deploy.register.register(Mirror(), spec, tmp_path, header, winner, Lines().say)  # type: ignore[arg-type]
    assert told == "models:/m-1"
    assert capfd.readouterr().err == "m: version 1 stays the champion\n"
    assert "noise" in (tmp_path / LOG).read_text()


def champion(client: MlflowClient) -> str:
    return str(client.get_model_version_by_alias("m", "champion").version)


ACCURACY, F1 = Objective("val_accuracy", "max"), Objective("val_f1", "max")
LESS = {"objective": Objective("val_accuracy", "min")}
OLD = Standing("1", "a", ACCURACY, "ab", 0.5)
NEW = Standing("2", "b", ACCURACY, "ab", 0.6)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ({}, {}, None),
        ({"score": 0.6}, {"score": 0.5}, "its val_accuracy is no better"),
        ({}, {"score": 0.5}, "its val_accuracy is no better"),
        ({**LESS, "score": 0.7}, LESS, None),
        (LESS, LESS, "its val_accuracy is no better"),
        ({"score": None}, {}, "one of the scores is not known"),
        ({}, {"score": None}, "one of the scores is not known"),
        ({}, {"data": "cd"}, "they were not scored on the same data"),
        # Data that nobody knows is not the same.
        ({"data": None}, {"data": None}, "they were not scored on the same data"),
        ({}, {"objective": F1}, "the objective was val_accuracy, and is val_f1"),
        ({"objective": None, "score": None}, {}, "nothing tells how that was scored"),
        ({}, {"objective": None}, "the objective was val_accuracy, and is None"),
        # Whether more is better is not guessed.
        ({"objective": None, "score": 0.7}, {"objective": None}, "nothing tells how they were scored"),
        # One search ranks its own trials: an equal score is told apart by what the store does not know.
        ({}, {"run_id": "a", "score": 0.5}, None),
        ({}, {"run_id": "a", "objective": F1}, "the objective was val_accuracy, and is val_f1"),
    ],
)
def test_it_moves_to_a_better_one_of_the_same_data_and_objective(
    old: dict[str, Any], new: dict[str, Any], why: str | None
) -> None:
    assert objection(replace(NEW, **new), replace(OLD, **old)) == why


def test_what_was_said_names_both_scores(where: Store, client: MlflowClient) -> None:
    assert register(where, "a", 0.75) == ["m: version 1 (0.75) is the champion"]
    assert register(where, "b", 0.5) == [
        "m: version 1 (0.75) stays the champion, not version 2 (0.5): its val_accuracy is no better"
    ]
    assert register(where, "c", 0.8) == ["m: version 3 (0.8) is the champion, after version 1 (0.75)"]
    assert champion(client) == "3"


def test_the_one_before_keeps_an_alias(where: Store, client: MlflowClient) -> None:
    register(where, "a", 0.5)
    register(where, "b", 0.4)
    assert "previous" not in client.get_registered_model("m").aliases
    register(where, "c", 0.7)
    assert str(client.get_model_version_by_alias("m", "previous").version) == "1"
    register(where, "d", 0.8)
    assert str(client.get_model_version_by_alias("m", "previous").version) == "3"


def test_a_worse_one_takes_the_alias_where_that_is_asked_for(where: Store, client: MlflowClient) -> None:
    register(where, "a", 0.5)
    assert register(where, "b", 0.4, policy="always") == [
        "m: version 2 (0.4) is the champion, after version 1 (0.5), although its val_accuracy is no better"
    ]
    assert champion(client) == "2"
    assert str(client.get_model_version_by_alias("m", "previous").version) == "1"


def test_none_takes_it_where_that_is_done_by_hand(where: Store, client: MlflowClient) -> None:
    assert register(where, "a", 0.5, policy="never") == [
        "m: version 1 (0.5) is registered, there is no champion, as it is to be changed by hand"
    ]
    assert client.get_registered_model("m").aliases == {}
    register(where, "b", 0.6)
    assert register(where, "c", 0.9, policy="never") == [
        "m: version 3 (0.9) is registered, version 2 (0.6) stays the champion, as it is to be changed by hand"
    ]
    assert champion(client) == "2"


def test_scores_of_other_data_say_nothing(where: Store, client: MlflowClient) -> None:
    register(where, "a", 0.5)
    (told,) = register(where, "b", 0.9, data=OTHER)
    assert told.endswith("they were not scored on the same data")
    assert champion(client) == "1"


def test_a_search_that_goes_on_ranks_its_own_trials(where: Store, client: MlflowClient) -> None:
    register(where, "a", 0.5)
    # An equal score, told apart by what the store does not know.
    register(where, "a", 0.5, trial=2)
    assert champion(client) == "2"


def test_told_again_it_stays_what_it_was_and_an_alias_that_a_user_moved_is_judged_as_it_stands(
    where: Store, client: MlflowClient
) -> None:
    register(where, "a", 0.5)
    register(where, "b", 0.9)
    assert register(where, "a", 0.5) == []
    assert champion(client) == "2"
    client.set_registered_model_alias("m", "champion", "1")
    register(where, "c", 0.7)
    assert champion(client) == "3"


def test_a_champion_that_was_deleted_is_none(where: Store, client: MlflowClient) -> None:
    register(where, "a", 0.9)
    client.delete_model_version("m", "1")
    assert register(where, "b", 0.5) == ["m: version 2 (0.5) is the champion"]
    assert champion(client) == "2"


def test_a_model_of_somebody_elses_is_left_the_champion(where: Store, client: MlflowClient) -> None:
    client.create_registered_model("m")
    client.create_model_version("m", "file:///elsewhere")
    client.set_registered_model_alias("m", "champion", "1")
    (told,) = register(where, "a", 0.9)
    assert told.startswith("m: version 1 stays the champion, not version 2 (0.9)")
    assert champion(client) == "1"
