"""Every metric of a task, of answers that come batch by batch. Imports Keras."""

from __future__ import annotations

import math

import keras
import numpy as np

from automl import tasks
from automl.records.data import TaskSpec


class Scores:
    """Adds up what a model's answers score.

    Args:
        spec: What was learned.
    """

    def __init__(self, spec: TaskSpec) -> None:
        self._task, self._spec = tasks.of(spec), spec
        loss = keras.metrics.MeanMetricWrapper(self._task.loss(None, spec), name="loss")
        self._metrics = [loss, *self._task.keras_metrics(spec)]
        self._held: list[tuple[np.ndarray, np.ndarray]] = []
        self.examples = 0

    def add(self, outputs: np.ndarray, stored: np.ndarray) -> None:
        """Takes in a batch.

        Args:
            outputs: What the model gives.
            stored: The targets, as the task stores them.
        """
        y = self._task.encode(stored, self._spec.state)
        for metric in self._metrics:
            metric.update_state(y, outputs)
        if self._task.measures:
            self._held.append((outputs, stored))
        self.examples += len(outputs)

    def result(self) -> dict[str, float]:
        """Returns the metrics by their bare names; one that is not finite is left out."""
        found = {metric.name: float(metric.result()) for metric in self._metrics}
        if self._held:
            outputs, stored = (np.concatenate(each) for each in zip(*self._held, strict=True))
            found |= self._task.measure(outputs, stored, self._spec)
        return {name: value for name, value in found.items() if math.isfinite(value)}


def scored(outputs: np.ndarray, stored: np.ndarray, spec: TaskSpec) -> dict[str, float]:
    """Returns the metrics of answers that are there at once; see `Scores`."""
    scores = Scores(spec)
    scores.add(outputs, stored)
    return scores.result()
