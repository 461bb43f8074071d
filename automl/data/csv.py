"""Tables of comma-separated values: one example a row."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field, PositiveInt

from automl.data import Source
from automl.data._arrays import as_stored, not_text, paired
from automl.data._places import fault, find
from automl.errors import did_you_mean, shorten
from automl.records import Part, Splits

if TYPE_CHECKING:
    import pandas as pd

MISSING = ["", "?", "NA", "N/A", "NaN", "nan", "null", "None"]
"""What stands for a missing feature. A label is never read as missing: `NA` may be a class."""


class Csv(Source):
    """A CSV file with a header line, numeric features and one target column.

    Rows become `(n, features)` float32, or `(n, *shape)` when `shape` is given: `[28, 28, 1]` for images,
    `[steps, channels]` for series, filled row by row. A missing feature is NaN. Targets are numbers when the whole
    column is, else text.
    """

    file: str = Field(description="The file, relative to the place of all data sets", min_length=1)
    target: str = Field(description="Column of the targets")
    columns: tuple[str, ...] | None = Field(
        None, description="Feature columns in order; all but the target if left out"
    )
    group: str | None = Field(
        None, description="Column that says what belongs together (a speaker, a patient): never split between parts"
    )
    test: str | None = Field(None, description="File of the test part, with the same columns")
    shape: tuple[PositiveInt, ...] | None = Field(None, description="Shape of one example, for images and series")
    separator: str = Field(",", description="Character between values", min_length=1, max_length=1)

    def load(self, root: Path | None) -> Splits:
        """Reads the file, and the test file where there is one; see `Source.load`."""
        path = find(self.file, root, "the .csv file")
        features = self._features(path, _header(path, self.separator))
        train = self._part(path, features)
        if self.test is None:
            return Splits(train)
        path = find(self.test, root, "the .csv file of the test part")
        self._features(path, _header(path, self.separator), features)
        return Splits(train, test=self._part(path, features))

    def _features(self, path: Path, header: list[str], wanted: Sequence[str] | None = None) -> list[str]:
        """Returns the feature columns after checking that they and the target are in the file."""
        wanted = wanted or self.columns
        labels = [self.target] if self.group is None else [self.target, self.group]
        for column in (*labels, *(wanted or ())):
            if column not in header:
                what = "target" if column == self.target else "group" if column == self.group else "feature"
                raise fault(
                    path,
                    f"has no {what} column {column!r}",
                    expected=f"one of {shorten(header, 300)}",
                    hint=did_you_mean(column, header),
                )
        features = list(wanted) if wanted else [name for name in header if name not in labels]
        among = next((name for name in labels if name in features), None)
        if among is not None:
            what = "target" if among == self.target else "group"
            raise fault(path, f"the {what} {among!r} is among the feature columns", hint="Leave it out of `columns`")
        if not features:
            raise fault(path, "has no feature column", expected=f"at least one beside {self.target!r}")
        if self.shape is not None and math.prod(self.shape) != len(features):
            raise fault(
                path,
                "rows do not fit `shape`",
                expected=f"{math.prod(self.shape)} feature columns for shape {list(self.shape)}",
                received=f"{len(features)}",
                hint="Choose them with `columns`",
            )
        return features

    def _part(self, path: Path, features: list[str]) -> Part:
        import pandas as pd

        try:
            table = pd.read_csv(
                path,
                sep=self.separator,
                usecols=[*features, self.target, *([self.group] if self.group else ())],
                index_col=False,
                encoding="utf-8-sig",
                keep_default_na=False,
                na_values=dict.fromkeys(features, MISSING),
                # In one piece: read in chunks, a column may get a type of its own in each of them.
                low_memory=False,
            )
        except (ValueError, OSError) as error:
            # pandas' parser errors are ValueErrors.
            raise fault(path, "cannot be read as a table", hint=" ".join(str(error).split())) from error
        x = np.column_stack([_numbers(table[name], path) for name in features])
        if self.shape is not None:
            x = x.reshape(len(x), *self.shape)
        groups = None if self.group is None else table[self.group].to_numpy().astype(str)
        return paired(as_stored(x, path), _targets(table[self.target], path), path, groups)

    @classmethod
    def toy(cls, folder: Path) -> Csv:
        """Writes 90 rows of four features and a text label, three classes."""
        rng = np.random.default_rng(0)
        rows = [",".join([*rng.normal(i % 3, 1, 4).round(4).astype(str), "abc"[i % 3]]) for i in range(90)]
        (folder / "toy.csv").write_text("\n".join(["f1,f2,f3,f4,label", *rows]) + "\n", encoding="utf-8")
        return cls(file=str(folder / "toy.csv"), target="label")


def _header(path: Path, separator: str) -> list[str]:
    """Returns the column names after checking that every row has as many values.

    pandas fills short rows with NaN and shifts or cuts long ones, so a ragged file would train on wrong columns.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=separator, strict=True)
            header = next(reader, None)
            if not header:
                raise fault(path, "is empty", expected="a header line and a row per example")
            twice = sorted({name for name in header if header.count(name) > 1})
            if twice:
                raise fault(path, "two columns bear one name", received=shorten(twice))
            rows = 0
            for row in reader:
                # pandas skips blank lines as well.
                if row and len(row) != len(header):
                    where = f"{path}:{reader.line_num}"
                    raise fault(where, "wrong number of values", expected=f"{len(header)}", received=f"{len(row)}")
                rows += bool(row)
    except UnicodeDecodeError as error:
        raise not_text(path, error) from error
    except (csv.Error, OSError) as error:
        raise fault(path, "cannot be read as comma-separated values", hint=str(error)) from error
    if not rows:
        raise fault(path, "holds no examples", expected="a row per example below the header")
    return header


def _numbers(column: pd.Series, path: Path) -> np.ndarray:
    import pandas as pd

    numbers = pd.to_numeric(column, errors="coerce")
    bad = numbers.isna() & column.notna()
    if bad.any():
        row = int(bad.to_numpy().argmax())
        raise fault(
            path,
            f"the feature column {column.name!r} is not numeric",
            expected="numbers",
            received=f"{shorten(str(column.iloc[row]))} in row {row + 1}",
            hint="Choose the numeric columns with `columns`",
        )
    values: np.ndarray = numbers.to_numpy(dtype=np.float64)
    return values


def _targets(column: pd.Series, path: Path) -> np.ndarray:
    values = column.to_numpy()
    if values.dtype.kind in "iuf":
        return values
    text = values.astype(str)
    empty = np.char.strip(text) == ""
    if empty.any():
        raise fault(path, f"row {int(empty.argmax()) + 1} has no target in column {column.name!r}")
    return text
