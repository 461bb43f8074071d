"""Data sources: one file per source; what they share stands in files with a leading underscore."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from automl.records.data import Splits, Table
from automl.registry import Member, Registry

if TYPE_CHECKING:
    import numpy as np


class Source(Member):
    """Where a data set comes from. Fields are what a user writes under `source:` in a data document.

    `runtime` is what pip installs to read such files, beside NumPy, in a program that does not have this package.
    """

    runtime: ClassVar[tuple[str, ...]] = ()

    def learning(self, target: str | tuple[str, ...] | None, *, may_be_empty: bool = False) -> Self:
        """Returns the source of a set for a task, which may name what it learns: that is no feature then.

        Args:
            target: What the task names, if anything.
            may_be_empty: Whether text without a character is a target.

        Raises:
            ValueError: The source names another target.
        """
        del target, may_be_empty
        return self

    @abstractmethod
    def open(self, root: Path | None) -> Splits:
        """Opens the set: a table of named columns, and which of its rows are which part.

        Args:
            root: The folder given by the user for relative paths, or None to look in the usual places.

        Raises:
            DataError: The set is missing (the message says what to put where), or cannot be read.
        """

    def reopened(self, recipe: Mapping[str, Any]) -> Table:
        """Returns the table that was opened before, without looking for its files again; for a source that gives one.

        Args:
            recipe: What `Splits.recipe` returned.
        """
        raise NotImplementedError(f"{type(self).__name__} gives no recipe")

    def open_like(self, root: Path | None, learned: Mapping[str, Any]) -> Splits:
        """Opens the set as `open` does, its columns read as those of another set were, which a model learned from.

        Args:
            root: See `open`.
            learned: What `Splits.learned` returned for the other set; empty where that was of another form.

        Raises:
            DataError: See `open`.
        """
        del learned
        return self.open(root)

    def unlabelled(self, paths: Sequence[Path], learned: Mapping[str, Any]) -> Splits:
        """Opens files of this form whose targets nobody knows yet, to be predicted: all rows are the part `predict`.

        Unless a source has files of its own, these are arrays: `.npy` with examples, `.npz` with columns by name.

        Args:
            paths: The files.
            learned: What `Splits.learned` returned for the set.

        Raises:
            DataError: One cannot be read.
        """
        from automl.sources import _unlabelled

        del learned
        return _unlabelled.arrays(paths, _as_it_is)

    @staticmethod
    def batches(paths: Sequence[str], how: Mapping[str, Any]) -> Iterator[tuple[Sequence[Any], Mapping[str, Any]]]:
        """Reads such files as a program without this package does: its source is copied into such.

        Args:
            paths: The files.
            how: `fields` of the source, what was `learned` of its files, and the `inputs`.

        Yields:
            What the examples of a batch are called, and their columns by name; `x` is the one of inputs that name none.
        """
        import numpy as np

        fields, first = how["fields"], 1
        for path in paths:
            held = np.load(path, allow_pickle=False)
            columns = {"x": held} if isinstance(held, np.ndarray) else {name: held[name] for name in held.files}
            called = next(iter(columns)) if len(columns) == 1 else fields.get("x", "x")
            if called in columns:
                x = columns.pop(called)
                x = np.moveaxis(x, 1, -1) if fields.get("channels_first") else x
                columns["x"] = x.astype(np.float64) - fields["offset"] if np.any(fields.get("offset", 0)) else x
            count = len(next(iter(columns.values())))
            for start in range(0, count, 256):
                names = list(range(first + start, first + min(start + 256, count)))
                yield names, {name: x[start : start + 256] for name, x in columns.items()}
            first += count

    @classmethod
    @abstractmethod
    def toy(cls, folder: Path) -> Source:
        """Writes a small set of this source's form into `folder` and returns the source that reads it, for tests."""


def _as_it_is(x: np.ndarray, where: Path) -> np.ndarray:
    del where
    return x


registry: Registry[Source] = Registry("automl.sources", Source, "data source")
