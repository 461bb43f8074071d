"""Data sets as they cross a border: what a source gives, what is prepared on disk. No Keras, no MLflow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

if TYPE_CHECKING:
    import numpy as np


Tree = Mapping[str, "np.ndarray"]
"""Columns by name, all of one number of examples."""

EXAMPLES, TARGETS, GROUPS = "x", "y", "group"
"""What the columns of a source are called that has one of each."""


@dataclass(frozen=True)
class Part:
    """One part of a data set that its source holds in memory.

    Args:
        x: Examples, first axis the examples: `(n, height, width, channels)`, `(n, steps, channels)` right-padded with
            NaN, or `(n, features)`.
        y: Raw targets, first axis the examples; class names or numbers for classification.
        groups: What each example belongs to (a speaker, a patient), `(n,)`; an empty id is no group; None when the
            source does not say. No group is ever split.
    """

    x: np.ndarray
    y: np.ndarray
    groups: np.ndarray | None = None


class Table(Protocol):
    """A data set as rows of named columns, read in pieces: it may be larger than memory."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know of the rows that were read so far, a line each."""

    def __len__(self) -> int:
        """The number of rows."""

    def pieces(
        self, columns: Sequence[str], rows: np.ndarray | None = None, *, text: bool = False
    ) -> Iterator[tuple[np.ndarray, Tree]]:
        """Reads columns, some rows at a time.

        Args:
            columns: Names of those to read.
            rows: Which rows, ascending; None for all.
            text: Give words and numbers of a text file as they are written.

        Yields:
            Numbers of rows, ascending, and their columns.

        Raises:
            DataError: Something of them cannot be read.
        """


@dataclass(frozen=True)
class Splits:
    """What a source opens: a table, and which of its rows are which part.

    Args:
        table: The rows.
        rows: Numbers of the rows of `train`, and of `val` and `test` where the set brings them; a part that it does
            not bring is cut from `train`.
        examples: The column that an input of one column reads if it names none; None where there is no such.
        features: The columns that an input of several reads if it names none.
        targets: The columns that a task reads if it names none.
        groups: The column that says what each row belongs to (a speaker, a patient); an empty id is no group. No group
            is ever split.
        is_timeline: Whether the rows of `train` stand in the order of time: what is cut from them is the latest.
        notes: How the set is read, a line each, where that is worth a word; what is seen only while it is read, its
            table says.
        recipe: Returns what `Source.reopened` makes the table of again, as plain data; None where single rows cannot be
            read by themselves.
        learned: Returns what `Source.unlabelled` must know of the set to read some columns of other files as they were
            read here, as plain data; asked once all of the training part was read.
        named: What rows are called, where they have names: files, of pictures.
    """

    table: Table
    rows: Mapping[str, np.ndarray]
    examples: str | None = EXAMPLES
    features: tuple[str, ...] = (EXAMPLES,)
    targets: tuple[str, ...] = (TARGETS,)
    groups: str | None = None
    is_timeline: bool = False
    notes: tuple[str, ...] = ()
    recipe: Callable[[], Mapping[str, Any]] | None = None
    learned: Callable[[Sequence[str]], Mapping[str, Any]] = lambda _: {}
    named: Sequence[str] | None = None


def stored_as(name: str, kind: str, column: str) -> str:
    """Returns what the files of a column are called that an input stores.

    Args:
        name: The input's name.
        kind: Its registered name.
        column: The column.
    """
    # A column may be called anything, also what is no name of a file, or what another input's column would be called.
    quoted = quote(column, safe="").replace(".", "%2E")
    return quoted if name == kind and column != TARGETS else f"{name}.{quoted}"


@dataclass(frozen=True)
class InputSpec:
    """One input of a prepared set, with all that builds its stem.

    Args:
        name: What it is called in the document; a single one bears the name of its kind.
        declared: As it was declared: `{kind: fields}`; `inputs.of` builds it.
        columns: The columns that it stores, by its own names for them; see `stored`.
        shape: Shape of one example as the model takes it, without the batch axis.
        state: What its `fit` learned from the training part, as plain data (means, deviations).
        unstored: Its columns, where they are more than may be stored and are read from their source instead: the shape
            of an example, and the type of its values as NumPy names it.
        reads: The columns that it reads of the source, by the source's names; earlier versions did not tell.
    """

    name: str
    declared: Mapping[str, Any]
    columns: tuple[str, ...]
    shape: tuple[int, ...]
    state: Mapping[str, Any] = field(default_factory=dict)
    unstored: Mapping[str, tuple[tuple[int, ...], str]] = field(default_factory=dict)
    reads: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """The registered name of the input (`image`, `series`)."""
        return next(iter(self.declared))

    def stored(self, column: str) -> str:
        """Returns what the files of a column are called: no other input's, and not those of the targets."""
        return stored_as(self.name, self.kind, column)

    def label(self, part: str) -> str:
        """Returns the name of a layer of the stem; of one among several, it begins with the input's own."""
        return part if self.name == self.kind else f"{self.name}--{part}"


@dataclass(frozen=True)
class TaskSpec:
    """What is learned of a prepared set, with all that builds heads, losses and metrics.

    Args:
        declared: As it was declared: `{kind: fields}`; `tasks.of` builds it.
        columns: The columns of its targets.
        state: What its `fit` learned, as plain data (classes, means).
    """

    declared: Mapping[str, Any]
    columns: tuple[str, ...]
    state: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The registered name of the task (`classification`)."""
        return next(iter(self.declared))


@dataclass(frozen=True)
class FoldState:
    """What was learned from the examples that train one fold.

    Args:
        inputs: States of the inputs, in their order.
        task: State of the task.
    """

    inputs: tuple[Mapping[str, Any], ...]
    task: Mapping[str, Any]


@dataclass(frozen=True)
class DataSpec:
    """A prepared data set on disk, in `folder`, shared by all workers as memory maps; see `data.store`.

    Args:
        folder: Absolute path of the prepared files.
        name: Name of the data set.
        digest: SHA-256 of what was prepared (arrays, split, what the task learned), in hex.
        inputs: What the model is given, one or several.
        task: What is learned.
        sizes: Number of examples by part (`train`, `val`, `test`).
        folds: What was learned for each fold; empty when there are none.
        strategy: How the folds were cut; see `evaluation.Evaluation`.
        fold: Which of them validates, from 0; None for the parts as they lie on disk.
        version: Of the way it was cut; see `data.prepare.VERSION`.
        notes: What a user should know of how the set was read, a line each.
        source: How other examples of the kind are read: as `declared`, `{kind: fields}`, and what was `learned` of the
            files of the set; earlier versions did not tell.
        figures_by: The column of the groups that examples of the validation part belong to; None where none is named.
    """

    folder: str
    name: str
    digest: str
    inputs: tuple[InputSpec, ...]
    task: TaskSpec
    sizes: Mapping[str, int]
    folds: tuple[FoldState, ...] = ()
    strategy: str = "stratified"
    fold: int | None = None
    version: int = 1
    notes: tuple[str, ...] = ()
    source: Mapping[str, Any] = field(default_factory=dict)
    figures_by: str | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the outputs, of a task that has such."""
        return tuple(self.task.state.get("classes", ()))

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of an example, by the names of the inputs."""
        return {each.name: each.shape for each in self.inputs}

    @property
    def profile(self) -> dict[str, Any]:
        """What is told of the set beside its name and digest, as plain data."""
        shapes = {name: list(shape) for name, shape in self.shapes.items()}
        shown = {"shape": next(iter(shapes.values()))} if len(shapes) == 1 else {"shapes": shapes}
        named = {"classes": list(self.classes)} if self.classes else {}
        return {**shown, "sizes": dict(self.sizes), **named}

    def at(self, fold: int | None) -> DataSpec:
        """Returns the same data as one fold sees it; None for all of it."""
        if fold is None:
            return self
        known = self.folds[fold]
        inputs = tuple(replace(each, state=state) for each, state in zip(self.inputs, known.inputs, strict=True))
        return replace(self, fold=fold, inputs=inputs, task=replace(self.task, state=known.task))
