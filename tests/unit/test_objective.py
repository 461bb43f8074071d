"""How scores, trials and epochs compare."""

import itertools
import pickle
import random
from typing import Any

import pytest

from automl.records.objective import LOSS, Goals, Objective, spread
from automl.records.trials import TrialResult

MORE, LESS = Objective("val_accuracy", "max"), Objective(LOSS, "min")
BOTH = Goals((MORE, LESS))


def ended(trial: int, score: float | None, **given: Any) -> TrialResult:
    return TrialResult(trial, 1, "completed" if score is not None else "error", score, **given)


@pytest.mark.parametrize(
    ("objective", "score", "other", "beats", "reached"),
    [
        (MORE, 0.7, 0.6, True, True),
        (MORE, 0.6, 0.6, False, True),
        (MORE, 0.5, 0.6, False, False),
        (LESS, 0.5, 0.6, True, True),
        (LESS, 0.6, 0.6, False, True),
        (LESS, 0.7, 0.6, False, False),
    ],
)
def test_two_values_of_a_metric(objective: Objective, score: float, other: float, beats: bool, reached: bool) -> None:
    assert objective.beats(score, other) == beats
    assert objective.reached(score, other) == reached


def test_less_costs_less() -> None:
    assert (MORE.cost(0.7), LESS.cost(0.7)) == (-0.7, 0.7)


def test_equal_scores_are_told_apart_by_the_loss_and_one_that_is_not_known_stands_last() -> None:
    order = [(0.9, 0.1), (0.9, 0.2), (0.9, None), (0.8, 0.0)]
    for shuffled in itertools.permutations(order):
        assert sorted(shuffled, key=lambda each: MORE.merit(*each)) == order


def test_what_is_measured_as_costs() -> None:
    assert BOTH.costs({"val_accuracy": 0.7, "val_loss": 0.3, "loss": 0.1}) == (-0.7, 0.3)
    assert BOTH.costs({"val_accuracy": 0.7}) is None
    assert Goals.single("val_loss", "min").costs({"val_loss": 0.3}) == (0.3,)


def test_trials_stand_by_how_often_they_were_measured_their_score_their_loss_and_their_number() -> None:
    order = [
        ended(7, 0.8, scores=(0.8, 0.8), loss=0.3),
        ended(2, 0.9, loss=0.1),
        ended(1, 0.9, loss=0.2),
        ended(4, 0.9),
        ended(5, 0.9),
        ended(3, 0.7, loss=0.0),
    ]
    unscored = [ended(6, None), TrialResult(8, 1, "timeout"), TrialResult(9, 1, "error", 1.0)]
    goals, generator = Goals.single("val_accuracy", "max"), random.Random(0)
    for _ in range(50):
        results = [*order, *unscored]
        generator.shuffle(results)
        assert sorted(results, key=goals.order) == [*order, *unscored]
        assert goals.ranks(results) == {result.trial: rank for rank, result in enumerate(order, start=1)}
        assert goals.best(results) is order[0]


def test_the_best_of_none() -> None:
    goals = Goals.single("val_loss", "min")
    assert goals.best([]) is None
    assert goals.best([ended(1, None)]) is None
    assert goals.ranks([ended(1, None)]) == {}


def test_less_is_better_where_the_objective_says_so() -> None:
    results = [ended(1, 0.3), ended(2, 0.1), ended(3, 0.2)]
    assert Goals.single("val_loss", "min").ranks(results) == {2: 1, 3: 2, 1: 3}
    assert Goals.single("val_f1", "max").ranks(results) == {1: 1, 3: 2, 2: 3}


def test_several_objectives_have_a_primary_one_and_no_order_of_trials() -> None:
    assert BOTH.primary == MORE
    assert str(BOTH) == "val_accuracy (max), val_loss (min)"
    for ask in (BOTH.best, BOTH.ranks):
        with pytest.raises(ValueError, match="no order by several objectives: val_accuracy"):
            ask([ended(1, 0.5), ended(2, 0.6)])
    with pytest.raises(ValueError, match="without an objective"):
        Goals(())


def test_goals_are_plain() -> None:
    assert pickle.loads(pickle.dumps(BOTH)) == BOTH
    assert hash(BOTH) == hash(Goals((MORE, LESS)))


def test_a_single_training_has_no_spread() -> None:
    assert spread([0.5]) is None
    assert spread([0.4, 0.6]) == pytest.approx(0.1414, abs=1e-4)
