"""Optimizers: fields are Keras's arguments with Keras's defaults, and none of Keras's optimizers is left out."""

import inspect
import types
from itertools import combinations
from typing import Annotated

import numpy as np
import pytest
from pydantic import BaseModel, ValidationError

from automl.errors import Infeasible
from automl.registry import Family, UnknownName
from automl.training.optimizers import OPTIMIZERS, Adam, Optimizer, build
from automl.training.section import Training


def test_every_optimizer_of_keras_is_there():
    import keras

    # The base, and two that hold other optimizers, declared by objects rather than literals.
    holders = {"Optimizer", "LossScaleOptimizer", "MultiOptimizer"}
    theirs = {
        name
        for name, kind in vars(keras.optimizers).items()
        if inspect.isclass(kind) and issubclass(kind, keras.optimizers.Optimizer) and name not in holders
    }
    assert {name: OPTIMIZERS.get(name).keras_class for name in OPTIMIZERS} == {name.lower(): name for name in theirs}


@pytest.mark.parametrize("name", OPTIMIZERS.names())
def test_fields_are_keras_arguments_with_keras_defaults(name):
    import keras

    member = OPTIMIZERS.get(name)
    arguments = inspect.signature(getattr(keras.optimizers, member.keras_class)).parameters
    for field, info in member.model_fields.items():
        assert info.default == arguments[field].default, field
        assert info.description
    # Nothing that shapes a step is left out. Clips are fields of `training`; models are trained in float32, unscaled.
    elsewhere = {"clipnorm", "clipvalue", "global_clipnorm", "loss_scale_factor", "name", "kwargs"}
    assert set(arguments) - elsewhere == set(member.model_fields)


@pytest.mark.parametrize("name", OPTIMIZERS.names())
def test_builds_and_steps(name):
    import keras

    optimizer = build(OPTIMIZERS.read({name: {"learning_rate": 0.5, "use_ema": True}}), clipnorm=1.5)
    assert float(optimizer.learning_rate) == 0.5
    assert optimizer.clipnorm == 1.5
    weights = keras.Variable(np.ones((3, 2), "float32"))
    optimizer.apply([keras.ops.convert_to_tensor(np.arange(1, 7, dtype="float32").reshape(3, 2))], [weights])
    stepped = keras.ops.convert_to_numpy(weights)
    assert np.isfinite(stepped).all()
    assert (stepped < 1.0).any()


@pytest.mark.parametrize("clip", ["clipnorm", "clipvalue", "global_clipnorm"])
def test_clips_reach_keras(clip):
    assert getattr(build(OPTIMIZERS.read("adam"), **{clip: 0.5}), clip) == 0.5


def test_clips_exclude_each_other():
    for pair in combinations(("clipnorm", "clipvalue", "global_clipnorm"), 2):
        with pytest.raises(ValidationError, match=f"{' and '.join(pair)} exclude each other: Keras takes one of them"):
            Training(**dict.fromkeys(pair, 1.0))


def test_an_optimizer_newer_than_the_keras_installed_says_so(monkeypatch):
    import keras

    monkeypatch.setattr(keras, "optimizers", types.SimpleNamespace())
    with pytest.raises(Infeasible, match=r"^training.optimizer: Keras [\d.]+ has no Adam\. Upgrade Keras to use it$"):
        build(Adam())


def test_reads_a_bare_name_and_refuses_the_rest():
    assert OPTIMIZERS.read("sgd").learning_rate == 0.01
    with pytest.raises(UnknownName, match="Did you mean 'adam'"):
        OPTIMIZERS.read("adamm")
    with pytest.raises(ValidationError, match="beta_9"):
        OPTIMIZERS.read({"adam": {"beta_9": 0.5}})
    with pytest.raises(ValidationError, match="greater than 0"):
        OPTIMIZERS.read({"adam": {"learning_rate": 0.0}})


def test_serves_as_a_family():
    class Holder(BaseModel):
        optimizer: Annotated[Optimizer, Family(OPTIMIZERS)]

    assert Holder(optimizer={"sgd": {"momentum": 0.9}}).optimizer.momentum == 0.9
