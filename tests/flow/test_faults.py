"""A search in which much goes wrong: each bad trial bears its own outcome, and no other is touched."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import faults
import pytest
from searches import Said, Search, automl, make
from spaces import QUICK

pytestmark = pytest.mark.slow

BAD = {3: "error", 5: "diverged", 6: "lost", 7: "infeasible"}
GOOD = (1, 2, 4, 8, 9, 10)  # what cannot be built takes no trial's place


@pytest.fixture(scope="module")
def said() -> Said:
    return Said()


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory, empty_store: Path, said: Said) -> Search:
    home = tmp_path_factory.mktemp("faults") / "mlruns"
    home.mkdir()
    shutil.copy(empty_store, home)
    # What cannot be built is one point more than there are trials.
    document = QUICK.replace("trials: 2", "trials: 9").replace("max: 9", "max: 10")
    return make(home, "quick", document, faults.faulty, said, workers=2)


def test_the_search_ends_and_counts(search: Search) -> None:
    assert search.summary.status == "completed"
    assert search.summary.trials == {"completed": 6, "failed": 3, "stopped": 0, "timeout": 0, "infeasible": 1}
    assert search.winner["trial"] in GOOD
    assert search.winner["test"]["test_accuracy"] >= 0


def test_the_journal_tells_what_happened(search: Search) -> None:
    trials = search.history.trials
    outcomes = {number: trial.ended.outcome for number, trial in trials.items() if trial.ended}
    assert outcomes == {**dict.fromkeys(GOOD, "completed"), **BAD}
    messages = {number: trials[number].ended.message for number in BAD}  # type: ignore[union-attr]
    assert messages[3] == "RuntimeError: no room on the device"
    assert "nan" in messages[5]
    assert "SIGKILL" in messages[6]
    assert "kernel_size 99x99 is larger than its input 8x8" in messages[7]
    assert "Traceback" in trials[3].ended.traceback  # type: ignore[union-attr,operator]
    assert [trials[number].attempts for number in BAD] == [1, 1, 3, 1]
    assert [lost.attempt for lost in trials[6].lost] == [1, 2, 3]


def test_no_number_that_is_not_finite_is_a_metric(search: Search) -> None:
    (report,) = search.history.trials[5].reports
    assert report.nonfinite["loss"] == "nan"
    assert "loss" not in report.metrics
    run = search.trials[5]
    assert "loss" not in run.data.metrics
    assert run.data.tags["automl.nonfinite.loss"] == "nan at step 1"
    text = (search.folder / "journal.jsonl").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text


def test_mlflow_tells_the_same(search: Search) -> None:
    runs = search.trials
    assert {number: run.data.tags["automl.outcome"] for number, run in runs.items()} == {
        **dict.fromkeys(GOOD, "completed"),
        **BAD,
    }
    assert {number: run.info.status for number, run in runs.items()} == {
        **dict.fromkeys(GOOD, "FINISHED"),
        3: "FAILED",
        5: "FAILED",
        6: "KILLED",
        7: "FAILED",
    }
    assert runs[6].data.tags["automl.attempt"] == "3"
    assert "RuntimeError: no room" in search.text(runs[3].info.run_id, "traceback.txt")
    assert all("rank" not in runs[number].data.metrics for number in BAD)
    assert sorted(runs[number].data.metrics["rank"] for number in GOOD) == [1, 2, 3, 4, 5, 6]
    assert all("score" not in runs[number].data.metrics for number in BAD)
    assert "kernel_size 99" in runs[7].data.tags["automl.message"]


def test_the_others_are_intact(search: Search) -> None:
    trials = search.history.trials
    for number in GOOD:
        assert trials[number].attempts == (2 if number == 2 else 1)
        assert [report.epoch for report in trials[number].reports] == [1]
        (report,) = trials[number].reports
        run = search.trials[number]
        for key, value in report.metrics.items():
            assert search.points(run.info.run_id, key) == [(1, value)]


def test_what_was_lost_is_said(search: Search, said: Said) -> None:
    line = "the worker process died (signal SIGKILL); it is tried again"
    told = sorted(each for each in said.lines if "tried again" in each)
    assert told == [f"t002  {line}", f"t006  {line}", f"t006  {line}"]


def test_the_command_line_shows_the_outcomes(search: Search) -> None:
    listed = automl(search.home, "trials", "-o", "json")
    rows = json.loads(listed.stdout)
    assert {row["trial"]: row["outcome"] for row in rows} == {**dict.fromkeys(GOOD, "completed"), **BAD}
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5, 6, None, None, None, None]
    shown = json.loads(automl(search.home, "show", "6", "-o", "json").stdout)
    assert (shown["outcome"], shown["attempts"]) == ("lost", 3)
    for number, outcome in BAD.items():
        assert outcome in automl(search.home, "trials").stdout, number


def test_a_trial_that_lost_its_worker_once_ends_as_any_other(search: Search) -> None:
    trial, run = search.history.trials[2], search.trials[2]
    assert trial.attempts == 2
    (report,) = trial.reports
    # The attempt that was lost had told of its epoch too; there is one point all the same.
    assert search.points(run.info.run_id, "loss") == [(1, report.metrics["loss"])]
    assert run.data.tags["automl.attempt"] == "2"
