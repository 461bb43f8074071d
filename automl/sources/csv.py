"""Tables of comma-separated values: one example a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from automl.errors import DataError, shorten
from automl.records.data import Tree
from automl.sources import _kinds
from automl.sources._columns import Columns
from automl.sources._files import Files, words
from automl.sources._places import fault
from automl.sources._table import Seen, Table

if TYPE_CHECKING:
    import pandas as pd


class Csv(Columns):
    """A CSV file, plain or packed (`.csv.gz`, one in a `.zip`).

    Each column is offered by its name: as numbers (float64, NaN where one is missing) if every cell of it is a number,
    in all files of the set; else as text, as it stands in the file, spaces around it aside and in Unicode's normal form
    NFC: `01067` is not `1067`. A column of percentages (`12 %` in every row) holds hundredths. Targets and groups are
    text in any case. The rows are read as they are needed: the file may be larger than memory.

    Beside its columns, a table offers its features side by side, as the examples of inputs that read one array: `(n,
    features)` float32, or `(n, *shape)` when `shape` is given: `[28, 28, 1]` for images, `[steps, channels]` for
    series, filled row by row.
    """

    ending: ClassVar[str] = ".csv"

    separator: str = Field(",", description="Character between values", min_length=1, max_length=1)
    decimal: Literal[".", ","] = Field(".", description="Character before the decimals of a number")
    header: bool = Field(True, description="The first line names the columns; false: they are column_1, column_2, ...")
    labels: Literal["text", "number"] = Field(
        "text", description="What targets are; as numbers 1, 1.0 and 1e0 are the same"
    )

    def _files(self) -> Files:
        return _Texts(Table(self.separator, self.decimal, self.header))

    def labelled(self, values: np.ndarray, column: str, rows: np.ndarray, path: Path) -> np.ndarray:
        """Returns targets as text, or as numbers where that is said."""
        import pandas as pd

        values = super().labelled(values, column, rows, path)
        if self.labels == "text":
            return values
        numbers = pd.to_numeric(pd.Series(values), errors="coerce")
        if numbers.isna().any():
            at = int(numbers.isna().to_numpy().argmax())
            raise fault(
                path,
                f"the target column {column!r} is not numeric",
                expected="numbers, under `labels: number`",
                received=f"{shorten(str(values[at]))} in row {int(rows[at]) + 1}",
            )
        found: np.ndarray = numbers.to_numpy()
        return found

    @classmethod
    def toy(cls, folder: Path) -> Csv:
        """Writes 90 rows of four features and a text label, three classes."""
        rng = np.random.default_rng(0)
        rows = [",".join([*rng.normal(i % 3, 1, 4).round(4).astype(str), "abc"[i % 3]]) for i in range(90)]
        (folder / "toy.csv").write_text("\n".join(["f1,f2,f3,f4,label", *rows]) + "\n", encoding="utf-8")
        return cls(file=str(folder / "toy.csv"), target="label")


class _Texts(Files):
    """Files of text, parsed from their beginning whenever some of their rows are read."""

    def __init__(self, table: Table) -> None:
        super().__init__()
        self.decimal = table.decimal
        self._table = table
        self._seen: list[Seen] = []

    def add(self, path: Path) -> None:
        seen = self._table.seen(path)
        self.paths.append(path)
        self.names.append(seen.names)
        self.sizes.append(seen.rows)
        self._seen.append(seen)

    @cached_property
    def _kinds(self) -> dict[str, _kinds.Column]:
        return _kinds.see(self._table, dict(zip(self.paths, self._seen, strict=True)), self.shared)

    def refusal(self, column: str) -> DataError | None:
        return self._kinds[column].problem

    def _pieces(
        self, place: int, numbers: Sequence[str], others: Sequence[str], rows: np.ndarray
    ) -> Iterator[tuple[int, pd.DataFrame]]:
        del rows  # what lies before a row says where it begins
        path, seen = self.paths[place], self._seen[place]
        written = [name for name in numbers if self._kinds[name].written]
        start = 0
        size = seen.piece(len({*numbers, *others}))
        for frame in self._table.pieces(path, seen.names, numbers, others, size, written):
            yield start, frame
            start += len(frame)

    def _columns(
        self, piece: pd.DataFrame, rows: np.ndarray | None, numbers: Sequence[str], others: Sequence[str], path: Path
    ) -> tuple[np.ndarray, Tree]:
        import pandas as pd

        frame = piece if rows is None else piece.iloc[rows]
        block = self._table.numbers(frame, numbers, path)
        coded = {name: pd.factorize(frame[name]) for name in others}
        return block, {name: words(codes, different.tolist()) for name, (codes, different) in coded.items()}
