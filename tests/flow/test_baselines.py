"""Baselines of a search: first, in MLflow and on the board, and among no trials."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient
from searches import Said, automl, baseline_runs, make, mirrored
from spaces import QUICK

from automl.driver import baselines
from automl.results import leaderboard

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("eagerly")]

SPACE = QUICK.replace("trials: 2", "trials: 2, baselines: true")


def test_they_stand_beside_the_trials_and_take_no_place(new_home: Path) -> None:
    said = Said()
    found = make(new_home, "quick", SPACE, watcher=said, inline=True)
    known = found.history.baselines
    assert [*known] == ["majority", "linear"]
    assert found.summary.trials["completed"] == len(found.trials) == 2
    assert said.lines[0].startswith("baseline majority: val_")
    # They are told before any trial is.
    lines = [json.loads(line) for line in (found.folder / "journal.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines[:4]] == ["header", "baseline", "baseline", "ask"]

    runs = baseline_runs(found.client, found.summary.search_id)
    assert runs.keys() == {"baseline majority", "baseline linear"}
    metrics = runs["baseline linear"].data.metrics
    metric = found.read.goals.primary.metric
    assert metrics["score"] == metrics[metric] == metrics[f"best/{metric}"] == known["linear"].metrics[metric]
    assert metrics["test_accuracy"] == found.summary.baselines["linear"]["test_accuracy"]
    assert runs["baseline linear"].info.status == "FINISHED"

    rows = leaderboard.board(new_home, found.summary.search_id)
    assert {row["trial"] for row in rows} == {1, 2, "majority", "linear"}
    scores = [row[metric] for row in rows]
    assert scores == sorted(scores, reverse=found.read.goals.primary.direction == "max")
    shown = automl(new_home, "trials")
    assert shown.stdout.count("baseline") == 2
    assert len(json.loads(automl(new_home, "trials", "-o", "json").stdout)) == 2

    # An epoch of a handful of weights on digits is no match for a logistic regression.
    assert found.summary.beaten_by == "linear"
    assert any(line.startswith("the winner does not beat the baseline linear: ") for line in said.lines)
    assert found.parent.data.tags["automl.beaten_by"] == "linear"


def test_another_store_is_told_the_same_of_them(new_home: Path) -> None:
    found = make(new_home, "quick", SPACE, inline=True)
    told = mirrored(found.client, found.summary.search_id)
    other = f"sqlite:///{new_home}/other.db"
    synced = automl(new_home, "sync", found.summary.search_id, "--tracking-uri", other)
    assert synced.returncode == 0, synced.stderr
    again = mirrored(MlflowClient(tracking_uri=other), found.summary.search_id)
    assert told.keys() == again.keys() == {"parent", "t001", "t002", "baseline majority", "baseline linear"}
    assert told == again


def test_a_resumed_search_has_them_once(new_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = make(new_home, "quick", SPACE, inline=True)
    # At the end they are measured on the test part alone.
    parts = []
    run = baselines.run_single
    monkeypatch.setattr(baselines, "run_single", lambda loop, *rest: parts.append(rest[1].part) or run(loop, *rest))
    done = automl(new_home, "resume", found.summary.search_id, "--trials", "3", "--inline", "-o", "json")
    assert done.returncode == 0, done.stderr
    assert parts == ["test"]
    assert json.loads(done.stdout.splitlines()[-1])["baselines"].keys() == {"majority", "linear"}
    assert len(baseline_runs(found.client, found.summary.search_id)) == 2


def test_a_driver_that_died_between_two_of_them_is_followed_by_one_that_tells_the_rest(new_home: Path) -> None:
    found = make(new_home, "quick", SPACE, inline=True)
    journal = found.folder / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    first = next(place for place, line in enumerate(lines) if '"event":"baseline"' in line)
    journal.write_text("".join(lines[: first + 1]))
    done = automl(new_home, "resume", found.summary.search_id, "--inline", "-o", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["baselines"].keys() == {"majority", "linear"}
    assert journal.read_text().count('"event":"baseline"') == 2


def test_a_search_without_them(new_home: Path) -> None:
    (new_home.parent / "space.yaml").write_text(QUICK)
    done = automl(new_home, "search", "space.yaml", "--no-baselines", "--trials", "1", "--inline", "-o", "json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["baselines"], told["beaten_by"]) == ({}, None)
    assert '"baseline"' not in next((new_home / "searches").glob("*/journal.jsonl")).read_text()


def test_a_failure_stops_nothing(new_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = Said()
    monkeypatch.setattr("automl.tasks.classification.Classification.baselines", lambda *_: 1 / 0)
    found = make(new_home, "quick", SPACE, watcher=said, inline=True)
    assert found.summary.trials["completed"] == 2
    assert "the baselines could not be measured: ZeroDivisionError: division by zero" in said.lines
    assert found.history.baselines == {}
