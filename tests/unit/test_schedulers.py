"""Who goes on: the arithmetic of the rungs."""

import random

import pytest

from automl import schedulers
from automl.schedulers import LearningCurve
from automl.schedulers.asha import Asha
from automl.schedulers.hyperband import Hyperband
from automl.schedulers.median import Median


def flat(cost, epochs, rungs=(1, 3), **more):
    return LearningCurve(rungs, [cost] * epochs, **more)


def run(scheduler, costs, epochs):
    """Runs trials of constant cost one after the other; returns the epochs each trained."""
    courses = []
    for cost in costs:
        courses.append(scheduler.judged(cost, epochs, courses))
    return [len(course.costs) for course in courses]


def test_none_judges_nobody():
    scheduler = schedulers.registry.read("none")
    assert scheduler.rungs(100, []) == ()
    assert scheduler.goes_on(flat(9.0, 3), [flat(0.0, 3)])


@pytest.mark.parametrize(
    ("settings", "epochs", "rungs"),
    [
        ({}, 1, ()),
        ({}, 2, (1,)),
        ({}, 9, (1, 3)),
        ({}, 27, (1, 3, 9)),
        ({}, 60, (2, 6, 18, 54)),
        ({"first": 5}, 60, (5, 15, 45)),
        ({"factor": 4}, 128, (2, 8, 32)),
    ],
)
def test_the_rungs_of_asha(settings, epochs, rungs):
    assert Asha(**settings).rungs(epochs, []) == rungs


def test_a_third_goes_on_at_each_rung_and_the_first_always():
    judge = Asha()
    assert judge.goes_on(flat(5.0, 1), [])
    assert not judge.goes_on(flat(5.0, 1), [flat(4.0, 1)])
    assert judge.goes_on(flat(5.0, 1), [flat(5.0, 1)])  # an equal is no better
    peers = [flat(float(cost), 1) for cost in range(1, 9)]
    assert judge.goes_on(flat(2.5, 1), peers)  # the third of nine
    assert not judge.goes_on(flat(3.5, 1), peers)


def test_the_loss_tells_equal_costs_apart():
    judge = Asha()
    peers = [flat(0.0, 3, losses=[0.5, 0.4, loss]) for loss in (0.3, 0.2)]
    assert judge.goes_on(flat(0.0, 3, losses=[0.9, 0.1, 0.9]), peers)
    assert not judge.goes_on(flat(0.0, 3, losses=[0.4, 0.4, 0.25]), peers)
    assert judge.goes_on(flat(-0.1, 3, losses=[0.9, 0.9, 0.9]), peers)


def test_compared_is_the_best_up_to_the_rung_with_those_that_came_there():
    judge = Asha()
    own = LearningCurve((1, 3), [3.0, 1.0, 2.0])
    assert judge.goes_on(own, [LearningCurve((1, 3), [9.0, 9.0, 1.5, 0.1])])  # was better later only
    assert judge.goes_on(own, [LearningCurve((1, 3), [0.5])])  # stopped before
    assert judge.goes_on(own, [flat(0.5, 3, failed=True)])
    assert not judge.goes_on(own, [flat(0.5, 3)])
    assert judge.goes_on(own, [flat(0.5, 9, rungs=(2, 6))])  # is judged elsewhere


def test_most_epochs_go_to_the_best():
    generator = random.Random(0)
    costs = [generator.random() for _ in range(81)]
    epochs = run(Asha(), costs, 27)
    assert sum(epochs) < 0.35 * 27 * 81
    best = sorted(range(81), key=costs.__getitem__)
    assert epochs[best[0]] == 27
    assert sum(epochs[place] for place in best[:27]) > 3 * sum(epochs[place] for place in best[54:])


def test_hyperband_fills_its_brackets_in_their_shares():
    generator = random.Random(0)
    judge, courses = Hyperband(), []
    for number in range(170):
        course = LearningCurve(judge.rungs(9, courses), [generator.random()], failed=number % 10 == 0)
        courses.append(course)
    alive = [course.rungs for course in courses if not course.failed]
    # Algorithm 1 of the paper, R = 9 and eta = 3: 9, 5 and 3 trials.
    counts = [alive.count(rungs) for rungs in ((1, 3), (3,), ())]
    assert [round(count / len(alive) * 17) for count in counts] == [9, 5, 3]


def test_the_brackets_of_hyperband_do_not_meet():
    judge = Hyperband()
    assert judge.goes_on(flat(5.0, 3, rungs=(3,)), [flat(1.0, 3, rungs=(1, 3))])
    assert not judge.goes_on(flat(5.0, 3, rungs=(3,)), [flat(1.0, 3, rungs=(3,))])
    assert Hyperband().rungs(1, []) == ()


def test_the_median_stops_who_is_worse_than_most_were():
    judge = Median(first=2, trials=3)
    assert judge.rungs(5, []) == (2, 3, 4)
    ended = [flat(cost, 5, ended=True) for cost in (1.0, 2.0, 3.0)]
    assert judge.goes_on(flat(2.0, 2), ended)
    assert not judge.goes_on(flat(2.5, 2), ended)
    assert judge.goes_on(flat(2.5, 2), ended[:2])  # too few to tell
    assert judge.goes_on(flat(2.5, 2), [*ended[:2], flat(0.0, 5)])  # the third still runs
    # The means up to that epoch, not the last values.
    falling = [LearningCurve((), [9.0, 1.0, 0.1], ended=True) for _ in range(3)]
    assert judge.goes_on(flat(4.0, 2), falling)


def test_an_objective_that_was_no_number_is_the_worst():
    judge = Asha()
    assert not judge.goes_on(flat(float("inf"), 1), [flat(1e9, 1)])
    assert judge.goes_on(flat(float("inf"), 1), [])
