"""Types of Parquet's columns: numbers, and lists of them that lie in lists."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from automl.sources._places import fault

if TYPE_CHECKING:
    import pyarrow as pa


def is_list(kind: pa.DataType) -> bool:
    """Returns whether it is a list, of any of Parquet's kinds."""
    from pyarrow import types

    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def depth(kind: pa.DataType) -> int:
    """Returns how many lists lie in each other."""
    return 1 + depth(kind.value_type) if is_list(kind) else 0


def element(kind: pa.DataType) -> pa.DataType:
    """Returns what lists hold."""
    return element(kind.value_type) if is_list(kind) else kind


def is_number(kind: pa.DataType) -> bool:
    """Returns whether it is read as a number: those, decimals, booleans, and what is missing everywhere."""
    from pyarrow import types

    tests = (types.is_integer, types.is_floating, types.is_decimal, types.is_boolean, types.is_null)
    return any(test(kind) for test in tests)


def shape(
    cells: pa.Array, start: int, name: str, path: Path, expected: tuple[int, ...] | None
) -> tuple[tuple[int, ...], bool]:
    """Returns the shape that lists of some rows have, and whether a number of them is missing.

    Raises:
        DataError: One is missing, or of another shape.
    """
    from pyarrow import compute

    sides: list[int] = []
    each = 1  # lists of a row
    while is_list(cells.type):
        lengths = compute.list_value_length(cells).fill_null(-1).to_numpy()
        usual = int(lengths[0]) if expected is None else expected[len(sides)]
        if (lengths != usual).any() or usual < 1:
            at = int(((lengths != usual) | (lengths < 1)).argmax())
            raise fault(
                f"{path}, row {start + at // each + 1}",
                f"the lists of column {name!r} differ in length",
                expected=f"{usual} numbers" if usual > 0 else "numbers",
                received="none" if lengths[at] < 1 else str(lengths[at]),
                hint="Fill them up, or leave the column out with `columns`",
            )
        sides.append(usual)
        each *= usual
        cells = cells.flatten()
    return tuple(sides), bool(cells.null_count)
