"""What is measured of a training is right, changes nothing of it, and says where a gradient exploded or vanished."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from automl.data import prepare
from automl.data.section import DataDocument
from automl.executors import Message
from automl.records.data import DataSpec
from automl.records.objective import Goals
from automl.records.trials import Report, TrialRequest, TrialResult
from automl.worker import gates, health
from automl.worker.gates import Gates
from automl.worker.gradients import Probe
from automl.worker.trial import run_trial

KINDS = {"simple_rnn": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM, "gru": keras.layers.GRU}


def arrays(variables: list[Any]) -> list[np.ndarray]:
    return [np.array(keras.ops.convert_to_numpy(each)) for each in variables]


def compiled(model: keras.Model, **given: Any) -> keras.Model:
    model.compile(**{"optimizer": "adam", "loss": "mse", **given})
    model.optimizer.build(model.trainable_variables)
    model.compute_loss(y=np.zeros((1, model.output_shape[-1])), y_pred=np.zeros((1, model.output_shape[-1])))
    return model


def stacked(units: int, *activations: str) -> keras.Model:
    given = x = keras.Input((3,))
    for activation in activations:
        x = keras.layers.Activation(activation)(keras.layers.Dense(units)(x))
    return compiled(keras.Model(given, keras.layers.Dense(1)(x)))


def test_the_norm_is_that_of_the_gradient_of_the_loss() -> None:
    model, rng = stacked(0), np.random.default_rng(0)
    x, y, w = rng.normal(size=(50, 3)), rng.normal(size=(50, 1)), rng.uniform(size=50)
    kernel, bias = rng.normal(size=(3, 1)), rng.normal(size=1)
    seen = Probe(model, (x, y, w)).look([kernel, bias])
    few = 32  # the first of them
    error = (x @ kernel + bias - y)[:few] * w[:few, None]
    gradient = np.concatenate([(2 / few * x[:few].T @ error).ravel(), 2 / few * error.sum(axis=0)])
    assert seen.norm == pytest.approx(np.linalg.norm(gradient), rel=1e-5)
    assert (seen.first, seen.last, seen.dead, seen.saturated) == (None, None, None, None)


def test_a_unit_is_dead_that_no_example_wakes() -> None:
    model = stacked(4, "relu", "tanh")
    probe = Probe(model, (np.ones((8, 3)), np.ones((8, 1))))
    values = arrays(probe.variables)
    assert probe.look(values).dead is not None
    values[1][:] = [-99, 99, -99, -99]
    seen = probe.look(values)
    assert seen.dead == 0.75
    values[1][:] = -99
    seen = probe.look(values)
    assert (seen.dead, seen.first) == (1.0, 0.0)
    assert seen.last is not None


def test_to_look_at_a_model_changes_nothing_of_it() -> None:
    layers = keras.layers
    given = keras.Input((3,))
    x = layers.Dropout(0.5, seed=1)(layers.BatchNormalization()(layers.Dense(8, kernel_regularizer="l2")(given)))
    model = compiled(keras.Model(given, layers.Dense(1)(x)))
    batch = np.ones((8, 3), np.float32), np.zeros((8, 1), np.float32)
    every = [*model.variables, *model.optimizer.variables]
    before, probe = arrays(every), Probe(model, batch)
    seen = probe.look(arrays(probe.variables))
    assert seen.norm > 0
    assert all(np.array_equal(one, other) for one, other in zip(before, arrays(every), strict=True))
    # The same weights and the same random state: the same figures.
    assert probe.look(arrays(probe.variables)) == seen


def test_of_half_precision_the_true_norm_is_told() -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        half = stacked(4, "relu")
    finally:
        keras.config.set_dtype_policy(before)
    whole = stacked(4, "relu")
    batch = np.ones((8, 3), np.float32), np.ones((8, 1), np.float32)
    values = arrays(whole.trainable_variables)
    assert half.optimizer.name == "loss_scale_optimizer"
    assert Probe(half, batch).look(values).norm == pytest.approx(Probe(whole, batch).look(values).norm, rel=0.02)


@pytest.mark.parametrize("cell", KINDS)
def test_gates_are_those_that_the_layer_has(cell: str) -> None:
    given, valid = keras.Input((5, 3)), keras.Input((5,), dtype="bool")
    layer = KINDS[cell](4, return_sequences=True, name="cell")
    outputs = layer(given, mask=valid)
    rng = np.random.default_rng(0)
    for variable in layer.weights:
        variable.assign(rng.normal(size=variable.shape, scale=2))
    x, mask = rng.normal(size=(6, 5, 3)).astype(np.float32), np.arange(5) < rng.integers(1, 6, size=(6, 1))
    h = np.array(keras.ops.convert_to_numpy(keras.Model([given, valid], outputs)([x, mask])))
    if cell == "simple_rnn":
        expected = np.abs(h) > gates.HIGH
    else:
        kernel, recurrent, bias = arrays(layer.weights)
        before = np.concatenate([np.zeros_like(h[:, :1]), h[:, :-1]], axis=1)
        values = x @ kernel + before @ recurrent + (bias if cell == "lstm" else bias.sum(axis=0))
        keep = [0, 1, 2, 3, 4, 5, 6, 7, 12, 13, 14, 15] if cell == "lstm" else range(8)
        opened = 1 / (1 + np.exp(-values[..., list(keep)]))
        expected = (opened < gates.LOW) | (opened > gates.HIGH)
    many, total = Gates(layer).saturated(x, mask)
    assert total == expected[mask].size
    assert many == np.count_nonzero(expected[mask])
    assert 0.1 < many / total < 0.9


def test_both_directions_have_gates_and_others_tell_of_none() -> None:
    given = keras.Input((5, 3))
    both = keras.layers.Bidirectional(keras.layers.LSTM(4))
    both(given)
    x = np.ones((2, 5, 3), np.float32)
    assert Gates(both).saturated(x)[1] == 2 * 2 * 5 * 12
    hard = keras.layers.LSTM(4, recurrent_activation="hard_sigmoid")
    hard(given)
    assert Gates(hard).saturated(x) == (0, 0)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataSpec:
    """Four pixels, two classes that lie apart."""
    folder = tmp_path_factory.mktemp("data")
    y = (np.arange(120) % 2).astype(np.int64)
    x = np.random.default_rng(0).normal(size=(120, 2, 2, 1)).astype(np.float32) + y[:, None, None, None]
    np.savez(folder / "toy.npz", x=x, y=y)
    document = {
        "name": "toy",
        "source": {"npz": {"file": str(folder / "toy.npz"), "x": "x", "y": "y"}},
        "input": "image",
        "task": "classification",
        "split": {"val": 0.25, "test": 0.25, "seed": 0},
    }
    return prepare.prepare(DataDocument.model_validate(document), folder / "prepared")


Train = Callable[..., tuple[TrialResult, list[Report]]]


@pytest.fixture
def train(data: DataSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    def trained(
        *model: Any, share: float = 0.0, rate: float = 0.1, epochs: int = 4, **training: Any
    ) -> tuple[TrialResult, list[Report]]:
        monkeypatch.setattr(health, "MOST_SHARE", share)
        monkeypatch.setattr(health.Health, "left_s", 0.0)
        given = {"batch_size": 16, "optimizer": {"sgd": {"learning_rate": rate}}, "epochs": epochs, **training}
        document = {"model": ["flatten", *model], "training": given, "data": {"task": "classification"}}
        told: list[Report] = []

        def tell(message: Message) -> bool:
            if isinstance(message, Report):
                told.append(message)
            return True

        # Each in a folder of its own: one would go on from the other's checkpoint.
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        goals = Goals.single("val_accuracy", "max")
        return run_trial(TrialRequest(1, 1, document, 5, data, str(folder), goals, epochs), tell), told

    return trained


def test_a_healthy_training_is_measured_and_has_no_fault(train: Train, eagerly: None) -> None:
    result, told = train({"dense": {"units": 8}}, share=1e9)
    assert (result.outcome, result.gradient, result.message) == ("completed", None, None)
    assert {frozenset(each.health) for each in told} == {frozenset({"gradient_norm", "dead_units", "update_ratio"})}
    assert all(0.01 < each.health["gradient_norm"] < 10 for each in told)
    assert all(value == float(f"{value:.3g}") for each in told for value in each.health.values())
    assert not {name for each in told for name in each.metrics} & set(told[0].health)


def test_without_time_nothing_is_measured_and_a_fault_is_found_all_the_same(train: Train, eagerly: None) -> None:
    deep = [{"dense": {"units": 8, "activation": "sigmoid"}}] * 10
    result, told = train(*deep)
    assert [each.health for each in told] == [{}] * 4
    assert (result.outcome, result.gradient) == ("completed", "vanished")
    assert result.message is not None
    assert result.message.startswith("the gradient vanished (that of the first layer is ")
    assert "another activation (relu, elu), norm, residual blocks" in result.message


def test_a_gradient_that_explodes_is_named_with_what_to_try(train: Train, eagerly: None) -> None:
    twice = [{"dense": {"units": 8, "activation": "linear"}}] * 2
    result, _ = train(*twice, rate=100.0)
    assert (result.outcome, result.gradient) == ("diverged", "exploded")
    assert result.message is not None
    assert result.message.startswith("the training loss became nan in epoch ")
    assert ": the gradient exploded (" in result.message
    assert result.message.endswith("; try training.clipnorm, a smaller learning rate")


def test_what_is_clipped_already_is_not_told_to_clip(train: Train, eagerly: None) -> None:
    found = health.Health(list)
    model = stacked(4, "relu")
    model.optimizer.clipnorm = 1.0
    found.set_model(model)
    assert found._exploded("norm 1e9").message == "the gradient exploded (norm 1e9); try a smaller learning rate"


@pytest.mark.parametrize(("weight", "gradient"), [(1.0, "exploded"), (math.nan, None)])
def test_what_was_no_number_from_the_beginning_did_not_explode(weight: float, gradient: str | None) -> None:
    model = stacked(4, "relu")
    found = health.Health(list)
    found.set_model(model)
    found.begin(lambda: (np.full((8, 3), weight, np.float32), np.zeros((8, 1), np.float32)))
    found.on_train_begin()
    found.on_epoch_begin(0)
    model.trainable_variables[0].assign(np.full((3, 4), np.nan))
    found.on_epoch_end(0, {"loss": math.nan})
    assert (found.finding and found.finding.gradient) == gradient


def test_dead_units_are_named_where_nothing_is_learned() -> None:
    model = stacked(4, "relu")
    found = health.Health(lambda: [{"val_loss": 1.0}] * 3)
    found.set_model(model)
    found.begin(lambda: (np.ones((8, 3), np.float32), np.full((8, 1), 2.0, np.float32)))
    model.trainable_variables[1].assign([-99.0] * 4)
    found.on_train_end()
    assert found.finding is not None
    assert found.finding.gradient == "vanished"
    assert "100% of the units behind relu are dead" in found.finding.message
    # One that has nothing more to learn stands still as well.
    fitted = health.Health(lambda: [{"val_loss": 1.0}] * 3)
    fitted.set_model(model)
    fitted.begin(lambda: (np.ones((8, 3), np.float32), np.zeros((8, 1), np.float32)))
    fitted.on_train_end()
    assert fitted.finding is None


def test_a_model_that_cannot_be_looked_at_is_trained(
    train: Train, eagerly: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: Any) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(Probe, "look", fails)
    result, told = train({"dense": {"units": 8}}, share=1e9)
    assert result.outcome == "completed"
    assert "gradient_norm" not in told[0].health
    assert caplog.text.count("the training is not measured") == 1


@pytest.mark.slow
def test_a_training_ends_the_same_with_and_without(train: Train) -> None:
    block = {"dense": {"units": 8, "norm": "batch", "dropout": 0.3}}
    given: dict[str, Any] = {"optimizer": {"adam": {"learning_rate": 0.01, "use_ema": True}}, "precision": "float32"}
    one, with_figures = train(block, block, share=1e9, **given)
    other, without = train(block, block, share=0.0, **given)
    assert all(each.health for each in with_figures)
    assert not any(each.health for each in without)
    assert [each.metrics for each in with_figures] == [each.metrics for each in without]
    assert (one.score, one.loss, one.metrics) == (other.score, other.loss, other.metrics)
