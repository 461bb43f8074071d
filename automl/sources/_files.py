"""Files whose rows have named columns, read some rows at a time, whatever the columns are for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from automl.errors import DataError
from automl.records.data import Tree
from automl.sources._arrays import tidy
from automl.sources._places import fault

TEXT_BYTES = 64 * 2**20
"""Memory of a piece of a column of text, each of whose cells takes as much as the longest."""

Pieces = Iterator[tuple[np.ndarray, np.ndarray, Tree]]
"""Numbers of rows in their file, columns of numbers side by side (float64), and other columns."""


class Files(ABC):
    """The files of a set, how they are written and what their columns hold, whatever these are for.

    Attributes:
        paths: They, the training part's first.
        names: Names of the columns of each.
        sizes: How many rows each has.
        decimal: Character before the decimals of a number that is text.
    """

    decimal = "."

    def __init__(self) -> None:
        self.paths: list[Path] = []
        self.names: list[list[str]] = []
        self.sizes: list[int] = []

    @abstractmethod
    def add(self, path: Path) -> None:
        """Adds a file, once it is seen to be a table.

        Raises:
            DataError: It is none, or has no rows.
        """

    @property
    def shared(self) -> tuple[str, ...]:
        """The columns that all files have, in the order of the first."""
        first, *others = self.names
        there = [set(names) for names in others]
        return tuple(name for name in first if all(name in names for names in there))

    @property
    def percent(self) -> list[str]:
        """The columns of those read so far that hold percentages."""
        return []

    @abstractmethod
    def refusal(self, column: str) -> DataError | None:
        """Returns why a column does not hold a number, or nothing, in every row; None where it does."""

    def is_array(self, column: str) -> bool:
        """Returns whether a column holds several numbers in each row, as many in all."""
        del column
        return False

    def read(self, place: int, numbers: Sequence[str], others: Sequence[str], rows: np.ndarray | None = None) -> Pieces:
        """Reads columns of a file, some rows at a time.

        Args:
            place: Which of the files.
            numbers: Those that are read as numbers; a missing one is NaN.
            others: Those that are read as they are, text as it is written; a missing one is empty.
            rows: Which rows, ascending; None for all.
        """
        path, size = self.paths[place], self.sizes[place]
        left, end = np.arange(size) if rows is None else rows, 0
        for start, piece in self._pieces(place, numbers, others, left):
            end = start + len(piece)
            chosen, left = np.split(left, [np.searchsorted(left, end)])
            if len(chosen):
                own = None if len(chosen) == len(piece) else chosen - start
                block, found = self._columns(piece, own, numbers, others, path)
                texts = [values for values in found.values() if values.dtype == object]
                for some in _narrow(texts, slice(0, len(chosen))):
                    cut = {name: values[some] for name, values in found.items()}
                    told = {name: cell.astype(str) if cell.dtype == object else cell for name, cell in cut.items()}
                    yield chosen[some], block[some], told
            if not len(left) and rows is not None:
                return
        if len(left) or end > size:
            raise fault(path, "has changed while it was read", expected=f"{size} rows", received=str(end))

    @abstractmethod
    def _pieces(
        self, place: int, numbers: Sequence[str], others: Sequence[str], rows: np.ndarray
    ) -> Iterator[tuple[int, Any]]:
        """Yields rows that lie behind each other, with the number of the first; those of `rows` are among them."""

    @abstractmethod
    def _columns(
        self, piece: Any, rows: np.ndarray | None, numbers: Sequence[str], others: Sequence[str], path: Path
    ) -> tuple[np.ndarray, Tree]:
        """Returns what `read` does of rows of a piece, None for all; text as `(rows,) object`."""


def words(codes: np.ndarray, different: Sequence[str]) -> np.ndarray:
    """Returns text as it is told apart, `(rows,) object`; most columns of text have few different cells.

    Args:
        codes: Which of the different cells stands in each row; -1 for none.
        different: They.
    """
    found: np.ndarray = np.array([*tidy(different), ""], dtype=object)[codes]
    return found


def _narrow(columns: Sequence[np.ndarray], rows: slice) -> Iterator[slice]:
    """Cuts rows into pieces whose columns of text take no more than `TEXT_BYTES` each."""
    size = rows.stop - rows.start
    longest = max((len(word) for text in columns for word in text[rows]), default=0)
    if size == 1 or 4 * size * longest <= TEXT_BYTES:
        yield rows
        return
    middle = rows.start + size // 2
    yield from _narrow(columns, slice(rows.start, middle))
    yield from _narrow(columns, slice(middle, rows.stop))
