"""Tables of comma-separated values: one example a row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, PositiveInt, model_validator

from automl.errors import did_you_mean, shorten
from automl.records.data import Part, Splits
from automl.sources import _layout
from automl.sources._arrays import as_stored, paired, tidy
from automl.sources._order import follows, moments
from automl.sources._places import fault, find
from automl.sources._table import Table
from automl.sources._tables import splits

if TYPE_CHECKING:
    import pandas as pd


class Csv(_layout.Arrays):
    """A CSV file with numeric features and one target column, plain or packed (`.csv.gz`, one in a `.zip`).

    Rows become `(n, features)` float32, or `(n, *shape)` when `shape` is given: `[28, 28, 1]` for images,
    `[steps, channels]` for series, filled row by row. A missing feature is NaN, and a column of percentages (`12 %` in
    every row) holds hundredths. Targets and groups are text as it stands in the file, spaces around it aside and in
    Unicode's normal form NFC: `01067` is not `1067`.
    """

    file: str = Field(description="The file, relative to the place of all data sets", min_length=1)
    target: str = Field(description="Column of the targets")
    columns: tuple[str, ...] | None = Field(
        None, description="Feature columns in order; all that no other field names if left out"
    )
    group: str | None = Field(
        None, description="Column that says what belongs together (a speaker, a patient): never split between parts"
    )
    order: str | None = Field(
        None,
        description="Column that says when a row was (a date, a rising number): no feature; parts are cut by it, "
        "the latest rows are the test part, and a test file may hold none that is earlier than a training row",
    )
    test: str | None = Field(None, description="File of the test part, with the same columns")
    shape: tuple[PositiveInt, ...] | None = Field(None, description="Shape of one example, for images and series")
    separator: str = Field(",", description="Character between values", min_length=1, max_length=1)
    decimal: Literal[".", ","] = Field(".", description="Character before the decimals of a number")
    header: bool = Field(True, description="The first line names the columns; false: they are column_1, column_2, ...")
    offset: float | dict[str, float] = Field(
        0.0,
        description="Number taken off every feature, or off the columns named, before they become float32; so it must "
        "be off what the model is given",
    )
    labels: Literal["text", "number"] = Field(
        "text", description="What targets are; as numbers 1, 1.0 and 1e0 are the same"
    )

    @model_validator(mode="after")
    def _agrees(self) -> Csv:
        if self.group is not None and self.order is not None:
            raise ValueError("group and order exclude each other: a cut by time would split groups")
        if self.offset and self.zero_padding is not None:
            raise ValueError(
                "offset and zero_padding exclude each other: what is 0 in the file would not be it any more"
            )
        return self

    def open(self, root: Path | None) -> Splits:
        """Reads the file, and the test file where there is one; see `Source.open`."""
        table = Table(self.separator, self.decimal, self.header)
        path = find(self.file, root, "the .csv file")
        names = table.names(path)
        features = self._features(path, names)
        train, when = self._part(table, path, names, features)
        in_time = self.order is not None
        if self.test is None:
            return splits(train, timeline=in_time)
        path = find(self.test, root, "the .csv file of the test part")
        names = table.names(path)
        self._features(path, names, features)
        test, later = self._part(table, path, names, features)
        if self.order is not None:
            self._check_later(when, later, path)
        return splits(train, test=test, timeline=in_time)

    def _check_later(self, train: np.ndarray, test: np.ndarray, path: Path) -> None:
        apart, (first, last) = follows(train, test, path, str(self.order), self.decimal)
        if not apart:
            raise fault(
                path,
                f"by {self.order!r} the test part is not later than the training part",
                expected=f"rows from {shorten(last)} on, which is the last of the training part",
                received=shorten(first),
                hint="If that does not matter, leave `order` out, and the column out of `columns`; else leave `test` "
                "out, and the test part is the latest of one file",
            )

    @property
    def _others(self) -> dict[str, str]:
        """What is no feature, and its column."""
        named = {"target": self.target, "group": self.group, "order": self.order}
        return {what: tidy([name])[0] for what, name in named.items() if name is not None}

    def _features(self, path: Path, header: list[str], wanted: Sequence[str] | None = None) -> list[str]:
        """Returns the feature columns after checking that they and the others are in the file."""
        wanted = wanted or (tidy(self.columns) if self.columns else None)
        there, others = set(header), {name: what for what, name in reversed(self._others.items())}
        for column in (*others, *(wanted or ())):
            if column not in there:
                raise fault(
                    path,
                    f"has no {others.get(column, 'feature')} column {column!r}",
                    expected=f"one of {shorten(header, 300)}",
                    hint=did_you_mean(column, header),
                )
        features = list(wanted) if wanted else [name for name in header if name not in others]
        among = next((name for name in features if name in others), None)
        if among is not None:
            what = others[among]
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

    def _offsets(self, features: list[str], path: Path) -> np.ndarray:
        """Returns what is taken off each feature."""
        if isinstance(self.offset, float):
            return np.full(len(features), self.offset)
        by_name = dict(zip(tidy(self.offset), self.offset.values(), strict=True))
        there = set(features)
        stray = next((name for name in by_name if name not in there), None)
        if stray is not None:
            hint = did_you_mean(stray, features)
            raise fault(path, f"`offset` names {stray!r}, which is no feature", expected=shorten(features), hint=hint)
        return np.array([by_name.get(name, 0.0) for name in features])

    def _part(self, table: Table, path: Path, names: list[str], features: list[str]) -> tuple[Part, np.ndarray]:
        """Returns the rows in their order, and what the column of the order says, as it stands in the file."""
        texts = self._others
        (rows,) = table.pieces(path, names, features, texts.values(), rows=0)
        x = table.numbers(rows, features, path) - self._offsets(features, path)
        _layout.check(x, path, features)
        if self.shape is not None:
            x = x.reshape(len(x), *self.shape)
        x = self.laid(x, path)
        y = _targets(rows[texts["target"]], path, self.labels == "number")
        groups = np.array(tidy(rows[texts["group"]]), dtype=str) if "group" in texts else None
        when = np.array([])
        if "order" in texts:
            when = rows[texts["order"]].to_numpy(dtype=str)
            # What is equally old stays as it stands in the file.
            latest = np.argsort(moments(when, path, texts["order"], self.decimal), kind="stable")
            x, y = x[latest], y[latest]
        return paired(as_stored(x, path), y, path, groups), when

    @classmethod
    def toy(cls, folder: Path) -> Csv:
        """Writes 90 rows of four features and a text label, three classes."""
        rng = np.random.default_rng(0)
        rows = [",".join([*rng.normal(i % 3, 1, 4).round(4).astype(str), "abc"[i % 3]]) for i in range(90)]
        (folder / "toy.csv").write_text("\n".join(["f1,f2,f3,f4,label", *rows]) + "\n", encoding="utf-8")
        return cls(file=str(folder / "toy.csv"), target="label")


def _targets(column: pd.Series, path: Path, numeric: bool) -> np.ndarray:
    import pandas as pd

    text = np.array(tidy(column), dtype=str)
    empty = text == ""
    if empty.any():
        raise fault(path, f"row {int(empty.argmax()) + 1} has no target in column {column.name!r}")
    if not numeric:
        return text
    numbers = pd.to_numeric(pd.Series(text), errors="coerce")
    if numbers.isna().any():
        row = int(numbers.isna().to_numpy().argmax())
        raise fault(
            path,
            f"the target column {column.name!r} is not numeric",
            expected="numbers, under `labels: number`",
            received=f"{shorten(str(text[row]))} in row {row + 1}",
        )
    values: np.ndarray = numbers.to_numpy()
    return values
