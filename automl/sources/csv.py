"""Tables of comma-separated values: one example a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

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

    def _files(self, learned: Mapping[str, Any] | None = None) -> Files:
        table = Table(self.separator, self.decimal, self.header)
        if learned is not None:
            table.percent.update({name: name in learned["percent"] for name in learned["features"]})
        return _Texts(table, None if learned is None else learned["texts"])

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

    @staticmethod
    def batches(paths: Sequence[str], how: Mapping[str, Any]) -> Iterator[tuple[Sequence[Any], Mapping[str, Any]]]:
        """Reads plain CSV files where this package is not; see `Source.batches`."""
        import csv
        import itertools
        import unicodedata

        import numpy as np

        fields, features, texts = how["fields"], how["learned"]["features"], how["learned"]["texts"]
        missing = ("", "?", "NA", "N/A", "NaN", "nan", "null", "None")
        offset, first = fields.get("offset", 0.0), 1
        offsets = [offset.get(name, 0.0) if isinstance(offset, dict) else offset for name in features]
        numeric = [name for name in features if name not in texts]

        def tidy(text: str) -> str:
            return unicodedata.normalize("NFC", text).strip()

        def number(text: str, *, percent: bool) -> float:
            text = text.strip()
            if text in missing or text.lower() in ("true", "false"):
                return float("nan") if text in missing else float(text.lower() == "true")
            if text.endswith("%") != percent:
                raise ValueError
            whole = text.removesuffix("%")
            if fields.get("decimal", ".") == ",":
                whole = whole.replace(".", "!").replace(",", ".")
            return float(whole) / (100 if percent else 1)

        def numbers(column: Sequence[str], name: str, path: str, row: int) -> np.ndarray:
            percent, found = name in how["learned"].get("percent", ()), list[float]()
            try:
                for text in column:
                    found.append(number(text, percent=percent))
            except ValueError:
                told = f"{column[len(found)]!r}; expected {'a percentage' if percent else 'a plain number'}"
                raise ValueError(f"{path}: row {row + len(found)}, column {name!r}: {told}") from None
            return np.array(found)

        for path in paths:
            with open(path, newline="", encoding="utf-8-sig") as file:  # noqa: PTH123 - a copy needs no pathlib
                reader = csv.reader(file, delimiter=fields.get("separator", ","), skipinitialspace=True)
                rows: Iterator[list[str]] = filter(None, reader)
                head, row = next(rows, []), 1
                if not fields.get("header", True):
                    rows, head = itertools.chain([head], rows), [f"column_{n}" for n in range(1, len(head) + 1)]
                head = [tidy(name) for name in head]
                if bad := [name for name in features if head.count(name) != 1]:
                    raise ValueError(f"{path}: expected one column {bad[0]!r}; received {head.count(bad[0])}")
                while some := list(itertools.islice(rows, 256)):
                    for place, cells in enumerate(some, row):
                        if len(cells) != len(head):
                            raise ValueError(f"{path}: row {place}: expected {len(head)} values; received {len(cells)}")
                    given = dict(zip(head, zip(*some, strict=True), strict=True))
                    columns: dict[str, Any] = {name: numbers(given[name], name, path, row) for name in numeric}
                    columns |= {name: [tidy(text) for text in given[name]] for name in features if name in texts}
                    if not texts:
                        x = np.stack([columns[name] for name in features], axis=1) - offsets
                        x = x.reshape(len(x), *(fields.get("shape") or [-1]))
                        columns["x"] = np.moveaxis(x, 1, -1) if fields.get("channels_first") else x
                    yield list(range(first, first + len(some))), columns
                    first, row = first + len(some), row + len(some)

    @classmethod
    def toy(cls, folder: Path) -> Csv:
        """Writes 90 rows of four features and a text label, three classes."""
        rng = np.random.default_rng(0)
        rows = [",".join([*rng.normal(i % 3, 1, 4).round(4).astype(str), "abc"[i % 3]]) for i in range(90)]
        (folder / "toy.csv").write_text("\n".join(["f1,f2,f3,f4,label", *rows]) + "\n", encoding="utf-8")
        return cls(file=str(folder / "toy.csv"), target="label")


class _Texts(Files):
    """Files of text, parsed from their beginning whenever some of their rows are read."""

    def __init__(self, table: Table, texts: Sequence[str] | None = None) -> None:
        super().__init__()
        self.decimal = table.decimal
        self._table = table
        self._texts = texts
        self._seen: list[Seen] = []

    @property
    def percent(self) -> list[str]:
        return [name for name, holds in self._table.percent.items() if holds]

    def add(self, path: Path) -> None:
        seen = self._table.seen(path)
        self.paths.append(path)
        self.names.append(seen.names)
        self.sizes.append(seen.rows)
        self._seen.append(seen)

    @cached_property
    def _kinds(self) -> dict[str, _kinds.Column]:
        if self._texts is not None:  # a cell that is no number is found when it is read
            return {name: _kinds.Column(written=name in self.percent) for name in self.shared}
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
