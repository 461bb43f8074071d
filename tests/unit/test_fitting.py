from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from automl.data import prepare, tf_pipeline
from automl.data.section import DataDocument
from automl.model import build
from automl.records.objective import Objective
from automl.worker.fitting import Fitting

pytestmark = pytest.mark.slow


def fitting(folder: Path, **training: Any) -> Fitting:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 6, 6, 1)).astype(np.float32), np.arange(64) % 3
    np.savez(folder / "toy.npz", x=x, y=y)
    given = {"name": "toy", "source": {"npz": {"file": str(folder / "toy.npz"), "x": "x", "y": "y"}}}
    read = DataDocument.model_validate({**given, "input": "image", "task": "classification"})
    document: Mapping[str, Any] = {
        "model": [{"conv": {"filters": 4, "norm": "batch"}}, "flatten", {"dense": {"units": 4, "dropout": 0.2}}],
        "training": {"batch_size": 16, "optimizer": {"adam": {}}, **training},
        "data": {"task": "classification"},
    }
    return Fitting(document, prepare.prepare(read, folder / "prepared"), 5, Objective("val_accuracy", "max"))


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="the others have made all variables by then")
def test_a_training_step_is_traced_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorFlow traces a function again whose first trace made variables; in a search, at each trial."""
    one = fitting(tmp_path)
    network = build.build(one.document, one.data)
    one.compile(network)
    traced: list[bool] = []
    compute_loss = network.compute_loss

    def counted(*args: Any, training: bool = True, **given: Any) -> Any:
        traced.append(training)
        return compute_loss(*args, training=training, **given)

    monkeypatch.setattr(network, "compute_loss", counted)
    train = one.feed("train")
    parts = tf_pipeline.of(train), tf_pipeline.of(one.feed("val"))
    network.fit(parts[0], validation_data=parts[1], epochs=3, callbacks=[train.clock()], shuffle=False, verbose=0)
    assert traced == [True, False]


def test_what_compiling_makes_is_not_measured(tmp_path: Path) -> None:
    one = fitting(tmp_path)
    network = build.build(one.document, one.data)
    before = network.get_weights()
    one.compile(network)
    assert network.optimizer.built
    assert len(network.optimizer.variables) > 2 * len(network.trainable_variables)
    assert all(float(np.sum(keras.ops.convert_to_numpy(each))) == 0 for each in network.metrics_variables)
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
