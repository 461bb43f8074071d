"""Earlier runs, found in a real SQLite store by everything they can be named by."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient

from automl.errors import ConfigError
from automl.records.trials import TrialResult
from automl.tracking import Store, Tracker, earlier_runs, store

FIRST, SECOND = "20260101-000000-aaaa", "20260102-000000-bbbb"


def tell(where: Store, search_id: str, experiment: str, score: float) -> Tracker:
    tracker = Tracker(where, experiment, search_id)
    tracker.start(name="s", params={"trials": 2}, tags={}, experiment_yaml="", dataset=None, time_ms=1)
    for number, outcome in ((1, "completed"), (2, "diverged")):
        tracker.trial_started(number, {"conv.filters": number, "norm": None}, "", number)
        tracker.epoch(number, 1, {"val_accuracy": 0.1}, 10)
        tracker.trial_ended(TrialResult(number, 1, outcome, score, 1, {"val_accuracy": score}, 1), 20)
    tracker.close()
    return tracker


@pytest.fixture
def where(home_with_store: Path) -> Store:
    return store(home_with_store)


@pytest.fixture
def filled(where: Store) -> tuple[Tracker, Tracker]:
    return tell(where, FIRST, "digits", 0.5), tell(where, SECOND, "digits", 0.6)


def scores(where: Store, wanted: str | None) -> list[float]:
    assert wanted is not None
    return [run.metrics["best/val_accuracy"] for run in earlier_runs(where, wanted)]


def test_runs_are_found_by_experiment_search_and_run(where: Store, filled: tuple[Tracker, Tracker]) -> None:
    first, second = filled
    for wanted in ("digits", first.experiment_id):
        assert sorted(scores(where, wanted)) == [0.5, 0.5, 0.6, 0.6]
    for wanted in (SECOND, "20260102", SECOND.rpartition("-")[2], second.run_id):
        assert scores(where, wanted) == [0.6, 0.6]
    (single,) = earlier_runs(where, first.trial_run_ids[1])
    assert (single.name, single.failure) == ("t001", None)
    assert single.params == {"conv.filters": "1", "norm": "null"}
    assert single.metrics["val_accuracy"] == 0.1
    (diverged,) = earlier_runs(where, first.trial_run_ids[2])
    assert diverged.failure == "it ended as diverged"


def test_runs_of_other_programs_are_found(where: Store) -> None:
    client = MlflowClient(tracking_uri=where.uri)
    experiment = client.create_experiment("by hand")
    for status in ("FINISHED", "FAILED"):
        run = client.create_run(experiment).info.run_id
        client.log_param(run, "conv.filters", 8)
        client.set_terminated(run, status)
    assert sorted(str(run.failure) for run in earlier_runs(where, "by hand")) == ["None", "it failed"]
    assert earlier_runs(where, run)[0].params == {"conv.filters": "8"}


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("digitz", r"^--warm-start digitz: no experiment, search or run .*Did you mean 'digits'\?$"),
        ("2026", f"^--warm-start 2026: 2 searches begin like that. Expected one of {FIRST}, {SECOND}.$"),
        ("f" * 32, "no experiment, search or run is called so"),
        ("it's", "no experiment, search or run is called so"),
        ("20260102_", "no experiment, search or run is called so"),
    ],
)
def test_what_is_not_there_is_an_error_in_one_line(
    where: Store, filled: tuple[Tracker, Tracker], wanted: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        earlier_runs(where, wanted)


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no store at sqlite:.* yet"):
        earlier_runs(store(tmp_path), "digits")
    assert not list(tmp_path.iterdir())


def test_a_server_that_is_gone_is_an_error_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^--warm-start digits: the store at http://127.0.0.1:9 cannot be read: "):
        earlier_runs(store(tmp_path, "http://127.0.0.1:9"), "digits")
