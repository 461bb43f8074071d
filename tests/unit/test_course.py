"""How long, and at which rates, a model is trained that has no validation part."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from automl.driver.course import course
from automl.records.trials import Report


def training(*phases: Sequence[float]) -> list[Report]:
    """Returns the epochs of a training with these rates."""
    each = [(phase, rate) for phase, rates in enumerate(phases, 1) for rate in rates]
    return [Report(1, 1, epoch, {"learning_rate": rate}, phase=phase) for epoch, (phase, rate) in enumerate(each, 1)]


def test_a_rate_that_fell_on_the_folds_falls_at_the_same_step() -> None:
    trainings = [training([1.0] * until + [0.5] * (20 - until)) for until in (8, 10, 12)]
    # Of 20 epochs on four fifths of the examples, 16 on all of them: the rate falls after 8 of them, not 10.
    assert course(trainings, [20, 20, 20], 0.8) == ((*[1.0] * 8, *[0.5] * 8),)


def test_it_ends_where_the_folds_were_at_their_best_in_the_mean() -> None:
    trainings = [training([1.0] * 20)] * 2
    assert course(trainings, [5, 15], 0.8) == ((1.0,) * 8,)
    assert course(trainings, [1, 1], 0.3) == ((1.0,),)


def test_of_trainings_that_ended_early_the_last_rate_holds() -> None:
    assert course([training([4.0, 3.0]), training([4.0, 3.0, 2.0, 1.0])], [2, 4], 1.0) == ((4.0, 3.0, 2.0),)
    assert course([training([4.0, 3.0])], [2], 0.5) == ((3.0,),)


def test_each_phase_lasts_as_long_as_on_the_folds() -> None:
    """Early stopping ended the first phase long before its declared epochs, and the second began there."""
    trainings = [training([0.1] * 4, [0.01] * 10), training([0.1] * 6, [0.01] * 10)]
    found = course(trainings, [14, 16], 0.8)
    assert found == ((0.1,) * 4, (0.01,) * 8)
    # What comes behind every best epoch is not trained.
    assert course(trainings, [4, 6], 0.8) == ((0.1,) * 4, ())


@pytest.mark.parametrize("share", [0.5, 2 / 3, 0.75, 0.8, 0.9])
def test_as_many_steps_as_on_the_folds(share: float) -> None:
    (rates,) = course([training([float(epoch) for epoch in range(60)])], [60], share)
    assert len(rates) == round(60 * share)
    for epoch, rate in enumerate(rates):
        assert abs(rate - epoch / share) < 1 / share
