"""When a search ends."""

import pytest

from automl.driver.budget import MOST_INFEASIBLE, cause, spent
from automl.driver.ranking import Ranking
from automl.experiment.search_section import Search
from automl.journal import Asked
from automl.records.objective import Goals
from automl.records.trials import TrialResult


def stand(*results, direction="max", running=0):
    """Trials in the order they ended: a score, or an outcome with its message."""
    ranking = Ranking(Goals.single("val_loss", direction))
    for number, told in enumerate(results, start=1):
        ranking.ask(Asked(number, {}, 0, 0))
        for epoch in range(1, 4):
            ranking.report(number, epoch, {"val_loss": 1.0})
        outcome, message, score = ("completed", None, told) if isinstance(told, float) else (*told, None)
        ranking.end(TrialResult(number, 1, outcome, score, message=message))
    for number in range(len(results) + 1, len(results) + 1 + running):
        ranking.ask(Asked(number, {}, 0, 0))
    return ranking


def why(ranking, seconds=0.0, **search):
    return spent(Search.model_validate({"trials": 1_000, **search}), ranking, seconds)


def test_trials_that_run_count_and_those_that_cannot_be_built_do_not():
    assert why(stand(0.1, running=1), trials=3) is None
    assert why(stand(0.1, running=2), trials=3) == "all 3 trials are done"
    assert why(stand(0.1, ("infeasible", "too large"), running=1), trials=3) is None
    assert why(stand(0.1, ("error", "broken"), running=1), trials=3) == "all 3 trials are done"


def test_time_and_epochs():
    assert why(stand(0.1), 59.0, time="1m") is None
    assert why(stand(0.1), 60.0, time="1m") == "the time of 1m is over"
    assert why(stand(), 99.0, time="1m") is None  # one is tried in any case
    assert why(stand(("infeasible", "too large")), 99.0, time="1m") is None
    assert why(stand(0.1, 0.2), epochs_total=7) is None
    assert why(stand(0.1, 0.2, 0.3), epochs_total=9) == "9 of 9 epochs are trained"
    assert Search.model_validate({"epochs_total": 100}).most_trials is None
    assert Search.model_validate({}).most_trials == 20


@pytest.mark.parametrize(
    ("direction", "target", "there"), [("max", 0.3, True), ("max", 0.31, False), ("min", 0.1, True)]
)
def test_the_target(direction, target, there):
    reason = why(stand(0.1, 0.3, 0.2, direction=direction), target=target)
    assert reason == (f"trial {2 if direction == 'max' else 1} reached the target of {target}" if there else None)


def test_patience_counts_trials_with_a_score():
    assert why(stand(0.1, 0.5, 0.2), patience=2) is None
    assert why(stand(0.1, 0.5, 0.2, ("error", "x")), patience=2) is None
    assert why(stand(0.1, 0.5, 0.2, 0.5), patience=2) == "2 trials in a row were no better"
    assert why(stand(("error", "x")), patience=1) is None


def test_a_timeout_without_a_score_is_a_failure_and_no_trial_that_was_no_better():
    late = ("timeout", "its trial_time was over before its first epoch ended")
    assert why(stand(0.1, late, late, late), patience=3) is None
    assert why(stand(0.1, late, late, late), failures=3) == f"3 trials in a row failed alike: {late[1]}"
    assert why(stand(late, late, 0.1), failures=2) is None


def test_failures_of_one_cause_end_the_search():
    broken = [("error", f"ValueError: {number} is odd") for number in range(5)]
    assert why(stand(*broken[:4])) is None
    assert why(stand(*broken)) == "5 trials in a row failed alike: ValueError: 4 is odd"
    assert why(stand(*broken, 0.5)) is None
    assert why(stand(*broken[:3], ("diverged", "nan"), *broken[:3])) is None
    assert why(stand(*broken[:2]), failures=2) is not None


def test_a_space_that_cannot_be_built_at_all_ends():
    assert why(stand(*[("infeasible", f"kernel {n}") for n in range(MOST_INFEASIBLE - 1)])) is None
    told = why(stand(*[("infeasible", f"kernel {n}") for n in range(MOST_INFEASIBLE)]))
    assert told == f"{MOST_INFEASIBLE} trials in a row could not be built: kernel {MOST_INFEASIBLE - 1}"


def test_causes_differ_by_words_not_by_numbers():
    assert cause(TrialResult(1, 1, "lost", message="signal 9")) == cause(TrialResult(2, 1, "lost", message="signal 11"))
    assert cause(TrialResult(1, 1, "error", message="a")) != cause(TrialResult(1, 1, "oom", message="a"))
