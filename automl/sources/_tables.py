"""Tables of sources that hold their examples in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from automl.records.data import EXAMPLES, GROUPS, TARGETS, Part, Splits, Table, Tree
from automl.sources._arrays import paired
from automl.sources._places import fault

PIECE_BYTES = 64 * 2**20
"""Size of a piece that is read at a time."""


class Arrays:
    """A table whose columns lie in memory, or are memory-mapped, in blocks of rows behind each other.

    Args:
        blocks: Columns by name, the same names in each; one block for each part of a set.
    """

    notes: tuple[str, ...] = ()

    def __init__(self, *blocks: Mapping[str, np.ndarray]) -> None:
        self._blocks = blocks
        sizes = []
        for block in blocks:
            rows = {name: len(column) for name, column in block.items()}
            if len(set(rows.values())) > 1:
                raise fault("table", "columns differ in number of rows", expected="one number", received=str(rows))
            sizes.append(next(iter(rows.values()), 0))
        self._starts = np.cumsum([0, *sizes])

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self._blocks[0])

    def __len__(self) -> int:
        return int(self._starts[-1])

    def pieces(
        self, columns: Sequence[str], rows: np.ndarray | None = None, *, text: bool = False
    ) -> Iterator[tuple[np.ndarray, Tree]]:
        """Reads columns, some rows at a time; see `records.data.Table`. No piece reaches over two blocks."""
        del text  # what is no text was never written
        for block, start, end in zip(self._blocks, self._starts[:-1], self._starts[1:], strict=True):
            wanted = [block[name] for name in columns]
            step = max(1, PIECE_BYTES * max(1, end - start) // max(1, sum(array.nbytes for array in wanted)))
            own = None if rows is None else rows[(rows >= start) & (rows < end)]
            for first in range(0, end - start if own is None else len(own), step):
                if own is None:
                    last = min(first + step, end - start)
                    yield np.arange(start + first, start + last), _columns(columns, wanted, slice(first, last))
                else:
                    some = own[first : first + step]
                    low, high = some[0] - start, some[-1] - start + 1
                    # Rows that follow each other need no copy.
                    place = slice(low, high) if high - low == len(some) else some - start
                    yield some, _columns(columns, wanted, place)


def _columns(names: Sequence[str], arrays: Sequence[np.ndarray], rows: slice | np.ndarray) -> Tree:
    return {name: array[rows] for name, array in zip(names, arrays, strict=True)}


def splits(
    train: Part, val: Part | None = None, test: Part | None = None, notes: Sequence[str] = (), *, timeline: bool = False
) -> Splits:
    """Returns the parts of a set as a table and its rows.

    Args:
        train: The training part.
        val: The validation part, where the set brings one.
        test: The test part, where the set brings one.
        notes: See `Splits`.
        timeline: Whether the examples stand in the order of time.

    Raises:
        DataError: A part holds none, or not as many examples as targets.
    """
    parts = {name: part for name, part in (("train", train), ("val", val), ("test", test)) if part is not None}
    for name, part in parts.items():
        paired(part.x, part.y, f"part {name}")
    grouped = any(part.groups is not None for part in parts.values())
    blocks = []
    for part in parts.values():
        block = {EXAMPLES: part.x, TARGETS: part.y}
        if grouped:
            # Examples of a part that names no groups belong to none.
            block[GROUPS] = np.full(len(part.x), "") if part.groups is None else part.groups
        blocks.append(block)
    ends = np.cumsum([0, *(len(part.x) for part in parts.values())])
    rows = {name: np.arange(start, end) for name, start, end in zip(parts, ends[:-1], ends[1:], strict=True)}
    groups = GROUPS if grouped else None
    return Splits(Arrays(*blocks), rows, groups=groups, is_timeline=timeline, notes=tuple(notes))


def held(splits: Splits) -> dict[str, Part]:
    """Returns the parts of a set that brings one column of examples and one of targets, held in memory."""
    (targets,), examples, groups = splits.targets, splits.examples or "", splits.groups
    found = {}
    for part, rows in splits.rows.items():
        (x,) = gathered(splits.table, [examples], rows).values()
        told = gathered(splits.table, [targets] if groups is None else [targets, groups], rows, text=True)
        found[part] = Part(x, told[targets], None if groups is None else told[groups])
    return found


def gathered(
    table: Table, columns: Sequence[str], rows: np.ndarray | None = None, *, text: bool = False
) -> dict[str, np.ndarray]:
    """Returns columns, held in memory.

    Args:
        table: What to read.
        columns: Their names.
        rows: Numbers of the rows wanted, in their order; None for all.
        text: See `Table.pieces`.
    """
    order = None if rows is None or (np.diff(rows) > 0).all() else np.argsort(rows)
    ascending = rows if rows is None or order is None else rows[order]
    pieces = [piece for _, piece in table.pieces(columns, ascending, text=text)]
    found = {}
    for column in columns:
        read = [piece[column] for piece in pieces]
        found[column] = read[0] if len(read) == 1 else np.concatenate(read)
        if order is not None:
            found[column] = found[column][np.argsort(order)]
    return found
