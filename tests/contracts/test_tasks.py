"""Every task: targets there and back, a head, a loss, metrics in its own table, toy data that can be learned."""

import numpy as np
import pytest

from automl import inputs, tasks
from automl.errors import Infeasible
from automl.model import build
from automl.records.data import DataSpec
from automl.training.losses import LOSSES
from automl.training.section import Training

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.mark.parametrize("name", tasks.registry.names())
def test_declares_itself(name):
    task = tasks.registry.get(name)
    assert task.model_json_schema()
    assert all(info.description for info in task.model_fields.values())
    assert task.default_objective.removeprefix("val_") in task.metrics
    assert set(task.metrics.values()) <= {"max", "min"}
    assert set(task.losses) <= set(LOSSES)


@pytest.mark.parametrize("name", tasks.registry.names())
def test_builds_the_losses_that_fit_and_refuses_others(name):
    task = tasks.registry.read(name)
    own = LOSSES.get(task.losses[0])
    assert type(task.loss()).__name__ == own.keras_class
    for loss in task.losses:
        assert type(task.loss(LOSSES.read(loss))).__name__ == LOSSES.get(loss).keras_class
    picky = type("Picky", (type(task),), {"losses": task.losses[:1]})()
    for loss in set(LOSSES) - set(picky.losses):
        message = f"^training.loss: {loss} does not fit picky. Expected one of {task.losses[0]}$"
        with pytest.raises(Infeasible, match=message):
            picky.loss(LOSSES.read(loss))


@pytest.mark.slow
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
    network = build.build({"model": [{"conv": {"filters": 8}}, {"dense": {"units": 16}}]}, data)
    training = Training(optimizer={"adam": {"learning_rate": 0.02}}, clipnorm=1.0)
    build.compile_model(network, training, task, data)
    logs = network.fit(x, task.encode(y, classes), epochs=12, batch_size=24, verbose=0).history
    assert set(logs) == set(task.metrics)
    assert np.isfinite([values[-1] for values in logs.values()]).all()
    metric = task.default_objective.removeprefix("val_")
    better = logs[metric][-1] > logs[metric][0] if task.metrics[metric] == "max" else logs[metric][-1] < logs[metric][0]
    assert better
