"""Examples that are more than may be stored: read from their source anew, whenever rows of them are asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from automl import inputs, sources
from automl.inputs import Input
from automl.records.data import InputSpec, Splits, Table
from automl.sources import _arrays
from automl.sources._tables import gathered

FILE, ROWS = "reread.json", ".rows"
"""What tells the workers where to read, and the column of the numbers of a part's rows: no other is called so."""


@dataclass(frozen=True)
class Reader:
    """Reads and checks rows of a table for an input.

    Args:
        table: The table.
        reader: The input.
        columns: What it reads of the table.
        scanned: What it saw of all rows: `Input.scan`.
    """

    table: Table
    reader: Input
    columns: tuple[str, ...]
    scanned: Mapping[str, Any]

    def read(self, rows: np.ndarray, column: str) -> np.ndarray:
        """Returns a column of some rows as it would be stored."""
        found = self.reader.check(gathered(self.table, self.columns, rows), self.scanned)[column]
        return _arrays.as_stored(found, self.reader.name()) if self.reader.stores_numbers else found


class Reread:
    """A column of a part, in the place of one on disk.

    Args:
        read: Reads rows of the table.
        rows: The rows of the part.
        shape: Of one example.
        dtype: Of its values, as they would be stored.
    """

    def __init__(
        self, read: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> None:
        self._read, self._rows = read, rows
        self.shape, self.dtype = (len(rows), *shape), dtype
        self.nbytes = int(np.prod(self.shape)) * dtype.itemsize

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        wanted = self._rows[rows]
        found = self._read(wanted) if len(wanted) else np.empty((0, *self.shape[1:]))
        return found.astype(self.dtype, copy=False)


def description(splits: Splits, source: Mapping[str, Any], read: Mapping[str, Reader]) -> str:
    """Returns the content of the file that `columns` reads in a worker.

    Args:
        splits: What the source opened; it can be reopened.
        source: The source, as it was declared.
        read: How inputs read that are not stored, by their names.
    """
    assert splits.recipe is not None
    told = {name: {"columns": each.columns, "scanned": dict(each.scanned)} for name, each in read.items()}
    return json.dumps({"source": dict(source), "recipe": splits.recipe(), "inputs": told})


def columns(folder: Path, part: str, spec: InputSpec, names: Sequence[str]) -> dict[str, Reread]:
    """Returns columns of an input that is not stored, of all rows of a part, by the input's own names for them.

    Raises:
        DataError: Raised when rows are read: the files are not what they were.
    """
    told = json.loads((folder / FILE).read_text(encoding="utf-8"))
    table = sources.registry.read(told["source"]).reopened(told["recipe"])
    known = told["inputs"][spec.name]
    reader = Reader(table, inputs.of(spec), tuple(known["columns"]), known["scanned"])
    rows = np.load(folder / f"{part}_{ROWS}.npy")

    def column(name: str) -> Reread:
        shape, dtype = spec.unstored[name]
        return Reread(lambda rows: reader.read(rows, name), rows, tuple(shape), np.dtype(dtype))

    return {name: column(name) for name in names}
