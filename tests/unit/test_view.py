"""The view of a search in MLflow's UI, unpacked as the UI unpacks it."""

from __future__ import annotations

import base64
import json
import string
import zlib
from random import Random
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED

from automl.tracking import Store, Tracker, View, store
from automl.tracking import view as views

VIEW = View(
    "cnn-digits",
    "val_accuracy",
    lower_is_better=False,
    columns=("stem.filters", "rate", "body.filters.2"),
    axes=("stem.filters", "rate"),
    logs=("rate",),
)


def state(value: str) -> dict[str, Any]:
    """Returns what a tag holds; its beginning is the UI's mark."""
    packed = json.loads(value)["state"]
    mark, _, rest = packed.partition(";")
    assert mark == "deflate"
    found: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(rest)))
    return found


def test_its_table_is_sorted_by_score_and_has_the_parameters() -> None:
    found = views.tag(VIEW, "s1", "run1", 5)
    assert found is not None
    key, value = found
    assert key == "mlflow.sharedViewState.s1"
    told = state(value)
    assert told["searchFilter"] == "tags.`mlflow.parentRunId` = 'run1'"
    assert (told["orderByKey"], told["orderByAsc"]) == ("metrics.`score`", False)
    params = ["params.`stem.filters`", "params.`rate`", "params.`body.filters.2`"]
    assert told["selectedColumns"][:3] == ["metrics.`rank`", "metrics.`score`", "tags.`automl.outcome`"]
    assert told["selectedColumns"][-3:] == params
    assert set(told["columnWidths"]) == set(told["columnOrder"])  # the UI widens those that it also orders


def test_logarithms_stand_on_axes_in_place_of_their_parameters_and_no_chart_has_one_bar() -> None:
    told = state((views.tag(VIEW, "s1", "run1", 5) or ("", ""))[1])
    parallel, line, *scatters = (chart for chart in told["compareRunCharts"] if not chart["deleted"])
    assert parallel["selectedParams"] == ["stem.filters"]
    assert parallel["selectedMetrics"] == ["log10/rate", "score"]
    assert (line["type"], line["metricKey"]) == ("LINE", "val_accuracy")
    assert [(each["xaxis"]["key"], each["yaxis"]["key"]) for each in scatters] == [
        ("parameters", "score"),
        ("seconds", "score"),
    ]
    sections = {each["uuid"] for each in told["compareRunSections"]}
    assert {chart["metricSectionId"] for chart in told["compareRunCharts"]} <= sections


def test_names_that_do_not_fit_are_left_out() -> None:
    # As random as names can be: what repeats is packed into nothing.
    letters = Random(1)
    names = ["".join(letters.choices(string.ascii_letters, k=240)) for _ in range(40)]
    found = views.tag(View("long", "val_loss", lower_is_better=True, columns=names, axes=names), "s", "r", 1)
    assert found is not None
    assert len(found[1]) <= 5000
    assert state(found[1])["orderByAsc"] is True


def test_a_version_that_was_never_seen_gets_none(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    caplog.set_level("INFO", logger="automl.tracking")
    monkeypatch.setattr(mlflow, "__version__", "9.9.0")
    assert views.tag(VIEW, "s1", "run1", 5) is None
    assert "no view of the search s1 was made" in caplog.text
    assert views.page("http://h/", "4", "s1") == "http://h/#/experiments/4/runs?workflowType=machine_learning"


@pytest.fixture
def where(home_with_store: Any) -> Store:
    return store(home_with_store)


def begun(where: Store, search: str, time_ms: int) -> Tracker:
    tracker = Tracker(where, "digits", search)
    tracker.start(name="cnn-digits", params={}, tags={}, experiment_yaml="", dataset=None, time_ms=time_ms, view=VIEW)
    tracker.trial_started(1, {"rate": 0.01}, "", time_ms + 1, name="t001 lr 0.01", logs={"rate": -2.0})
    tracker.baseline("linear", {"score": 0.5}, time_ms + 1)
    tracker.flush()
    return tracker


def test_a_search_has_its_own_page_and_its_runs_have_names(where: Store) -> None:
    client: MlflowClient = where.client()
    first, second = begun(where, "20261126-010203-aaaa", 1_000), begun(where, "20261126-010203-bbbb", 2_000)
    assert first.experiment_id is not None
    tags = client.get_experiment(first.experiment_id).tags
    for tracker in (first, second):
        told = state(tags[f"mlflow.sharedViewState.{tracker.search_id}"])
        assert tracker.run_id in told["searchFilter"]
        assert tracker.page == where.page(tracker.search_id, "http://127.0.0.1:5000")
        assert f"viewStateShareKey={tracker.search_id}&" in (tracker.page or "")
    names = sorted(run.info.run_name for run in client.search_runs([first.experiment_id]))
    assert names == [
        "baseline linear",
        "bbbb baseline linear",
        "bbbb t001 lr 0.01",
        "cnn-digits",
        "cnn-digits bbbb",
        "t001 lr 0.01",
    ]
    assert client.get_run(first.trial_run_ids[1]).data.metrics["log10/rate"] == -2.0
    # Told again, as `automl sync` does, the first is still the first.
    begun(where, "20261126-010203-aaaa", 1_000)
    assert sorted(run.info.run_name for run in client.search_runs([first.experiment_id])) == names


def test_who_may_write_runs_alone_has_them_without_the_view(where: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: Any) -> None:
        raise MlflowException("no rights", PERMISSION_DENIED)

    monkeypatch.setattr(MlflowClient, "set_experiment_tag", refuses)
    tracker = begun(where, "20261126-010203-aaaa", 1_000)
    assert not tracker.behind
    assert tracker.trial_run_ids.keys() == {1}


def test_there_is_no_page_of_a_search_that_the_store_does_not_have(where: Store) -> None:
    where.prepare()
    assert where.page("20261126-010203-cccc", "http://h") is None
