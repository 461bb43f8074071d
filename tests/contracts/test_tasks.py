"""Every task: targets there and back, a head, a loss, metrics in its own table, toy data that can be learned."""

from types import SimpleNamespace

import numpy as np
import pytest

from automl import inputs, model, tasks
from automl.optimizers import OPTIMIZERS
from automl.records import DataSpec

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.mark.parametrize("name", tasks.registry.names())
def test_declares_itself(name):
    task = tasks.registry.get(name)
    assert task.model_json_schema()
    assert all(info.description for info in task.model_fields.values())
    assert task.default_objective.removeprefix("val_") in task.metrics
    assert set(task.metrics.values()) <= {"max", "min"}


@pytest.mark.parametrize("reader", inputs.registry.names())
@pytest.mark.parametrize("name", tasks.registry.names())
def test_learns_its_toy_data(name, reader):
    import keras

    task, entrance = tasks.registry.read(name), inputs.registry.read(reader)
    part = task.toy(np.random.default_rng(0), reader)
    x = entrance.check(part.x)
    classes = task.classes(part.y)
    y = task.index(part.y, classes)
    data = DataSpec("", "toy", "", reader, name, x.shape[1:], {}, classes, entrance.fit(x))
    keras.utils.set_random_seed(0)
    network = model.build({"model": [{"conv": {"filters": 8}}, {"dense": {"units": 16}}]}, data)
    optimizer = OPTIMIZERS.read({"adam": {"learning_rate": 0.02}})
    model.compile_model(network, SimpleNamespace(optimizer=optimizer, clipnorm=1.0, clipvalue=None), task, data)
    logs = network.fit(x, task.encode(y, classes), epochs=12, batch_size=24, verbose=0).history
    assert set(logs) == set(task.metrics)
    assert np.isfinite([values[-1] for values in logs.values()]).all()
    metric = task.default_objective.removeprefix("val_")
    better = logs[metric][-1] > logs[metric][0] if task.metrics[metric] == "max" else logs[metric][-1] < logs[metric][0]
    assert better
