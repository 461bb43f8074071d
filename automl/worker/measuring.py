"""Metrics that need all answers of a part at once, which Keras cannot add up batch by batch: `Task.measures`.

Imports Keras: for workers only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from automl import tasks
from automl.data.feed import targets
from automl.records.data import DataSpec

Beat = Callable[..., None]
"""Is told the number of each batch as it begins, as Keras's own callbacks are; may raise."""


def measured(
    network: keras.Model, batches: Any, data: DataSpec, part: str, beat: Beat | None = None
) -> dict[str, float]:
    """Predicts a part and returns what its task measures of it; predicts nothing for a task without such metrics.

    Args:
        network: What gives the answers.
        batches: The part, in its stored order, as `tf_pipeline.of` returns it.
        data: The prepared set, as the training sees it.
        part: `val` or `test`.
        beat: See `Beat`.
    """
    task = tasks.of(data.task)
    if not task.measures:
        return {}
    beats = [] if beat is None else [keras.callbacks.LambdaCallback(on_predict_batch_begin=beat)]
    outputs = network.predict(batches, verbose=0, callbacks=beats)
    return task.measure(outputs, targets(data, part), data.task)


class Measuring(keras.callbacks.Callback):
    """Puts what the task measures of the validation part into the logs of every epoch, beside what Keras measured.

    It must stand before all that reads the logs, and behind what puts other weights in the model's place to be
    measured.

    Args:
        batches: The validation part, see `measured`.
        data: The prepared set.
        beat: See `Beat`.
    """

    def __init__(self, batches: Any, data: DataSpec, beat: Beat | None = None) -> None:
        super().__init__()
        self._given = (batches, data, "val", beat)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002 - Keras's name
        """Measures; Keras hands the same logs to every callback, one after the other."""
        if logs is not None:
            logs.update({f"val_{name}": value for name, value in measured(self.model, *self._given).items()})
