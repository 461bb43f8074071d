"""Prepared data without files: what `data.prepare` makes of columns that lie in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl import inputs, tasks
from automl.data.section import declared
from automl.inputs import OneColumn
from automl.records.data import EXAMPLES, TARGETS, DataSpec, InputSpec, TaskSpec, Tree


def learned(reader: OneColumn, x: np.ndarray) -> InputSpec:
    """Returns what an input of one column learns from examples as they are stored."""
    return InputSpec(reader.name(), declared(inputs.registry, reader), (EXAMPLES,), x.shape[1:], reader.learned(x))


def read(declaration: Any, raw: Tree) -> tuple[InputSpec, Tree]:
    """Returns what the input of a document learns from raw columns, and the columns as they are stored."""
    reader = inputs.registry.read(declaration)
    scanned = reader.scan(iter([raw]))
    stored = reader.check(raw, scanned)
    state = reader.fit(stored, scanned)
    kind = inputs.registry.name_of(reader)
    return InputSpec(kind, declared(inputs.registry, reader), tuple(stored), reader.shape(stored), state), stored


def aimed(declaration: Any, raw: np.ndarray) -> tuple[TaskSpec, np.ndarray]:
    """Returns what the task of a document learns from raw targets, and the targets as they are stored."""
    task = tasks.registry.read(declaration)
    scanned = task.scan({TARGETS: raw})
    stored = task.store({TARGETS: raw}, scanned)
    return TaskSpec(declared(tasks.registry, task), (TARGETS,), task.fit(stored, scanned)), stored


def classified(spec: InputSpec, classes: Sequence[str]) -> DataSpec:
    """Returns a set of one input whose examples are of classes."""
    return DataSpec("", "toy", "", (spec,), TaskSpec({"classification": {}}, (TARGETS,), {"classes": [*classes]}), {})


@dataclass(frozen=True)
class Toy:
    """A set that can be learned.

    Args:
        data: Its description.
        columns: What its input reads, as it is stored.
        targets: As they are stored.
    """

    data: DataSpec
    columns: Tree
    targets: np.ndarray

    @property
    def x(self) -> np.ndarray:
        """Examples as the model takes them."""
        (spec,) = self.data.inputs
        return inputs.of(spec).encode(self.columns, spec)

    @property
    def y(self) -> np.ndarray:
        """Targets as the loss takes them."""
        return tasks.of(self.data.task).encode(self.targets, self.data.task.state)


def toy(task: Any = "classification", reader: Any = "image") -> Toy:
    """Returns toy data of a task, as an input shows it; both as a document declares them."""
    rng = np.random.default_rng(0)
    latent, raw = tasks.registry.read(task).toy(rng)
    spec, columns = read(reader, inputs.registry.read(reader).toy(latent, rng))
    aim, targets = aimed(task, raw)
    return Toy(DataSpec("", "toy", "", (spec,), aim, {}), columns, targets)
