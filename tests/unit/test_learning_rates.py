"""Schedules: the rate of every epoch, against Keras's own schedules; what Keras really sets, from any epoch on."""

import inspect

import numpy as np
import pytest

from automl.errors import ConfigError
from automl.experiment import experiment
from automl.records.objective import Objective
from automl.training.learning_rates import SCHEDULES

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RATE, EPOCHS = 0.5, 6


def shares(declared, epochs=EPOCHS):
    schedule = SCHEDULES.read(declared)
    return [schedule.share(epoch, epochs) for epoch in range(epochs)]


def theirs(schedule, epochs=EPOCHS):
    return [float(schedule(epoch)) for epoch in range(epochs)]


@pytest.mark.parametrize("final", [0.0, 0.2])
def test_cosine_is_that_of_keras(final):
    import keras

    expected = theirs(keras.optimizers.schedules.CosineDecay(1.0, EPOCHS, alpha=final))
    assert shares({"cosine": {"final": final}}) == pytest.approx(expected, abs=1e-6)


def test_exponential_is_that_of_keras():
    import keras

    expected = theirs(keras.optimizers.schedules.ExponentialDecay(1.0, 1, 0.7))
    assert shares({"exponential": {"factor": 0.7}}) == pytest.approx(expected, abs=1e-6)


def test_piecewise_is_that_of_keras():
    import keras

    # Keras's boundary is the last step at the old rate, ours the number of epochs before the new one.
    expected = theirs(keras.optimizers.schedules.PiecewiseConstantDecay([1, 3], [1.0, 0.5, 0.25]))
    assert expected == [1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
    assert shares({"piecewise": {"boundaries": [2, 4], "factor": 0.5}}) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({"constant": {"warmup": 2}}, [1 / 3, 2 / 3, 1, 1, 1, 1]),
        ({"exponential": {"warmup": 1, "factor": 0.5}}, [1 / 2, 1, 1 / 2, 1 / 4, 1 / 8, 1 / 16]),
        ({"piecewise": {"warmup": 2, "boundaries": [4], "factor": 0.1}}, [1 / 3, 2 / 3, 1, 1, 0.1, 0.1]),
        # After the warm-up, the cosine of the epochs that are left.
        ({"cosine": {"warmup": 2}}, [1 / 3, 2 / 3, *shares("cosine", EPOCHS - 2)]),
        # Longer than the training: it only rises.
        ({"cosine": {"warmup": 9}}, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
    ],
)
def test_warmup_rises_in_a_line_and_then_the_schedule_begins(declared, expected):
    assert shares(declared) == pytest.approx(expected)


def fit(declared, initial_epoch=0, rate=RATE):
    """Returns the rate of every epoch. The loss is the one weight, so each step takes the rate off it."""
    import keras

    entrance = keras.Input((1,))
    model = keras.Model(entrance, keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")(entrance))
    model.compile(keras.optimizers.SGD(rate), loss=lambda y, found: found, run_eagerly=True)
    x = np.ones((2, 1), "float32")
    # The loss falls in every epoch: no epoch is better than the first where more is better.
    callbacks = SCHEDULES.read(declared).callbacks(RATE, EPOCHS, Objective("val_loss", "max"))
    when = {"epochs": EPOCHS, "initial_epoch": initial_epoch}
    rates = model.fit(x, x, validation_data=(x, x), callbacks=callbacks, verbose=0, **when).history["learning_rate"]
    assert sum(rates) == pytest.approx(-model.get_weights()[0].item(), rel=1e-5)
    return rates


PURE = [
    {"constant": {"warmup": 1}},
    {"cosine": {"warmup": 2, "final": 0.1}},
    {"exponential": {"factor": 0.7}},
    {"piecewise": {"boundaries": [1, 5], "factor": 0.5}},
]


@pytest.mark.slow
@pytest.mark.parametrize("declared", PURE, ids=[next(iter(each)) for each in PURE])
def test_keras_sets_the_rate_of_every_epoch_from_any_epoch_on(declared):
    expected = [RATE * share for share in shares(declared)]
    assert fit(declared) == pytest.approx(expected, rel=1e-6)
    # A rate that a checkpoint brings along does not count: it is that of another epoch.
    assert fit(declared, initial_epoch=3, rate=0.123) == pytest.approx(expected[3:], rel=1e-6)


def test_the_rate_falls_on_a_plateau():
    # The first epoch is the best so far; the two after it are no better.
    rates = fit({"reduce_on_plateau": {"patience": 2, "factor": 0.1, "min_lr": 0.02}})
    assert rates == pytest.approx([0.5, 0.5, 0.5, 0.05, 0.05, 0.02], rel=1e-6)


def test_a_plateau_does_not_lower_the_rate_while_it_warms_up():
    rates = fit({"reduce_on_plateau": {"warmup": 3, "patience": 1, "factor": 0.5}})
    assert rates == pytest.approx([0.125, 0.25, 0.375, 0.5, 0.25, 0.125], rel=1e-6)


def test_a_plateau_goes_on_at_the_rate_the_checkpoint_brings_with_fresh_patience():
    rates = fit({"reduce_on_plateau": {"patience": 2, "factor": 0.1}}, initial_epoch=2, rate=0.05)
    assert rates == pytest.approx([0.05, 0.05, 0.05, 0.005], rel=1e-6)


def test_a_plateau_has_keras_arguments_with_keras_defaults():
    import keras

    arguments = inspect.signature(keras.callbacks.ReduceLROnPlateau).parameters
    fields = SCHEDULES.get("reduce_on_plateau").model_fields
    assert {name: info.default for name, info in fields.items() if name != "warmup"} == {
        name: arguments[name].default for name in arguments.keys() - {"monitor", "mode", "verbose", "kwargs"}
    }


def test_every_field_says_what_it_is():
    fields = [info for name in SCHEDULES for info in SCHEDULES.get(name).model_fields.values()]
    assert all(info.description for info in fields)


def load(tmp_path, training, *options):
    (tmp_path / "s.yaml").write_text(f"model: [dense]\ntraining: {training}\n")
    return experiment.load(str(tmp_path / "s.yaml"), options=options)


def test_schedules_are_searched(tmp_path):
    searched = load(tmp_path, "{schedule: {one_of: {constant: {}, cosine: {warmup: {values: [0, 2]}}}}}")
    assert set(searched.space.by_name) == {"training.schedule", "training.schedule.cosine.warmup"}
    schedules = [
        experiment.training(searched.trial(values)).schedule
        for values in (
            {"training.schedule": "constant"},
            {"training.schedule": "cosine", "training.schedule.cosine.warmup": 2},
        )
    ]
    assert schedules == [SCHEDULES.read("constant"), SCHEDULES.read({"cosine": {"warmup": 2}})]
    assert experiment.training({}).schedule == SCHEDULES.read("constant")


def test_boundaries_are_searched_one_by_one_or_as_lists(tmp_path):
    searched = load(tmp_path, "{schedule: {piecewise: {boundaries: {values: [[2], [2, 4]]}}}}")
    values = {"training.schedule.piecewise.boundaries": [2, 4]}
    assert experiment.training(searched.trial(values)).schedule.boundaries == [2, 4]


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("{piecewise: {}}", "boundaries is missing"),
        ("{piecewise: {boundaries: [4, 2]}}", "whole numbers of epochs from 1 that rise, as [10, 20]; received [4, 2]"),
        ("{piecewise: {boundaries: [0]}}", "whole numbers of epochs from 1 that rise"),
        ("{piecewise: {boundaries: []}}", "whole numbers of epochs from 1 that rise"),
        (
            "{cosin: {}}",
            "unknown schedule 'cosin'. Expected one of " + ", ".join(SCHEDULES) + ". Did you mean 'cosine'",
        ),
        ("{constant: {warmup: -1}}", "at least 0; received -1"),
        ("{reduce_on_plateau: {factor: 1.0}}", "below 1"),
    ],
)
def test_mistakes_are_told(tmp_path, schedule, message):
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, f"{{schedule: {schedule}}}")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("objective", ["learning_rate", "val_learning_rate"])
def test_the_rate_is_no_objective(tmp_path, objective):
    with pytest.raises(ConfigError, match=f"unknown metric '{objective}'"):
        load(tmp_path, "{schedule: cosine}", f"search.objective={objective}")
