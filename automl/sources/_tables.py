"""Tables of sources that hold their examples in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from automl.records.data import EXAMPLES, GROUPS, TARGETS, Part, Splits, Tree

PIECE_BYTES = 64 * 2**20
"""Size of a piece that is read at a time."""


class Arrays:
    """A table whose columns lie in memory, or are memory-mapped, in blocks of rows behind each other.

    Args:
        blocks: Columns by name, the same names in each; one block for each part of a set.
    """

    def __init__(self, *blocks: Mapping[str, np.ndarray]) -> None:
        self._blocks = blocks
        sizes = [len(next(iter(block.values()))) for block in blocks]
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
                    yield some, _columns(columns, wanted, some - start)


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
    """
    parts = {name: part for name, part in (("train", train), ("val", val), ("test", test)) if part is not None}
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
    (targets,) = splits.targets
    names = [splits.examples or "", targets]
    found = {}
    for part, rows in splits.rows.items():
        pieces = [piece for _, piece in splits.table.pieces(names, np.sort(rows), text=True)]
        order = np.argsort(np.argsort(rows))
        x, y = (np.concatenate([piece[name] for piece in pieces]) for name in names)
        found[part] = Part(x[order], y[order])
    return found
