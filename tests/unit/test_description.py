"""What the page of a search's run says of it: while it runs, at its end, and where much went wrong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from automl.document.yaml_text import Document
from automl.driver import description
from automl.driver.ranking import Ranking
from automl.experiment import experiment
from automl.journal import Asked, Baseline, Finished, Header
from automl.model import build
from automl.records.trials import Outcome, TrialResult

READ = experiment.check(
    Document({"model": [{"conv": {"filters": {"min": 1, "max": 99}}}], "search": {"trials": 4}}, "toy"), "toy"
)
DATA = replace(build.data_of((8, 8, 1), 2), name="digits", sizes={"train": 10, "val": 5, "test": 5})
HEADER = Header("s1", 1, {}, "ab", (), 0, 1, "tensorflow", {}, "here", {"name": "m", "space": "toy"})
LINEAR = Baseline("linear", {"val_accuracy": 0.6}, 0.1, 10, 1)


def ranking(*results: tuple[Outcome, float | None, str | None]) -> Ranking:
    found = Ranking(READ.goals)
    for number, (outcome, score, message) in enumerate(results, start=1):
        found.ask(Asked(number, {"conv.filters": number}, 1, 1))
        given: dict[str, Any] = {} if score is None else {"best_epoch": 1, "epochs": 2, "parameters": 1234}
        found.end(TrialResult(number, 1, outcome, score, message=message, **given))
    return found


def written(known: Ranking, finished: Finished | None = None) -> str:
    return description.written(READ, DATA, HEADER, known, {"linear": LINEAR}, ["conv.filters"], finished)


def test_before_its_first_trial_there_is_no_board() -> None:
    told = written(ranking())
    assert "10 train, 5 val, 5 test examples of 8 x 8 x 1" in told
    assert "0 trials have ended, of 4." in told
    assert "| rank |" not in told
    assert "automl resume s1" in told


def test_baselines_stand_where_their_score_puts_them() -> None:
    told = written(ranking(("completed", 0.5, None), ("stopped", 0.7, None)))
    assert "**Best so far: t002**, `val_accuracy` 0.7." in told
    rows = [line for line in told.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[1] for row in rows[1:]] == ["t002 2", "baseline linear", "t001 1"]
    assert "| 1 | t002 2 | 0.7 | 1/2 | 1,234 | 0 |" in rows


def test_what_was_odd_is_said_with_its_most_common_reason() -> None:
    told = written(
        ranking(
            ("completed", 0.5, None),
            ("infeasible", None, "too small"),
            ("infeasible", None, "too deep"),
            ("infeasible", None, "too small"),
            ("oom", None, None),
        )
    )
    assert "- 3 of 5 trials (60%) could not be built, most often: too small\n" in told
    assert "- 1 of 5 trials (20%) ran out of memory; smaller batches or narrower layers may help\n" in told
    assert "diverged" not in told


def test_of_gradients_that_exploded_or_vanished_it_says_how_many_and_what_may_help() -> None:
    known = ranking(("diverged", None, "nan"), ("completed", 0.5, None), ("completed", 0.6, None))
    assert "gradient" not in written(known)
    for number, gradient in ((4, "exploded"), (5, "vanished"), (6, "vanished")):
        known.ask(Asked(number, {"conv.filters": number}, 1, 1))
        outcome: Any = "diverged" if gradient == "exploded" else "completed"
        score = None if gradient == "exploded" else 0.1
        given: dict[str, Any] = {"best_epoch": 1, "epochs": 2, "gradient": gradient}
        known.end(TrialResult(number, 1, outcome, score, **given))
    told = written(known)
    assert "- 1 of 6 trials (17%) had a gradient that exploded; `clipnorm`" in told
    assert "- 2 of 6 trials (33%) had a gradient that vanished, and a loss that stood still; another activation" in told


@pytest.mark.parametrize("beaten_by", [None, "linear"])
def test_at_its_end_it_names_the_winner_and_whether_it_was_worth_it(beaten_by: str | None) -> None:
    result: Any = {"beaten_by": beaten_by}
    finished = Finished("completed", "all 4 trials are done", 9, 1, {"test_accuracy": 0.45}, result)
    told = written(ranking(("completed", 0.5, None)), finished)
    assert "Ended, completed: all 4 trials are done." in told
    assert "**Winner: t001**, `val_accuracy` 0.5; tested once: `test_accuracy` 0.45." in told
    assert ("baseline `linear` is as good, or better" in told) is (beaten_by is not None)


def test_only_the_ten_best_are_listed() -> None:
    told = written(ranking(*[("completed", number / 100, None) for number in range(1, 31)]))
    rows = [line for line in told.splitlines() if line.startswith("| ") and " t0" in line]
    assert [row.split()[3] for row in rows] == [f"t{number:03d}" for number in range(30, 20, -1)]
