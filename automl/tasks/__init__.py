"""Tasks: one file per task. A task owns all about targets: what is learned of them, head, loss, metrics, answers."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from automl.errors import DataError, Infeasible, Problem, did_you_mean
from automl.flow import Flow, Kind
from automl.records.data import Splits, TaskSpec, Tree
from automl.records.objective import Direction
from automl.registry import Member, Registry
from automl.training.losses import LOSSES, Loss

if TYPE_CHECKING:
    import numpy as np


STEPS = 200
"""Steps in which a linear model has to learn: one that needs more is a baseline as it is then."""


class Task(Member):
    """What is learned: everything about targets, from the source's raw ones to the figures in the record.

    `metrics` maps each legal metric (as it stands in the logs, without `val_`) to its direction; `measures` names those
    of them that need the whole part's answers at once, the others Keras adds up batch by batch. `losses` names those
    that fit, the task's own first. `as_text` says that targets are read as they are written, `may_be_empty` that text
    without a character is a target too.
    """

    takes: ClassVar[Kind]
    metrics: ClassVar[Mapping[str, Direction]]
    measures: ClassVar[tuple[str, ...]] = ()
    default_objective: ClassVar[str]
    losses: ClassVar[tuple[str, ...]]
    as_text: ClassVar[bool] = True
    may_be_empty: ClassVar[bool] = False

    target: str | tuple[str, ...] | None = Field(
        None, description="Column of the targets, or several; null: the source's own"
    )

    def reads(self, splits: Splits) -> tuple[str, ...]:
        """Returns the columns of the targets, of those that a source offers.

        Raises:
            DataError: One is not there, or none is named.
        """
        named = splits.targets if self.target is None else self.target
        wanted = (named,) if isinstance(named, str) else tuple(named)
        known = splits.table.columns
        if not wanted:
            raise DataError(str(Problem("task", "the target is not named", f"`target`, one of {', '.join(known)}")))
        for place, column in enumerate(wanted):
            if column in wanted[:place]:
                raise DataError(str(Problem("task", f"the target column {column!r} is named twice")))
            if column not in splits.table.columns:
                hint = did_you_mean(column, known)
                what = f"there is no target column {column!r}"
                raise DataError(str(Problem("task", what, f"one of {', '.join(known)}", hint=hint)))
        return wanted

    @abstractmethod
    def scan(self, targets: Tree) -> dict[str, Any]:
        """Learns from the raw targets of all parts what every one of them must know, as the names of classes.

        Returns:
            Plain data that JSON can carry; part of every state.

        Raises:
            DataError: They are no targets of this task.
        """

    @abstractmethod
    def store(self, targets: Tree, scanned: Mapping[str, Any]) -> np.ndarray:
        """Turns raw targets into what is stored on disk, `(examples, ...)`."""

    def fit(self, stored: np.ndarray, scanned: Mapping[str, Any]) -> dict[str, Any]:
        """Learns from the stored targets that train (their mean, the weights of classes); returns the whole state."""
        del stored
        return dict(scanned)

    def strata(self, targets: Tree) -> np.ndarray | None:
        """Returns a label per example to stratify splits by, from raw targets, or None."""
        del targets
        return None

    @abstractmethod
    def baselines(
        self, x: np.ndarray, stored: np.ndarray, others: np.ndarray, spec: TaskSpec
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Yields what is simpler than a network, the simplest first: its name, and its answers, as a model gives them.

        Args:
            x: Features that train, `(examples, features)`, scaled.
            stored: Their targets, as they are stored.
            others: Features of the examples to answer for.
            spec: What the task learned.
        """

    @abstractmethod
    def encode(self, stored: np.ndarray, state: Mapping[str, Any]) -> np.ndarray:
        """Turns a batch of stored targets into what the loss takes."""

    def weights(self, stored: np.ndarray, state: Mapping[str, Any]) -> np.ndarray | None:
        """Returns a weight for each example of a batch, `(batch,) float32`, or None where all weigh the same."""
        del stored, state
        return None

    @abstractmethod
    def head(self, flow: Flow, spec: TaskSpec) -> Any:
        """Builds the output tensor on a flow of kind `takes`."""

    def loss(self, declared: Loss | None, spec: TaskSpec) -> Any:
        """Returns a fresh Keras loss.

        Args:
            declared: The one to train with; None for the task's own, plain one, which every test is measured with.
            spec: What the task learned.

        Raises:
            Infeasible: It does not fit the task.
        """
        del spec
        return self.fitting(declared).build()

    def fitting(self, declared: Loss | None) -> Loss:
        """Returns the loss declared, or the task's own, once it is seen to fit.

        Raises:
            Infeasible: It does not fit the task.
        """
        fitting = {LOSSES.get(name): name for name in self.losses}
        if declared is None:
            declared = LOSSES.read(self.losses[0])
        if type(declared) not in fitting:
            received, expected = LOSSES.name_of(declared), ", ".join(fitting.values())
            raise Infeasible(f"training.loss: {received} does not fit {self.name()}. Expected one of {expected}")
        return declared

    @abstractmethod
    def keras_metrics(self, spec: TaskSpec) -> list[Any]:
        """Returns fresh Keras metrics, named as in `metrics`."""

    @staticmethod
    @abstractmethod
    def answers(outputs: np.ndarray, told: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Turns what the model gives into answers as a user knows them (names of classes, numbers).

        Its source is copied into programs that do not have this package: it imports what it needs itself.

        Args:
            outputs: Of a batch.
            told: What `metadata` returns.

        Returns:
            Columns of answers by name, `(batch,)` each; and the probability of each class, where there are classes.
        """

    def measure(self, outputs: np.ndarray, stored: np.ndarray, spec: TaskSpec) -> dict[str, float]:
        """Returns the metrics of `measures`, of all that a model gives for a part."""
        del outputs, stored, spec
        return {}

    def details(self, outputs: np.ndarray, stored: np.ndarray, spec: TaskSpec) -> list[dict[str, Any]]:
        """Returns what is measured of each class, or of each target, as rows of a table; none where that says no more.

        Args:
            outputs: What a model gives.
            stored: The targets, as they are stored.
            spec: What the task learned.
        """
        del outputs, stored, spec
        return []

    def tells(self, spec: TaskSpec) -> str:
        """Says in a few words what is learned, for people: `10 classes`."""
        del spec
        return self.name()

    def metadata(self, spec: TaskSpec) -> dict[str, Any]:
        """Returns what a reader of what the model gives must know, as plain data: `classes` of probabilities."""
        del spec
        return {}

    @abstractmethod
    def toy(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Makes small learnable targets, for tests.

        Returns:
            A hidden number for each example, from 0 to 1, which an input's `toy` shows, and raw targets made of it.
        """

    @classmethod
    def name(cls) -> str:
        """Returns its registered name."""
        return cls.__module__.rpartition(".")[2]


_INTEGER = re.compile(r"[+-]?\d{1,4000}")  # Python reads no longer one

registry: Registry[Task] = Registry("automl.tasks", Task, "task")


def of(spec: TaskSpec) -> Task:
    """Returns the task of prepared data, as it was declared."""
    return registry.read(spec.declared)


def in_order(names: Iterable[str]) -> list[str]:
    """Returns names of classes in numerical order where all are whole numbers, else in alphabetical order."""
    found = sorted(names)
    return sorted(found, key=int) if all(map(_INTEGER.fullmatch, found)) else found


def one(targets: Tree, task: str) -> np.ndarray:
    """Returns the only column of targets.

    Raises:
        DataError: There are several.
    """
    if len(targets) > 1:
        received = ", ".join(targets)
        raise DataError(str(Problem(task, "it has one target", "one column", received)))
    (column,) = targets.values()
    return column
