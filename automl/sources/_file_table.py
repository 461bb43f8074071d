"""Tables that lie in files, one for each part: every column by its own name, and the features side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from automl.records.data import EXAMPLES, TARGETS, Tree
from automl.sources._files import Files

if TYPE_CHECKING:
    from automl.sources._columns import Columns


class FileTable:
    """The rows of all files, behind each other: their columns, the examples, and what is learned as `y`.

    Args:
        files: They.
        source: Makes examples of features, and targets of what stands in the files.
        features: The columns that are learned from.
        targets: The columns that are learned.
        offsets: What is taken off each feature.
        texts: Columns that are read as they are written in any case.
    """

    notes: tuple[str, ...] = ()

    def __init__(
        self,
        files: Files,
        source: Columns,
        features: Sequence[str],
        targets: Sequence[str],
        offsets: np.ndarray,
        texts: Sequence[str] = (),
    ) -> None:
        self._files, self._source, self.texts = files, source, frozenset(texts)
        self._features, self._targets = list(features), tuple(targets)
        self._offsets = offsets
        self._offset = {name: offset for name, offset in zip(features, offsets.tolist(), strict=True) if offset}
        self._starts = np.cumsum([0, *files.sizes])
        shared = files.shared
        self.examples = EXAMPLES
        while self.examples in shared:  # a file's own columns go by their names
            self.examples += "_"
        self._labels = TARGETS if len(targets) == 1 and TARGETS not in shared else None
        self.columns: tuple[str, ...] = (*shared, self.examples, *filter(None, [self._labels]))
        self._later: dict[str, str] = {}
        self._places: np.ndarray | None = None
        self._held: dict[tuple[str, bool], np.ndarray] = {}

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns that a task reads if it names none."""
        return tuple(self._later) or self._targets

    def look_ahead(self, rows: int, places: np.ndarray) -> None:
        """Offers targets that stand elsewhere, as columns of their own: `price` of one row later is `price+1`.

        Args:
            rows: How many rows later they stand.
            places: The row of each row's target; -1 for none.
        """
        self._places = places
        self._later = {f"{name}+{rows}": name for name in self._targets}
        while set(self._later) & set(self.columns):
            self._later = {f"{name}'": own for name, own in self._later.items()}
        self.columns, self._labels = (*self.columns, *self._later), None
        self.columns = tuple(name for name in self.columns if name != TARGETS or name in self._files.shared)

    def has_targets(self) -> np.ndarray:
        """Returns whether each row has all of its targets, `(rows,) bool`."""
        there = np.ones(len(self), bool)
        for name in self._targets:
            values = self._whole(name, text=False).reshape(len(self), -1)
            missing: np.ndarray = values == "" if values.dtype.kind == "U" else np.isnan(values.astype(np.float64))
            has = np.logical_not(missing).all(axis=1)
            there &= has if self._places is None else has[self._places] & (self._places >= 0)
        return there

    def _whole(self, name: str, *, text: bool) -> np.ndarray:
        """Returns a column of a file's own, of all rows, held in memory."""
        if (name, text) not in self._held:
            is_number = not text and self._files.refusal(name) is None
            wanted = ([name], []) if is_number else ([], [name])
            pieces = [
                block[:, 0] if is_number else others[name]
                for place in range(len(self._files.paths))
                for _, block, others in self._files.read(place, *wanted)
            ]
            self._held[name, text] = np.concatenate(pieces)
        return self._held[name, text]

    def __len__(self) -> int:
        return int(self._starts[-1])

    def pieces(
        self, columns: Sequence[str], rows: np.ndarray | None = None, *, text: bool = False
    ) -> Iterator[tuple[np.ndarray, Tree]]:
        """Reads columns, some rows at a time; see `records.data.Table`. No piece reaches over two files."""
        later = [column for column in columns if column in self._later]
        if later:
            yield from self._with_later(columns, later, rows, text=text)
            return
        wanted = self._wanted(columns, text=text)
        for place, start in enumerate(self._starts[:-1]):
            path, size = self._files.paths[place], self._files.sizes[place]
            own = None if rows is None else rows[(rows >= start) & (rows < start + size)] - start
            if own is not None and not len(own):
                continue
            begins = True
            for some, block, others in self._files.read(place, wanted.numbers, wanted.others, own):
                yield (
                    some + start,
                    {
                        column: self._examples(block, others, some, path, begins=begins)
                        if column == self.examples
                        else self._column(self._own(column), wanted, block, others, some, path)
                        for column in columns
                    },
                )
                begins = False

    def _with_later(
        self, columns: Sequence[str], later: Sequence[str], rows: np.ndarray | None, *, text: bool
    ) -> Iterator[tuple[np.ndarray, Tree]]:
        """Reads columns of which some stand in other rows."""
        assert self._places is not None
        rest = [column for column in columns if column not in later]
        every = np.arange(len(self)) if rows is None else rows
        for some, piece in self.pieces(rest, rows, text=text) if rest else [(every, {})]:
            found = {column: self._target(column, some, text=text) for column in later}
            yield some, {**piece, **found}

    def _target(self, column: str, rows: np.ndarray, *, text: bool) -> np.ndarray:
        assert self._places is not None
        name, places = self._later[column], self._places[rows]
        if (places < 0).any():
            raise IndexError(f"row {rows[(places < 0).argmax()]} has no target")
        values = self._whole(name, text=text)[places]
        if values.dtype.kind in "biuf":
            return values
        # Each file's own, so that a missing one is told by its file and its row there.
        found = [
            (here, self._source.labelled(values[here], name, places[here] - start, path))
            for path, start, end in zip(self._files.paths, self._starts[:-1], self._starts[1:], strict=True)
            if len(here := np.flatnonzero((places >= start) & (places < end)))
        ]
        order = np.concatenate([here for here, _ in found])
        return np.concatenate([labels for _, labels in found])[np.argsort(order)]

    def _wanted(self, columns: Sequence[str], *, text: bool) -> _Wanted:
        """Returns which columns of the files are read, and how."""
        named = [self._own(column) for column in columns if column != self.examples]
        written = {self._own(column) for column in columns if text or column == self._labels} | self.texts
        numbers = [name for name in named if name not in written and self._files.refusal(name) is None]
        others = [name for name in named if name not in numbers]
        if self.examples not in columns:
            return _Wanted([*dict.fromkeys(numbers)], [*dict.fromkeys(others)])
        if self._are_arrays:
            return _Wanted([*dict.fromkeys(numbers)], [*dict.fromkeys([*self._features, *others])])
        for name in self._features:
            if problem := self._files.refusal(name):
                raise problem
        return _Wanted([*dict.fromkeys([*self._features, *numbers])], [*dict.fromkeys(others)])

    @property
    def _are_arrays(self) -> bool:
        return all(self._files.is_array(name) for name in self._features)

    def _own(self, column: str) -> str:
        """Returns what a column is called in the files."""
        return self._targets[0] if column == self._labels else column

    def _examples(self, block: np.ndarray, others: Tree, rows: np.ndarray, path: Path, *, begins: bool) -> np.ndarray:
        if self._are_arrays:
            return self._source.stacked([self._less(others[name], name) for name in self._features], rows, path)
        x = block[:, : len(self._features)]
        x = x - self._offsets if self._offset else x
        return self._source.joined(x, self._features if begins else None, rows, path)

    def _column(
        self, name: str, wanted: _Wanted, block: np.ndarray, others: Tree, rows: np.ndarray, path: Path
    ) -> np.ndarray:
        if name not in wanted.others:
            return self._less(block[:, wanted.numbers.index(name)], name)
        if name in self._targets:
            return self._source.labelled(others[name], name, rows, path)
        return self._less(others[name], name)

    def _less(self, values: np.ndarray, name: str) -> np.ndarray:
        """Returns numbers less what is taken off a feature."""
        offset = self._offset.get(name)
        return values - offset if offset and values.dtype.kind in "biuf" else values


@dataclass(frozen=True)
class _Wanted:
    """Columns that are read as numbers, side by side, and others."""

    numbers: list[str]
    others: list[str]
