"""Targets that stand some rows later in time: a row is to tell what comes next."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from automl.errors import shorten
from automl.sources._places import fault

REGULAR = 0.5
"""Share of the steps in time that are alike, from which on another is a gap."""

NEAR = 0.25
"""How far a step may be from the usual one to be like it, as a share of it: months differ, clocks are not exact."""


def rows_later(when: np.ndarray, ahead: int, where: Path | str, name: str) -> tuple[np.ndarray, int]:
    """Returns the places of rows whose targets belong to others, and how many rows have none but at the end.

    Where most steps in time are alike, a row that has a gap before its target has none.

    Args:
        when: When each row was, in the order of time.
        ahead: How many rows later a target stands.
        where: What messages call the file.
        name: What they call the column that says when a row was.

    Output: (rows,) int64, -1 for a row without a target; and a number.

    Raises:
        DataError: There are too few rows, or several of one time.
    """
    if len(when) <= ahead:
        raise fault(where, f"has no row {ahead} rows later than another", received=f"{len(when)} rows")
    found = np.append(np.arange(ahead, len(when)), np.full(ahead, -1))
    single = np.diff(when)
    if (single == 0).any():
        at = int((single == 0).argmax())
        raise fault(
            where,
            f"rows {at + 1} and {at + 2} in the order of {name!r} are of one time",
            expected="one row at a time under `ahead`",
            received=shorten(str(when[at])),
            hint="Of several series, a file for each",
        )
    is_usual = np.abs(single / np.median(single) - 1) < NEAR
    if is_usual.mean() < REGULAR:
        return found, 0
    gaps = np.convolve(~is_usual, np.ones(ahead, int), mode="valid") > 0
    found[:-ahead][gaps] = -1
    return found, int(gaps.sum())
