"""Optimizers: fields are Keras's arguments with Keras's defaults."""

import inspect
from typing import Annotated

import pytest
from pydantic import BaseModel, ValidationError

from automl.optimizers import OPTIMIZERS, Optimizer, build
from automl.registry import Family, UnknownName


@pytest.mark.parametrize("name", OPTIMIZERS.names())
def test_fields_are_keras_arguments_with_keras_defaults(name):
    import keras

    member = OPTIMIZERS.get(name)
    arguments = inspect.signature(getattr(keras.optimizers, member.keras_class)).parameters
    for field, info in member.model_fields.items():
        assert info.default == arguments[field].default, field
        assert info.description
    # Nothing that shapes a step is left out, so a search can reach all of it.
    common = {"clipnorm", "clipvalue", "global_clipnorm", "use_ema", "ema_momentum", "ema_overwrite_frequency"}
    common |= {"loss_scale_factor", "gradient_accumulation_steps", "name", "kwargs"}
    assert set(arguments) - common == set(member.model_fields)


@pytest.mark.parametrize("name", OPTIMIZERS.names())
def test_builds(name):
    optimizer = build(OPTIMIZERS.read({name: {"learning_rate": 0.5}}), clipnorm=1.5)
    assert float(optimizer.learning_rate) == 0.5
    assert optimizer.clipnorm == 1.5


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
