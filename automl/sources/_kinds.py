"""Finds out which columns of the text tables of a set hold numbers, in one pass over all of its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from automl.errors import DataError
from automl.sources._table import BOOLEANS, Kind, Seen, Table, mixed

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class Column:
    """What is known of the cells of a column, in all files.

    Args:
        problem: Why it does not hold numbers, by its first cell that is none; None where it does.
        written: Whether pandas takes some of its cells for text, so that all of them are read as such and told apart
            here: what a number is, is not to depend on the cells around it.
    """

    problem: DataError | None = None
    written: bool = False
    _kind: Kind = "nothing"
    _boolean: tuple[str, int, Path] | None = field(default=None, repr=False)

    def see(self, kind: Kind, cells: pd.Series, table: Table, path: Path) -> None:
        """Takes note of what some of its cells are."""
        if self.problem is not None or kind == "nothing":
            return
        if kind == "booleans" and self._boolean is None:
            text = cells.astype(object).map(lambda value: str(value).strip())
            row = int(text.isin(BOOLEANS).to_numpy().argmax())
            self._boolean = text.iloc[row], int(cells.index[row]) + 1, path
        if self._kind not in ("nothing", kind):
            name = str(cells.name)
            self.problem = mixed(name, path) if self._boolean is None else table.no_number(name, *self._boolean)
        self._kind = kind


def see(table: Table, files: Mapping[Path, Seen], shared: Sequence[str]) -> dict[str, Column]:
    """Returns what columns hold: numbers where every cell is a number or missing.

    Booleans are numbers where every cell is one or missing.

    Args:
        table: How the files are written.
        files: What was seen of them.
        shared: The columns, which all files have.
    """
    found = {name: Column() for name in shared}
    for path, seen in files.items():
        for piece in table.pieces(path, seen.names, shared, (), rows=seen.piece(len(shared))):
            _see(piece, found, table, path)
    return found


def _see(piece: pd.DataFrame, found: Mapping[str, Column], table: Table, path: Path) -> None:
    import pandas as pd

    kinds = piece.dtypes
    plain = [name for name in piece.columns if pd.api.types.is_numeric_dtype(kinds[name])]
    there = ~np.isnan(piece[plain].to_numpy(dtype=np.float64)).all(axis=0)
    for name, holds in zip(plain, there, strict=True):
        is_boolean = pd.api.types.is_bool_dtype(kinds[name])
        found[name].see("nothing" if not holds else "booleans" if is_boolean else "numbers", piece[name], table, path)
    for name in set(piece.columns) - set(plain):
        column = found[name]
        column.written = True
        if column.problem is None:
            try:
                _, kind = table.cells(piece[name], path)
            except DataError as error:
                column.problem = error
            else:
                column.see(kind, piece[name], table, path)
