"""Data sources: one file per source; what they share stands in files with a leading underscore."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from automl.records.data import Splits, Table
from automl.registry import Member, Registry


class Source(Member):
    """Where a data set comes from. Fields are what a user writes under `source:` in a data document."""

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

    @classmethod
    @abstractmethod
    def toy(cls, folder: Path) -> Source:
        """Writes a small set of this source's form into `folder` and returns the source that reads it, for tests."""


registry: Registry[Source] = Registry("automl.sources", Source, "data source")
