"""Columns of answers to a file, a batch at a time: CSV, JSON or Parquet, whole or not at all."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from automl.errors import ConfigError, Problem
from automl.machine import files

Add = Callable[[Mapping[str, Any]], None]
"""Takes the columns of a batch, the same ones every time."""

ENDINGS = (".csv", ".json", ".jsonl", ".parquet")


@contextmanager
def opened(path: Path, *, force: bool) -> Iterator[Add]:
    """Yields what takes batches; the file is there once all of them are.

    Args:
        path: The file; its ending says the form: CSV, JSON (an array of rows), JSON Lines, Parquet.
        force: Write over what is there.

    Raises:
        ConfigError: It has another ending, is there already, or has no folder.
    """
    if path.suffix not in ENDINGS:
        raise ConfigError(
            Problem(f"--to {path}", "the form of the answers is not known", f"a file ending with {', '.join(ENDINGS)}")
        )
    files.require_file(path, force, "file with --to")
    with tempfile.TemporaryDirectory(dir=path.absolute().parent, prefix=".answers-") as room:
        draft = Path(room) / path.name
        with _parquet(draft) if path.suffix == ".parquet" else _text(draft, path.suffix) as add:
            yield add
        draft.replace(path)


def as_csv(stream: TextIO) -> Add:
    """Returns what writes batches as CSV, with a header before the first."""
    writer = csv.writer(stream, lineterminator="\n")
    begun = False

    def add(columns: Mapping[str, Any]) -> None:
        nonlocal begun
        if not begun:
            writer.writerow(columns)
            begun = True
        writer.writerows(zip(*map(_plain, columns.values()), strict=True))

    return add


@contextmanager
def _text(path: Path, ending: str) -> Iterator[Add]:
    with path.open("w", encoding="utf-8", newline="") as stream:
        if ending == ".csv":
            yield as_csv(stream)
            return
        rows = 0

        def add(columns: Mapping[str, Any]) -> None:
            nonlocal rows
            for cells in zip(*map(_plain, columns.values()), strict=True):
                text = json.dumps(dict(zip(columns, cells, strict=True)), ensure_ascii=False)
                stream.write(f"{text}\n" if ending == ".jsonl" else f"{',' if rows else '['}\n{text}")
                rows += 1

        yield add
        if ending == ".json":
            stream.write("\n]\n" if rows else "[]\n")


@contextmanager
def _parquet(path: Path) -> Iterator[Add]:
    import pyarrow as pa
    from pyarrow import parquet

    writer: parquet.ParquetWriter | None = None

    def add(columns: Mapping[str, Any]) -> None:
        nonlocal writer
        table = pa.table({name: pa.array(column) for name, column in columns.items()})
        writer = writer or parquet.ParquetWriter(path, table.schema)
        writer.write_table(table)

    try:
        yield add
    finally:
        if writer is not None:
            writer.close()


def _plain(column: Any) -> list[Any]:
    """Returns a column as plain data; float32 with as many digits as tell it apart, and no more."""
    if isinstance(column, np.ndarray) and column.dtype == np.float32:
        return [float(str(value)) for value in column]
    return list(column.tolist() if isinstance(column, np.ndarray) else column)
