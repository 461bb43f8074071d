"""Answers to raw files whose targets nobody knows, a batch at a time: the files may be larger than memory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from automl import tasks
from automl.data.later import Later, unlabelled
from automl.deploy.finished import Finished
from automl.errors import ConfigError, Problem
from automl.machine import files, keras_backend
from automl.model import saved

BATCH = 1024
"""Examples of a batch, of small ones; of large ones as many as take about `BATCH_BYTES`."""
BATCH_BYTES = 64 * 2**20

EXAMPLE, PROBABILITY = "example", "probability_"
"""The column that says which example, and what stands before the name of a class."""

Columns = Mapping[str, Any]


class Predictions:
    """What a model answers to files.

    Args:
        finished: The model.
        paths: The files.

    Raises:
        ConfigError: A file is not there, or the model's backend is not installed.
        DataError: One cannot be read as the model's set was.
        SearchError: The model's file is gone or damaged.
    """

    def __init__(self, finished: Finished, paths: Sequence[Path]) -> None:
        for path in paths:
            if problem := files.absent(path) or files.special(path):
                raise ConfigError(Problem(files.shown(path), problem, "files to predict"))
        self._data = finished.kept.data
        self._later = unlabelled(self._data, paths)
        self.model = loaded(finished)

    def __len__(self) -> int:
        return len(self._later)

    def batches(self, *, probabilities: bool = False) -> Iterator[Columns]:
        """Yields columns of answers: which example, what is predicted, how sure the model is.

        Args:
            probabilities: Also those of every class.

        Raises:
            ConfigError: There are no classes.
            DataError: An example cannot be read as the model's set was.
        """
        task, told = tasks.of(self._data.task), tasks.of(self._data.task).metadata(self._data.task)
        for rows, outputs in answered(self.model, self._data.shapes, self._later):
            found, likely = task.answers(outputs, told)
            if probabilities and not likely:
                what = f"the model's task, {self._data.task.kind}, has no classes"
                raise ConfigError(Problem("--probabilities", what))
            named = {f"{PROBABILITY}{name}": column for name, column in likely.items()} if probabilities else {}
            yield {EXAMPLE: self._later.names(rows), **found, **named}


def loaded(finished: Finished) -> Any:
    """Returns the Keras model, on its own backend where that is installed; sees a GPU where there is one.

    Raises:
        SearchError: Its file is gone, damaged, or another's.
    """
    if finished.backend is not None and keras_backend.installed(finished.backend):
        os.environ.setdefault("KERAS_BACKEND", finished.backend)
    keras_backend.import_keras(finished.log)
    return saved.load(finished.path, finished.log, finished.kept.data.shapes)


def answered(
    model: Any, shapes: Mapping[str, Sequence[int]], later: Later, rows: np.ndarray | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields numbers of rows and what the model gives for them.

    Args:
        model: The Keras model.
        shapes: Of an example, by the names of the inputs.
        later: The examples.
        rows: Which, ascending; None for all.
    """
    each = 4 * sum(int(np.prod(shape)) for shape in shapes.values())
    size = max(1, min(BATCH, BATCH_BYTES // max(1, each)))
    for some, x in later.batches(size, rows):
        yield some, np.asarray(model.predict_on_batch(saved.taken(x)))
