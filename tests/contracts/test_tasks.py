"""Every task: targets there and back, a head, a loss, metrics in its own table, toy data that can be learned."""

import json

import numpy as np
import pytest
import specs
import sweeps

from automl import inputs, tasks
from automl.errors import Infeasible
from automl.model import build
from automl.records.data import TARGETS
from automl.records.objective import Objective
from automl.training.losses import LOSSES
from automl.training.section import Training

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

EACH = [
    *((name, "image") for name in tasks.registry.names()),
    *(("classification", reader) for reader in inputs.registry.names() if reader != "image"),
]
"""Each task with one input and each input with one task: a head does not ask where its flow came from."""

PAIRS = sweeps.part(EACH, [(name, reader) for name in tasks.registry.names() for reader in inputs.registry.names()])


@pytest.mark.parametrize("name", tasks.registry.names())
def test_declares_itself(name):
    task = tasks.registry.get(name)
    assert task.model_json_schema()
    assert all(info.description for info in task.model_fields.values())
    assert task.default_objective.removeprefix("val_") in task.metrics
    assert set(task.metrics.values()) <= {"max", "min"}
    assert set(task.measures) <= set(task.metrics)
    assert set(task.losses) <= set(LOSSES)


@pytest.mark.parametrize("name", tasks.registry.names())
def test_builds_the_losses_that_fit_and_refuses_others(name):
    task, spec = tasks.registry.read(name), specs.toy(name).data.task
    own = LOSSES.get(task.losses[0])
    assert type(task.loss(None, spec)).__name__ == own.keras_class
    for loss in task.losses:
        assert type(task.loss(LOSSES.read(loss), spec)).__name__ == LOSSES.get(loss).keras_class
    picky = type("Picky", (type(task),), {"losses": task.losses[:1], "__module__": "picky"})()
    for loss in set(LOSSES) - set(picky.losses):
        message = f"^training.loss: {loss} does not fit picky. Expected one of {task.losses[0]}$"
        with pytest.raises(Infeasible, match=message):
            picky.loss(LOSSES.read(loss), spec)


@pytest.mark.parametrize("name", tasks.registry.names())
def test_targets_go_there_and_back(name):
    task = tasks.registry.read(name)
    latent, raw = task.toy(np.random.default_rng(0))
    assert 0 <= latent.min() < latent.max() <= 1
    spec, stored = specs.aimed(name, raw)
    assert json.loads(json.dumps(spec.state)) == spec.state
    assert task.scan({TARGETS: raw}).items() <= spec.state.items()
    assert len(stored) == len(raw) == len(latent)
    encoded, weights = task.encode(stored, spec.state), task.weights(stored, spec.state)
    assert encoded.dtype == np.float32
    assert weights is None or (weights.shape, weights.dtype) == ((len(raw),), np.float32)
    columns, likely = task.answers(encoded, json.loads(json.dumps(task.metadata(spec))))
    found = columns["prediction"]
    if raw.dtype.kind == "f":
        np.testing.assert_allclose(found, raw, rtol=1e-5)
    else:  # words, of which there may be several in any order
        assert [set(text.split("|")) for text in found] == [set(text.split("|")) for text in raw]
    assert [*likely] == spec.state.get("classes", [])
    assert all(len(column) == len(raw) for column in (*columns.values(), *likely.values()))
    assert task.tells(spec)


@pytest.mark.parametrize("name", tasks.registry.names())
def test_has_baselines_that_answer_as_a_model_does(name):
    toy = specs.toy(name, "table")
    task, spec = tasks.of(toy.data.task), toy.data.task
    reader = inputs.of(toy.data.inputs[0])
    x = np.nan_to_num(reader.plain(reader.encode(toy.columns, toy.data.inputs[0]), toy.data.inputs[0]))
    found = dict(task.baselines(x, toy.targets, x[:7], spec))
    assert len(found) == 2
    assert list(found)[-1] == "linear"
    for outputs in found.values():
        assert outputs.dtype == np.float32
        assert outputs.shape == (7, *task.encode(toy.targets, spec.state).shape[1:])
        assert np.isfinite(outputs).all()
    # The simplest knows nothing of an example.
    assert (found[next(iter(found))] == found[next(iter(found))][0]).all()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "reader"), PAIRS)
def test_learns_its_toy_data(name, reader):
    import keras

    task, toy = tasks.registry.read(name), specs.toy(name, reader)
    spec = toy.data.task
    keras.utils.set_random_seed(0)
    (given,) = toy.data.inputs
    conv = [] if inputs.of(given).flow(given).kind == "table" else [{"conv": {"filters": 8}}]
    network = build.build({"model": [*conv, {"dense": {"units": 16}}]}, toy.data)
    training = Training(optimizer={"adam": {"learning_rate": 0.02}}, clipnorm=1.0)
    build.compile_model(network, training, task, toy.data)

    def measured():
        return task.measure(network.predict(toy.x, verbose=0), toy.targets, spec)

    before = measured()
    history = network.fit(toy.x, toy.y, epochs=12, batch_size=24, verbose=0).history
    assert set(history) == set(task.metrics) - set(task.measures)
    assert set(before) == set(task.measures)
    first = before | {metric: values[0] for metric, values in history.items()}
    last = measured() | {metric: values[-1] for metric, values in history.items()}
    assert np.isfinite(list(last.values())).all()
    metric = task.default_objective.removeprefix("val_")
    assert Objective(metric, task.metrics[metric]).beats(last[metric], first[metric])
