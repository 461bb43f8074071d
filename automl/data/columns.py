"""What an input reads of a table, checked and stored some rows at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from automl.data.examples import Rows
from automl.data.reread import Reader, Reread
from automl.data.store import Draft
from automl.errors import DataError
from automl.inputs import Input
from automl.records.data import EXAMPLES, Splits, Tree, stored_as
from automl.sources import _arrays
from automl.sources._places import fault


@dataclass(frozen=True)
class Given:
    """What an input was given.

    Args:
        columns: Names of its columns.
        scanned: What it saw before: `Input.scan`.
        unstored: See `InputSpec`.
        reader: How it reads, if they are not stored.
    """

    columns: tuple[str, ...]
    scanned: dict[str, Any]
    unstored: Mapping[str, tuple[tuple[int, ...], str]]
    reader: Reader


def stored(
    each: str, reader: Input, splits: Splits, parts: Rows, draft: Draft, name: str, limit: float = math.inf
) -> Given:
    """Checks what an input reads, and stores it unless that is too much.

    Args:
        each: The input's name.
        reader: The input.
        splits: What the source opened.
        parts: The rows of each part to store.
        draft: Where to.
        name: What messages call the set.
        limit: Bytes to store at most, of what can be read anew.

    Raises:
        DataError: Rows cannot be read so, or differ in shape.
    """
    columns = reader.reads(splits)
    called = partial(stored_as, each, reader.name())
    # Whatever a source calls its examples: the digest of a set is not to depend on what else it offers.
    names = {column: EXAMPLES if column == splits.examples else column for column in columns}
    scanned = reader.scan(_renamed(piece, names) for _, piece in splits.table.pieces(columns))
    origin, number = _placed(splits.rows, len(splits.table))
    target, place = _placed(parts, len(splits.table))
    used = None if (target >= 0).all() else np.flatnonzero(target >= 0)
    shapes: dict[str, set[tuple[int, ...]]] = {}
    dtypes: dict[str, np.dtype[Any]] = {}
    is_stored = splits.recipe is None
    for rows, piece in splits.table.pieces(columns, used):
        for part, some in _split(origin[rows], splits.rows):
            where, own = f"{name}, part {part}", rows[some]
            mine = {key: values[some] for key, values in _renamed(piece, names).items()}
            read = _checked(reader, mine, scanned, number[own], where)
            if not dtypes:
                size = sum(values.nbytes for values in read.values()) / len(own)
                is_stored = is_stored or size * sum(map(len, parts.values())) <= limit
            for column, values in read.items():
                dtypes[column] = np.result_type(dtypes.get(column, values.dtype), values.dtype)
                shapes.setdefault(column, set()).add(values.shape[1:])
                if len(shapes[column]) > 1:
                    received = " and ".join(map(str, sorted(shapes[column])))
                    raise fault(name, "examples differ in shape between the parts", received=received)
                for goal, here in _split(target[own], parts) if is_stored else ():
                    draft.put(goal, called(column), values[here], place[own[here]], len(parts[goal]))
    known = Reader(splits.table, reader, columns, scanned)
    unstored = {} if is_stored else {column: (min(shapes[column]), dtypes[column].str) for column in shapes}
    for column, (shape, _) in unstored.items():
        for part, rows in parts.items():
            read_rows = partial(known.read, column=column)
            draft.leave(part, called(column), Reread(read_rows, rows, shape, dtypes[column]))
    for column in shapes if is_stored else ():
        for part in [part for part, rows in parts.items() if not len(rows)]:
            draft.put(part, called(column), draft.column("train", called(column))[:0], np.arange(0), 0)
    return Given(tuple(shapes), scanned, unstored, known)


def _renamed(piece: Tree, names: Mapping[str, str]) -> Tree:
    return {names[column]: values for column, values in piece.items()}


def _placed(parts: Rows, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the number of the part that each of all rows is in, -1 for none, and its place there."""
    owner, place = np.full(size, -1, np.int8), np.zeros(size, np.intp)
    for number, rows in enumerate(parts.values()):
        owner[rows], place[rows] = number, np.arange(len(rows))
    return owner, place


def _split(owner: np.ndarray, parts: Rows) -> Iterator[tuple[str, slice | np.ndarray]]:
    """Yields the parts that some rows are in, and which of the rows: a slice of all of them, where that is so."""
    for number, part in enumerate(parts):
        here = np.flatnonzero(owner == number)
        if len(here):
            yield part, slice(None) if len(here) == len(owner) else here


def _checked(
    reader: Input, piece: Tree, scanned: Mapping[str, Any], numbers: np.ndarray, where: str
) -> dict[str, np.ndarray]:
    """Returns what is stored of some rows, which bear these numbers in their part."""

    def read(some: slice) -> dict[str, np.ndarray]:
        first = int(numbers[some][0])
        checked = reader.check({column: values[some] for column, values in piece.items()}, scanned, first)
        if not reader.stores_numbers:
            return dict(checked)
        return {column: _arrays.as_stored(values, where, first) for column, values in checked.items()}

    try:
        return read(slice(None))
    except DataError:
        # What is wrong is told by the number of its row, which is only known of rows that follow each other.
        ends = [0, *(np.flatnonzero(np.diff(numbers) != 1) + 1), len(numbers)]
        for start, end in pairwise(ends):
            read(slice(start, end))
        raise
