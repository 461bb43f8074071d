"""Reads tables, one row an example: the names of their columns, numbers, and text; by one rule in every file of a set.

Text is what stands in the file, without the spaces around it (in quotes or not) and in Unicode's normal form NFC:
`01067` is not `1067`, and `1E2` is not `100`. A number may have spaces around it, and a column whose every value ends
with `%` holds hundredths.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

import numpy as np

from automl.errors import DataError, shorten
from automl.sources import _rows
from automl.sources._arrays import not_text, tidy
from automl.sources._packed import UNPACKING, opened
from automl.sources._places import fault

if TYPE_CHECKING:
    from _csv import Reader

    import pandas as pd

MISSING = ["", "?", "NA", "N/A", "NaN", "nan", "null", "None"]
"""What stands for a missing feature. A label is never read as missing: `NA` may be a class."""

CELLS = 2_000_000
"""Cells read at a time, where a table is read in pieces: 16 MB as float64."""

PIECE_BYTES = 64 * 2**20
"""The same in bytes of the file, where cells are long."""

BOOLEANS = {"True": 1.0, "TRUE": 1.0, "true": 1.0, "False": 0.0, "FALSE": 0.0, "false": 0.0}
"""What pandas reads as booleans."""

Kind = Literal["nothing", "booleans", "percentages", "numbers"]
"""What the cells of a column are that are not missing."""


@dataclass(frozen=True)
class Seen:
    """What is seen of a file before it is read.

    Args:
        names: Names of the columns.
        rows: How many there are.
        row_bytes: What one takes in the file on average.
    """

    names: list[str]
    rows: int
    row_bytes: int

    def piece(self, columns: int) -> int:
        """Returns how many rows are read at a time, of so many columns."""
        return max(1, min(CELLS // max(1, columns), PIECE_BYTES // self.row_bytes))


@dataclass(frozen=True)
class Table:
    """How the tables of a set are written, and which of their columns hold percentages.

    Args:
        separator: Character between values.
        decimal: Character before the decimals of a number.
        header: Whether the first line names the columns; else they are `column_1`, `column_2` and so on.
        percent: Whether a column holds percentages, learned from the first piece that is read of it.
    """

    separator: str = ","
    decimal: Literal[".", ","] = "."
    header: bool = True
    percent: dict[str, bool] = field(default_factory=dict)

    def names(self, path: Path) -> list[str]:
        """Returns the names of the columns after checking that every row has as many values."""
        return self.seen(path).names

    def seen(self, path: Path) -> Seen:
        """Returns the names of the columns and the number of rows, once every row is seen to have as many values.

        pandas fills short rows with NaN and shifts or cuts long ones, so a ragged file would train on wrong columns.
        """
        try:
            return self._counted(path) or self._read_row_by_row(path)
        except UnicodeDecodeError as error:
            raise not_text(path, error) from error
        except (csv.Error, OSError, *UNPACKING) as error:
            hint = (
                f"{error}; a quote within a value is written twice, and around it are quotes"
                if '"' in str(error)
                else None
            )
            raise fault(path, "cannot be read as comma-separated values", hint=hint or str(error)) from error

    def _counted(self, path: Path) -> Seen | None:
        """Returns what is seen of a file whose every row has as many values; None for one that is to be looked at."""
        with opened(path) as file:
            try:
                names, _ = self._named(path, self._reader(file))
            except (csv.Error, UnicodeDecodeError):
                return None
        with opened(path) as file:
            found = _rows.count(file.buffer, self.separator, len(names))
        return None if found is None else _some(path, names, found[0] - self.header, found[1])

    def _read_row_by_row(self, path: Path) -> Seen:
        with opened(path) as file:
            try:
                return self._read_rows(path, file)
            except csv.Error as error:
                if "expected after" not in str(error):
                    raise
            file.seek(0)
            return self._read_rows(path, io.StringIO(_rows.closed(file.read(), self.separator), newline=""))

    def _reader(self, file: TextIO) -> Reader:
        return csv.reader(file, delimiter=self.separator, strict=True, skipinitialspace=True)

    def _named(self, path: Path, reader: Reader) -> tuple[list[str], list[str]]:
        """Returns the names of the columns, and the first row."""
        first = next(filter(None, reader), None)
        if not first:
            raise fault(path, "is empty", expected="a header line and a row per example")
        names = tidy(first) if self.header else [f"column_{number}" for number in range(1, len(first) + 1)]
        check_names(names, path)
        return names, first

    def _read_rows(self, path: Path, file: TextIO) -> Seen:
        reader = self._reader(file)
        names, first = self._named(path, reader)
        rows, size = 0, 0
        for row in chain(() if self.header else (first,), reader):
            # pandas skips blank lines as well.
            if row and len(row) != len(names):
                where = f"{path}:{reader.line_num}"
                raise fault(where, "wrong number of values", expected=f"{len(names)}", received=f"{len(row)}")
            rows += bool(row)
            size += sum(map(len, row)) + len(row)
        return _some(path, names, rows, size)

    def head(self, path: Path, names: Sequence[str], rows: int) -> dict[str, tuple[str, ...]]:
        """Returns the columns of the first rows as text, read without pandas: a table may have 100,000 columns."""
        with opened(path) as file:
            reader = filter(None, csv.reader(file, delimiter=self.separator, skipinitialspace=True))
            found = [tidy(row) for row in islice(reader, 1 if self.header else 0, rows + 1)]
        return dict(zip(names, zip(*found, strict=True), strict=True))

    def pieces(
        self,
        path: Path,
        names: Sequence[str],
        features: Sequence[str],
        texts: Iterable[str],
        rows: int | None = None,
        written: Iterable[str] = (),
    ) -> Iterator[pd.DataFrame]:
        """Reads some columns, so many rows at a time.

        Args:
            path: The file.
            names: What `names` returned for it.
            features: Columns of numbers; a missing one is NaN.
            texts: Columns read as they are written.
            rows: Rows of a piece; 0 for all of them in one, None for as many as memory is meant to hold.
            written: Those of the features that are read as text, and become numbers in `numbers`.
        """
        import pandas as pd

        texts = set(texts)
        wanted = {*features, *texts}
        size = max(1, CELLS // len(wanted)) if rows is None else rows
        try:
            with opened(path) as file:
                read = pd.read_csv(
                    file,
                    sep=self.separator,
                    decimal=self.decimal,
                    header=0 if self.header else None,
                    names=list(names),
                    usecols=[name for name in names if name in wanted],
                    index_col=False,
                    skipinitialspace=True,
                    keep_default_na=False,
                    na_values={name: MISSING for name in features if name not in texts},
                    dtype=dict.fromkeys({*texts, *written}, str),
                    # In one piece: read in chunks, a column may get a type of its own in each of them.
                    low_memory=False,
                    chunksize=size or None,
                )
                yield from [read] if isinstance(read, pd.DataFrame) else read
        except (ValueError, OSError, *UNPACKING) as error:
            # pandas' parser errors are ValueErrors.
            raise fault(path, "cannot be read as a table", hint=" ".join(str(error).split())) from error

    def numbers(self, piece: pd.DataFrame, features: Sequence[str], path: Path) -> np.ndarray:
        """Returns columns of a piece as numbers, `(rows, features) float64`; a missing one is NaN.

        Raises:
            DataError: A value is no number, or a column holds percentages in some places and not in others.
        """
        import pandas as pd

        plain = {name for name, kind in piece.dtypes.items() if pd.api.types.is_numeric_dtype(kind)}
        percent: set[str] = set()
        if plain.issuperset(features):
            values: np.ndarray = piece[list(features)].to_numpy(dtype=np.float64)
        else:
            values = np.empty((len(piece), len(features)))
            for place, name in enumerate(features):
                column = piece[name]
                if name in plain:
                    values[:, place] = column.to_numpy(dtype=np.float64)
                else:
                    values[:, place], kind = self.cells(column, path)
                    percent.update([name] if kind == "percentages" else [])
        for name, seen in zip(features, ~np.isnan(values).all(axis=0), strict=True):
            if seen and self.percent.setdefault(name, name in percent) != (name in percent):
                raise mixed(name, path)
        return values

    def cells(self, column: pd.Series, path: Path) -> tuple[np.ndarray, Kind]:
        """Returns a column of text as numbers, NaN where they are missing, and what they are.

        Raises:
            DataError: A value is no number, or percentages stand beside plain numbers.
        """
        import pandas as pd

        text = column.astype(object).map(lambda value: str(value).strip(), na_action="ignore")
        text = text.where(text.notna() & ~text.isin(MISSING))
        there = text.notna()
        whole = text[there]
        if whole.isin(BOOLEANS).all():
            return text.map(BOOLEANS).to_numpy(dtype=np.float64), "booleans" if len(whole) else "nothing"
        signs = whole.str.endswith("%")
        if signs.any() and not signs.all():
            raise mixed(str(column.name), path)
        plain = whole.str.removesuffix("%")
        if self.decimal == ",":
            plain = plain.str.translate(str.maketrans({",": ".", ".": "!"}))
        numbers = pd.to_numeric(plain, errors="coerce").reindex(column.index)
        bad = (numbers.isna() & there).to_numpy()
        if bad.any():
            row = int(bad.argmax())
            raise self.no_number(str(column.name), str(column.iloc[row]), int(column.index[row]) + 1, path)
        values: np.ndarray = numbers.to_numpy(dtype=np.float64)
        return (values / 100, "percentages") if signs.any() else (values, "numbers")

    def no_number(self, column: str, received: str, row: int, path: Path) -> DataError:
        """Builds the error of a cell that is no number, in a row counted from 1."""
        hint = "Mend the row, or choose the numeric columns with `columns`"
        if self.decimal == "." and re.fullmatch(r"\s*[+-]?\d+,\d+\s*%?", received):
            hint = "Where the comma stands before decimals, write `decimal: ','`"
        return fault(
            path,
            f"the feature column {column!r} is not numeric",
            expected=f"a number, or one of {', '.join(filter(None, MISSING))} where it is missing",
            received=f"{shorten(received)} in row {row}",
            hint=hint,
        )


def check_names(names: Sequence[str], path: Path) -> None:
    """Checks that no two columns bear one name.

    Raises:
        DataError: Two do.
    """
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise fault(path, "two columns bear one name", received=shorten(twice))


def mixed(name: str, path: Path) -> DataError:
    """Builds the error of a column of percentages that are none everywhere."""
    return fault(
        path,
        f"the column {name!r} holds percentages in some places and plain numbers in others",
        expected="% behind every number of it, in every file of the set, or behind none",
    )


def _some(path: Path, names: list[str], rows: int, size: int) -> Seen:
    if not rows:
        raise fault(path, "holds no examples", expected="a row per example below the header")
    return Seen(names, rows, max(1, size // rows))
