"""Examples that came after the set, as a model takes them: read a batch at a time, as its set was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from automl import inputs, sources
from automl.errors import DataError
from automl.inputs import Input
from automl.records.data import DataSpec, InputSpec, Splits, Tree
from automl.sources import _arrays

Batch = tuple[np.ndarray, dict[str, np.ndarray]]
"""The numbers of its rows, from 0, and what the model is given, by the names of its inputs."""


class Later:
    """Examples that came after the set that a model learned from.

    Args:
        data: That set.
        opened: The examples.
        where: What messages call them.

    Raises:
        DataError: They lack what the model reads.
    """

    def __init__(self, data: DataSpec, opened: Splits, where: str) -> None:
        self._table, self._named, self._where = opened.table, opened.named, where
        readers = [(each, inputs.of(each)) for each in data.inputs]
        self._inputs = [(each, reader, reader.reads_again(each, opened)) for each, reader in readers]
        self._wanted = list(dict.fromkeys(name for *_, columns in self._inputs for name in columns))
        there = self._table.columns
        if missing := next((name for name in self._wanted if name not in there), None):
            expected = f"Expected the columns {', '.join(self._wanted)}; received {', '.join(there)}"
            raise DataError(f"{where}: there is no column {missing!r}. {expected}.")

    def __len__(self) -> int:
        return len(self._table)

    def names(self, rows: np.ndarray) -> list[Any]:
        """Returns what examples are called: their files, or their numbers from 1."""
        return (rows + 1).tolist() if self._named is None else [self._named[row] for row in rows]

    def batches(self, size: int, rows: np.ndarray | None = None) -> Iterator[Batch]:
        """Yields examples in their order.

        Args:
            size: Examples of a batch; the last of a piece may have fewer.
            rows: Which, ascending; None for all.

        Raises:
            DataError: One cannot be read as the set was.
        """
        for places, piece in self._table.pieces(self._wanted, rows):
            for start in range(0, len(places), size):
                some, span = places[start : start + size], slice(start, start + size)
                cut = {name: column[span] for name, column in piece.items()}
                first = int(some[0])
                yield some, {each.name: self._read(cut, each, reader, of, first) for each, reader, of in self._inputs}

    def _read(self, piece: Tree, spec: InputSpec, reader: Input, columns: Sequence[str], first: int) -> np.ndarray:
        mine = {name: piece[name] for name in columns}
        if reader.stores_numbers:
            mine = {name: _arrays.as_stored(values, self._where, first) for name, values in mine.items()}
        x = reader.fresh(mine, spec, first)
        if x.shape[1:] != tuple(spec.shape):
            expected, received = ("x".join(map(str, shape)) for shape in (spec.shape, x.shape[1:]))
            what = f"{spec.name}: examples are not of the model's shape. Expected {expected}; received {received}"
            raise DataError(f"{self._where}: {what}.")
        return x


def unlabelled(data: DataSpec, paths: Sequence[Path]) -> Later:
    """Opens files whose targets nobody knows, of the form of the set's, or arrays.

    Raises:
        DataError: One cannot be read, or lacks what the model reads.
    """
    source = sources.registry.read(data.source["declared"])
    told = str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
    return Later(data, source.unlabelled(paths, data.source["learned"]), told)
