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
from automl.sources._arrays import not_text, tidy
from automl.sources._packed import UNPACKING, opened
from automl.sources._places import fault

if TYPE_CHECKING:
    import pandas as pd

MISSING = ["", "?", "NA", "N/A", "NaN", "nan", "null", "None"]
"""What stands for a missing feature. A label is never read as missing: `NA` may be a class."""

CELLS = 2_000_000
"""Cells read at a time, where a table is read in pieces: 16 MB as float64."""


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
        """Returns the names of the columns after checking that every row has as many values.

        pandas fills short rows with NaN and shifts or cuts long ones, so a ragged file would train on wrong columns.
        """
        try:
            with opened(path) as file:
                try:
                    return self._names(path, file)
                except csv.Error as error:
                    if "expected after" not in str(error):
                        raise
                file.seek(0)
                return self._names(path, io.StringIO(_closed(file.read(), self.separator), newline=""))
        except UnicodeDecodeError as error:
            raise not_text(path, error) from error
        except (csv.Error, OSError, *UNPACKING) as error:
            hint = (
                f"{error}; a quote within a value is written twice, and around it are quotes"
                if '"' in str(error)
                else None
            )
            raise fault(path, "cannot be read as comma-separated values", hint=hint or str(error)) from error

    def _names(self, path: Path, file: TextIO) -> list[str]:
        reader = csv.reader(file, delimiter=self.separator, strict=True, skipinitialspace=True)
        first = next(filter(None, reader), None)
        if not first:
            raise fault(path, "is empty", expected="a header line and a row per example")
        names = tidy(first) if self.header else [f"column_{number}" for number in range(1, len(first) + 1)]
        twice = sorted(name for name, count in Counter(names).items() if count > 1)
        if twice:
            raise fault(path, "two columns bear one name", received=shorten(twice))
        rows = 0
        for row in chain(() if self.header else (first,), reader):
            # pandas skips blank lines as well.
            if row and len(row) != len(names):
                where = f"{path}:{reader.line_num}"
                raise fault(where, "wrong number of values", expected=f"{len(names)}", received=f"{len(row)}")
            rows += bool(row)
        if not rows:
            raise fault(path, "holds no examples", expected="a row per example below the header")
        return names

    def head(self, path: Path, names: Sequence[str], rows: int) -> dict[str, tuple[str, ...]]:
        """Returns the columns of the first rows as text, read without pandas: a table may have 100,000 columns."""
        with opened(path) as file:
            reader = filter(None, csv.reader(file, delimiter=self.separator, skipinitialspace=True))
            found = [tidy(row) for row in islice(reader, 1 if self.header else 0, rows + 1)]
        return dict(zip(names, zip(*found, strict=True), strict=True))

    def pieces(
        self, path: Path, names: Sequence[str], features: Sequence[str], texts: Iterable[str], rows: int | None = None
    ) -> Iterator[pd.DataFrame]:
        """Reads some columns, so many rows at a time.

        Args:
            path: The file.
            names: What `names` returned for it.
            features: Columns of numbers; a missing one is NaN.
            texts: Columns read as they are written.
            rows: Rows of a piece; 0 for all of them in one, None for as many as memory is meant to hold.
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
                    na_values=dict.fromkeys(features, MISSING),
                    dtype=dict.fromkeys(texts, str),
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
                    values[:, place], hundredths = self._read(column, path)
                    percent.update([name] if hundredths else [])
        for name, seen in zip(features, ~np.isnan(values).all(axis=0), strict=True):
            if seen and self.percent.setdefault(name, name in percent) != (name in percent):
                raise _mixed(name, path)
        return values

    def _read(self, column: pd.Series, path: Path) -> tuple[np.ndarray, bool]:
        """Returns a column of text as numbers, and whether they are percentages."""
        import pandas as pd

        text = column.astype(object).map(lambda value: str(value).strip(), na_action="ignore")
        text = text.where(text.notna() & ~text.isin(MISSING))
        there = text.notna()
        whole = text[there]
        if whole.isin(["True", "False"]).all():
            return text.map({"True": 1.0, "False": 0.0}).to_numpy(dtype=np.float64), False
        signs = whole.str.endswith("%")
        if signs.any() and not signs.all():
            raise _mixed(str(column.name), path)
        plain = whole.str.removesuffix("%")
        if self.decimal == ",":
            plain = plain.str.translate(str.maketrans({",": ".", ".": "!"}))
        numbers = pd.to_numeric(plain, errors="coerce").reindex(column.index)
        bad = (numbers.isna() & there).to_numpy()
        if bad.any():
            raise self._no_number(column, int(bad.argmax()), path)
        values: np.ndarray = numbers.to_numpy(dtype=np.float64)
        return (values / 100, True) if signs.any() else (values, False)

    def _no_number(self, column: pd.Series, row: int, path: Path) -> DataError:
        received = str(column.iloc[row])
        hint = "Mend the row, or choose the numeric columns with `columns`"
        if self.decimal == "." and re.fullmatch(r"\s*[+-]?\d+,\d+\s*%?", received):
            hint = "Where the comma stands before decimals, write `decimal: ','`"
        return fault(
            path,
            f"the feature column {column.name!r} is not numeric",
            expected=f"a number, or one of {', '.join(filter(None, MISSING))} where it is missing",
            received=f"{shorten(received)} in row {int(column.index[row]) + 1}",
            hint=hint,
        )


def _mixed(name: str, path: Path) -> DataError:
    return fault(
        path,
        f"the column {name!r} holds percentages in some places and plain numbers in others",
        expected="% behind every number of it, in every file of the set, or behind none",
    )


def _closed(text: str, separator: str) -> str:
    """Removes spaces between a closing quote and the separator behind it, which `csv` refuses and pandas reads."""
    end, space = re.escape(separator), "[ \t]*".replace(separator, "")
    part = re.compile(rf'{space}("(?:[^"]|"")*"){space}(?=[{end}\r\n]|\Z)|[^{end}\r\n]+|[{end}\r\n]')
    return part.sub(lambda match: match.group(1) or match.group(), text)
