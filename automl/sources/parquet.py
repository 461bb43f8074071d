"""Tables in columns: Apache Parquet files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from automl.errors import DataError, shorten
from automl.records.data import Tree
from automl.sources import _lists
from automl.sources._arrays import tidy
from automl.sources._columns import Columns
from automl.sources._files import Files, words
from automl.sources._places import fault
from automl.sources._table import CELLS, PIECE_BYTES, check_names

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow import parquet

BUFFER = 2**20
"""Bytes of a column that are read ahead: a file may be one group of rows, which is not to be held whole."""

_INDEX = re.compile(r"__index_level_\d+__")


class Parquet(Columns):
    """A Parquet file, whose columns say themselves what they hold.

    Numbers, decimals and booleans are numbers (float64, NaN where one is missing); of numbers that only name something
    the input says so. Text and categories (dictionaries) are text, dates and times as well, for `order` to read; a
    missing one is empty. A column of lists that are all of one length holds several numbers in each row, in as many
    axes as lists lie in lists: such features are examples for inputs that read one array, several of them as channels.
    The index that pandas adds without a name is no column. Columns of other types are refused once they are wanted.

    The rows are read as they are needed: the file may be larger than memory.

    Source: https://parquet.apache.org/docs/file-format/
    """

    ending: ClassVar[str] = ".parquet"
    runtime: ClassVar[tuple[str, ...]] = ("pyarrow",)

    def _files(self, learned: Mapping[str, Any] | None = None) -> Files:
        del learned  # its columns say themselves what they hold
        return _Typed()

    @staticmethod
    def batches(paths: Sequence[str], how: Mapping[str, Any]) -> Iterator[tuple[Sequence[Any], Mapping[str, Any]]]:
        """Reads Parquet files where this package is not; see `Source.batches`."""
        import numpy as np
        from pyarrow import parquet

        fields, features, texts = how["fields"], how["learned"]["features"], how["learned"]["texts"]
        offset, first = fields.get("offset", 0.0), 1
        for path in paths:
            for batch in parquet.ParquetFile(path).iter_batches(256, columns=features):
                cells = {name: batch.column(name).to_pylist() for name in features}
                columns: dict[str, Any] = {}
                for name, column in cells.items():
                    if name in texts:
                        columns[name] = ["" if cell is None else str(cell) for cell in column]
                    else:
                        off = offset.get(name, 0.0) if isinstance(offset, dict) else offset
                        columns[name] = np.array([np.nan if x is None else x for x in column], dtype=np.float64) - off
                if not texts:
                    arrays = [columns[name] for name in features]
                    x = arrays[0] if len(arrays) == 1 and arrays[0].ndim > 1 else np.stack(arrays, axis=-1)
                    x = x.reshape(len(x), *(fields.get("shape") or x.shape[1:]))
                    columns["x"] = np.moveaxis(x, 1, -1) if fields.get("channels_first") else x
                yield list(range(first, first + len(batch))), columns
                first += len(batch)

    @classmethod
    def toy(cls, folder: Path) -> Parquet:
        """Writes 90 rows of four features and a text label, three classes, in two groups of rows."""
        import pyarrow as pa
        from pyarrow import parquet

        rng = np.random.default_rng(0)
        labels = np.arange(90) % 3
        columns = {f"f{number}": rng.normal(labels, 1) for number in range(1, 5)}
        table = pa.table({**columns, "label": np.array(["a", "b", "c"])[labels]})
        parquet.write_table(table, folder / "toy.parquet", row_group_size=50)
        return cls(file=str(folder / "toy.parquet"), target="label")


class _Typed(Files):
    """Files whose columns have types."""

    def __init__(self) -> None:
        super().__init__()
        self._fields: list[dict[str, pa.Field]] = []
        # What a column holds is found out once, which may take a pass over it.
        self._shape = cache(self._found_shape)

    def add(self, path: Path) -> None:
        with _opened(path) as file:
            fields = [field for field in file.schema_arrow if not _INDEX.fullmatch(field.name)]
            names = tidy(field.name for field in fields)
            if not names:
                raise fault(path, "has no columns")
            check_names(names, path)
            if not file.metadata.num_rows:
                raise fault(path, "holds no examples", expected="a row per example")
            self.paths.append(path)
            self.names.append(names)
            self.sizes.append(file.metadata.num_rows)
            self._fields.append(dict(zip(names, fields, strict=True)))

    def refusal(self, column: str) -> DataError | None:
        for path, fields in zip(self.paths, self._fields, strict=True):
            if not _lists.is_number(fields[column].type):
                return fault(
                    path,
                    f"the column {column!r} is no number in each row",
                    expected="numbers",
                    received=str(fields[column].type),
                    hint="Choose others with `columns`; what is text is a category of the input table",
                )
        return None

    def is_array(self, column: str) -> bool:
        there = [_lists.depth(fields[column].type) > 0 for fields in self._fields]
        if any(there) and not all(there):
            path = self.paths[there.index(True)]
            raise fault(path, f"the column {column!r} holds lists, and in the other file it does not")
        return all(there) and bool(self._shape(column))

    def _pieces(
        self, place: int, numbers: Sequence[str], others: Sequence[str], rows: np.ndarray
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        path, fields = self.paths[place], self._fields[place]
        wanted = [fields[name].name for name in dict.fromkeys([*numbers, *others])]
        with _opened(path) as file:
            size, start = _piece(file, wanted), 0
            for group in range(file.num_row_groups):
                end = start + file.metadata.row_group(group).num_rows
                if np.searchsorted(rows, end) > np.searchsorted(rows, start):
                    for batch in file.iter_batches(size, [group], columns=wanted):
                        yield start, batch
                        start += len(batch)
                start = end

    def _columns(
        self, piece: pa.RecordBatch, rows: np.ndarray | None, numbers: Sequence[str], others: Sequence[str], path: Path
    ) -> tuple[np.ndarray, Tree]:
        fields = self._fields[self.paths.index(path)]
        batch = piece if rows is None else piece.take(rows)
        block = np.empty((len(batch), len(numbers)))
        for at, name in enumerate(numbers):
            block[:, at] = _numbers(batch.column(fields[name].name), name, path)
        return block, {name: self._other(batch.column(fields[name].name), name, path) for name in others}

    def _other(self, cells: pa.Array, name: str, path: Path) -> np.ndarray:
        from pyarrow import types

        if not _lists.is_list(cells.type):
            return _text(cells, name, path)
        shape, has_gaps = self._shape(name)
        while _lists.is_list(cells.type):
            cells = cells.flatten()
        # Numbers keep their type, so that bytes stay bytes.
        is_plain = not (has_gaps or types.is_decimal(cells.type) or types.is_null(cells.type))
        values = cells.to_numpy(zero_copy_only=False) if is_plain else _numbers(cells, name, path)
        return values.reshape(-1, *shape)

    def _found_shape(self, column: str) -> tuple[tuple[int, ...], bool]:
        """Returns the shape that lists of all rows have, and whether a number of them is missing.

        Raises:
            DataError: They have several, or are of something else than numbers.
        """
        first: tuple[int, ...] | None = None
        has_gaps = False
        for place, path in enumerate(self.paths):
            element = _lists.element(self._fields[place][column].type)
            if not _lists.is_number(element):
                what = f"the column {column!r} holds lists of something else than numbers"
                raise fault(path, what, received=str(element), hint="Leave it out with `columns`")
            for start, batch in self._pieces(place, (), (column,), np.arange(self.sizes[place])):
                shape, gaps = _lists.shape(batch.column(0), start, column, path, first)
                first, has_gaps = first or shape, has_gaps or gaps
        assert first is not None  # no file is empty
        return first, has_gaps


@contextmanager
def _opened(path: Path) -> Iterator[parquet.ParquetFile]:
    """Opens a file.

    Raises:
        DataError: It cannot be read.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path, buffer_size=BUFFER) as file:
            yield file
    except (pa.ArrowException, OSError) as error:
        reason = shorten(str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__, 200)
        raise fault(path, "cannot be read as Parquet", hint=f"It is damaged or of another format: {reason}") from error


def _piece(file: parquet.ParquetFile, wanted: Sequence[str]) -> int:
    """Returns how many rows are read at a time, of some columns."""
    found = file.metadata
    cells, size = 0, 0
    for at in range(found.num_columns):
        path = found.schema.column(at).path
        if any(path == name or path.startswith(f"{name}.") for name in wanted):
            chunks = [found.row_group(group).column(at) for group in range(found.num_row_groups)]
            cells += sum(chunk.num_values for chunk in chunks)
            size += sum(chunk.total_uncompressed_size for chunk in chunks)
    rows = found.num_rows
    return int(max(1, min(CELLS * rows // max(1, cells), PIECE_BYTES * rows // max(1, size))))


def _numbers(cells: pa.Array, name: str, path: Path) -> np.ndarray:
    """Returns numbers as float64, NaN where they are missing.

    Raises:
        DataError: There are whole numbers that float64 does not tell apart.
    """
    import pyarrow as pa

    try:
        found: np.ndarray = cells.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid as error:
        what = f"the column {name!r} holds numbers that float64 does not tell from their neighbours"
        hint = "Leave it out with `columns`; of a number that only names something, save text"
        raise fault(path, what, expected="at most 2**53", hint=hint) from error
    return found


def _text(cells: pa.Array, name: str, path: Path) -> np.ndarray:
    """Returns text of what stands in a column, `(rows,) object`; of dates as in 2024-03-09 10:00:00.

    Raises:
        DataError: It holds something that has no text.
    """
    import pyarrow as pa
    from pyarrow import compute, types

    kind = cells.type
    if types.is_dictionary(kind):
        cells = cells.dictionary_decode()
    if types.is_floating(cells.type):
        cells = compute.if_else(compute.is_nan(cells), None, cells)
    try:
        coded = cells.cast(pa.string()).dictionary_encode()
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise fault(
            path,
            f"the column {name!r} is of a type that is not read",
            expected="numbers, text, categories, dates, or lists of numbers",
            received=shorten(str(kind), 120),
            hint="Choose others with `columns`, or bring what it holds into columns of their own",
        ) from error
    return words(coded.indices.fill_null(-1).to_numpy(), coded.dictionary.to_pylist())
