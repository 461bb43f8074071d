"""Inputs: one file per modality. An input learns preprocessing from the training part and becomes the model's stem."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pydantic import Field

from automl.errors import DataError, Problem, did_you_mean
from automl.flow import Flow, Shape
from automl.records.data import InputSpec, Splits, Tree
from automl.registry import Member, Registry
from automl.training.augmentation import Augmentation

if TYPE_CHECKING:
    import numpy as np


class Rows(Protocol):
    """A column of many rows, in memory or on disk, read by slices."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape, the rows first."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of its values."""

    def __len__(self) -> int:
        """The number of rows."""

    def __getitem__(self, rows: slice) -> np.ndarray:
        """Reads some of them."""


class Input(Member):
    """A modality: which columns it reads, what it learns from them, and the layers that begin the model.

    What a document declares goes through `reads`, once over all rows `scan`, piece by piece `check`, which gives what
    is stored; over the training rows `fit`; batch by batch `encode`, on the host; and `stem`, in the model. The stem is
    built from stock Keras layers and operations alone, so a saved model loads without this package.

    `stores_numbers` says that what is stored are examples of numbers, brought to bytes or float32 and looked at for
    channels of a single value. `augmentations` names the fields of `training.augmentation` that fit; the stem sees to
    those that act on single examples, `automl.data.mixing` to the others.
    """

    augmentations: ClassVar[tuple[str, ...]] = ()
    stores_numbers: ClassVar[bool] = True

    @abstractmethod
    def reads(self, splits: Splits) -> tuple[str, ...]:
        """Returns the columns it reads of those that a source offers.

        Raises:
            DataError: One is not there.
        """

    def reads_again(self, spec: InputSpec, splits: Splits) -> tuple[str, ...]:
        """Returns the columns it reads of what came after the set: those that it read of the set.

        Args:
            spec: What was learned of the set.
            splits: What is read now.

        Raises:
            DataError: Which they are is not said.
        """
        del splits
        return spec.reads

    def scan(self, pieces: Iterator[Tree]) -> dict[str, Any]:
        """Looks at the rows of all parts before any is stored, for what `check` must know; most need not.

        Returns:
            Plain data that JSON can carry.
        """
        del pieces
        return {}

    @abstractmethod
    def check(self, piece: Tree, scanned: Mapping[str, Any], first: int = 0) -> Tree:
        """Returns the columns to store for some rows, in the modality's own layout, without a copy where they are so.

        Args:
            piece: The columns that it reads.
            scanned: What `scan` returned.
            first: Number of the first row in its part, for messages.

        Raises:
            DataError: They cannot be read as this modality.
        """

    @abstractmethod
    def fit(self, columns: Mapping[str, Rows], scanned: Mapping[str, Any]) -> dict[str, Any]:
        """Learns the preprocessing from the stored training rows; returns plain data that JSON can carry."""

    @abstractmethod
    def shape(self, columns: Mapping[str, Rows]) -> tuple[int, ...]:
        """Returns the shape of one example as `encode` gives it."""

    def encode(self, batch: Tree, spec: InputSpec) -> np.ndarray:
        """Returns what the model is given of stored rows: `(batch, *spec.shape) float32`, a copy in any case."""
        import numpy as np

        del spec
        (column,) = batch.values()
        return column.astype(np.float32)

    def fresh(self, piece: Tree, spec: InputSpec, first: int = 0) -> np.ndarray:
        """Returns what the model is given of rows that came after the set: `(batch, *spec.shape) float32`.

        Args:
            piece: The columns that it reads.
            spec: What was learned of the set.
            first: Number of the first row, for messages.

        Raises:
            DataError: They cannot be read as this modality.
        """
        return self.encode(self.check(piece, {}, first), spec)

    @staticmethod
    @abstractmethod
    def encoded(columns: Mapping[str, Any], told: Mapping[str, Any]) -> np.ndarray:
        """Does the same in a program that does not have this package: its source is copied into such.

        Args:
            columns: Those of a batch, as `Source.batches` gives them.
            told: Name, `columns`, `shape` and `state` of the input.
        """

    def plain(self, x: np.ndarray, spec: InputSpec) -> np.ndarray:
        """Returns features that a linear model reads, `(examples, features)`, NaN where one is missing.

        Args:
            x: Examples as `encode` gives them.
            spec: What was learned of them.
        """
        del spec
        return x.reshape(len(x), -1)

    @abstractmethod
    def flow(self, spec: InputSpec) -> Shape:
        """Returns the shape of what the stem gives; imports no Keras."""

    @abstractmethod
    def stem(self, spec: InputSpec, augmentation: Augmentation | None = None) -> tuple[Any, Flow]:
        """Builds the model's entrance.

        Args:
            spec: What it is called, the shape of an example, and what `fit` learned.
            augmentation: Random changes of examples in training, float32 whatever the precision; None for none.

        Returns:
            The `keras.Input` tensor and the flow behind the preprocessing.
        """

    @abstractmethod
    def toy(self, latent: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Makes raw columns that show a hidden number each, so that every task has something to learn, for tests.

        Args:
            latent: `(examples,)`, from 0 to 1.
            rng: Draws the rest.
        """

    @classmethod
    def name(cls) -> str:
        """Returns its registered name."""
        return cls.__module__.rpartition(".")[2]


class OneColumn(Input):
    """An input of one column, which is stored as it is checked."""

    column: str | None = Field(None, description="Column of the examples; null: the source's own", min_length=1)

    def reads(self, splits: Splits) -> tuple[str, ...]:
        """Returns the one column."""
        if self.column is not None:
            return (there(self.column, splits),)
        if splits.examples is None:
            raise DataError(
                f"{self.name()}: which column holds the examples is not said. Expected `column`, one of "
                f"{', '.join(splits.table.columns)}"
            )
        return (splits.examples,)

    def reads_again(self, spec: InputSpec, splits: Splits) -> tuple[str, ...]:
        """Returns the one column, which another source may call otherwise."""
        del spec
        return self.reads(splits)

    def check(self, piece: Tree, scanned: Mapping[str, Any], first: int = 0) -> Tree:
        """Checks the column."""
        del scanned
        ((name, x),) = piece.items()
        return {name: self.checked(x, first)}

    @staticmethod
    def encoded(columns: Mapping[str, Any], told: Mapping[str, Any]) -> np.ndarray:
        """Returns the column as numbers of the model's shape; see `Input.encoded`."""
        import numpy as np

        x = np.asarray(columns[told["columns"][0]], dtype=np.float32)
        x = x[..., np.newaxis] if x.ndim == len(told["shape"]) else x
        if list(x.shape[1:]) != list(told["shape"]):
            raise SystemExit(f"examples have the shape {x.shape[1:]}; expected {tuple(told['shape'])}")
        return x

    @abstractmethod
    def checked(self, x: np.ndarray, first: int = 0) -> np.ndarray:
        """Returns examples in the modality's own layout; see `check`."""

    def fit(self, columns: Mapping[str, Rows], scanned: Mapping[str, Any]) -> dict[str, Any]:
        """Learns from the column."""
        del scanned
        (x,) = columns.values()
        return self.learned(x)

    @abstractmethod
    def learned(self, x: Rows) -> dict[str, Any]:
        """Learns from stored examples; see `fit`."""

    def shape(self, columns: Mapping[str, Rows]) -> tuple[int, ...]:
        """Returns the shape of one stored example."""
        (x,) = columns.values()
        return tuple(x.shape[1:])


def there(column: str, splits: Splits) -> str:
    """Returns a column's name once it is seen to be there.

    Raises:
        DataError: It is not.
    """
    known = splits.table.columns
    if column not in known:
        expected, hint = f"one of {', '.join(known)}", did_you_mean(column, known)
        raise DataError(str(Problem("inputs", f"there is no column {column!r}", expected, hint=hint)))
    return column


registry: Registry[Input] = Registry("automl.inputs", Input, "input")


def of(spec: InputSpec) -> Input:
    """Returns the input of prepared data, as it was declared."""
    return registry.read(spec.declared)
