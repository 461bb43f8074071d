"""Tasks: one file per task. A task owns its target encoding, head, loss, metrics and decoding."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from automl.errors import Infeasible
from automl.flow import Flow, Kind
from automl.records.data import DataSpec, Part
from automl.records.objective import Direction
from automl.registry import Member, Registry
from automl.training.losses import LOSSES, Loss

if TYPE_CHECKING:
    import numpy as np


class Task(Member):
    """What is learned: everything about targets, from the source's raw ones to the figures in the record.

    `metrics` maps each legal metric (as it stands in the logs, without `val_`) to its direction; `losses` names those
    that fit, the task's own first.
    """

    takes: ClassVar[Kind]
    metrics: ClassVar[Mapping[str, Direction]]
    default_objective: ClassVar[str]
    losses: ClassVar[tuple[str, ...]]

    @abstractmethod
    def classes(self, y: np.ndarray) -> tuple[str, ...]:
        """Returns the names of the outputs, learned from the raw targets of every part."""

    @abstractmethod
    def index(self, y: np.ndarray, classes: Sequence[str]) -> np.ndarray:
        """Turns raw targets into what is stored on disk."""

    @abstractmethod
    def strata(self, y: np.ndarray) -> np.ndarray | None:
        """Returns a label per example to stratify splits by, or None."""

    @abstractmethod
    def encode(self, y: np.ndarray, classes: Sequence[str]) -> np.ndarray:
        """Turns a batch of stored targets into what the loss takes."""

    @abstractmethod
    def weights(self, y: np.ndarray, classes: Sequence[str]) -> np.ndarray | None:
        """Returns a weight per output from the stored training targets (balanced classes), or None."""

    @abstractmethod
    def head(self, flow: Flow, data: DataSpec) -> Any:
        """Builds the output tensor on a flow of kind `takes`."""

    def loss(self, declared: Loss | None = None) -> Any:
        """Returns a fresh Keras loss.

        Args:
            declared: The one to train with; None for the task's own, plain one, which every test is measured with.

        Raises:
            Infeasible: It does not fit the task.
        """
        fitting = {LOSSES.get(name): name for name in self.losses}
        if declared is None:
            declared = LOSSES.read(self.losses[0])
        if type(declared) not in fitting:
            received, task = LOSSES.name_of(declared), type(self).__name__.lower()
            expected = ", ".join(fitting.values())
            raise Infeasible(f"training.loss: {received} does not fit {task}. Expected one of {expected}")
        return declared.build()

    @abstractmethod
    def keras_metrics(self, data: DataSpec) -> list[Any]:
        """Returns fresh Keras metrics, named as in `metrics`."""

    @abstractmethod
    def toy(self, rng: np.random.Generator, input: str) -> Part:  # noqa: A002 - the grammar's word
        """Makes a small learnable data set of this task for the input named, for tests."""


registry: Registry[Task] = Registry("automl.tasks", Task, "task")


def of(data: DataSpec) -> Task:
    """Returns the task of prepared data, as it was declared."""
    return registry.get(data.task).model_validate(data.task_fields)
