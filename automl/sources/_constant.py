"""Finds the channels of examples that carry a single value, from which nothing is learned."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

ROWS = 10_000
"""Rows that are looked at at a time."""


class Constant:
    """What carries one value, NaN aside, in all examples, which are shown to it piece by piece.

    Channels are those of images and series, `(examples, ..., channels)`; of rows of numbers, `(examples, columns)` or
    `(examples, columns, 1)`, they are the columns.

    Args:
        pieces: The examples. Most sets are told by their first ones, so this takes no time to speak of.
    """

    def __init__(self, pieces: Iterable[np.ndarray] = ()) -> None:
        self._first: np.ndarray | None = None
        self._same_gaps = True
        for piece in pieces:
            if not self.see(piece):
                break

    def see(self, x: np.ndarray) -> bool:
        """Looks at some examples more, and returns whether any others can change what is known."""
        if x.ndim < 2 or not len(x):
            return x.ndim > 1
        if self._first is None:
            self._first = np.array(x[0])
            self._by_column = x.ndim == 2 or (x.ndim == 3 and x.shape[-1] == 1)
            self._count = x.shape[1] if self._by_column else x.shape[-1]
            self._left = np.arange(self._count)
            self._low, self._high = np.full(self._count, np.inf), np.full(self._count, -np.inf)
        size = 1 if not self._by_column else ROWS
        for start in range(0, len(x), size):
            if not len(self._left):
                return False
            self._see(x[start : start + size])
        return bool(len(self._left))

    def _see(self, x: np.ndarray) -> None:
        assert self._first is not None
        if self._by_column and x.dtype.kind == "f" and len(self._left) == self._count:
            self._same_gaps = self._same_gaps and bool((np.isnan(x) == np.isnan(self._first)).all())
        values = x.reshape(-1, self._count)[:, self._left]
        low, high = np.fmin(self._low, np.fmin.reduce(values)), np.fmax(self._high, np.fmax.reduce(values))
        same = low >= high
        self._left, self._low, self._high = self._left[same], low[same], high[same]

    @property
    def channels(self) -> list[int]:
        """Those that carry one value, counted from 0."""
        if self._first is None:
            return []
        # Where there is nothing at all, as in the padding of rows, there is no value either.
        found = self._left[self._low == self._high] if self._by_column else self._left
        return [int(place) for place in found]

    @property
    def is_all(self) -> bool:
        """Whether nothing is left to learn from: of rows of numbers, gaps may tell more."""
        count = len(self.channels)
        return count > 0 and count == self._count and (not self._by_column or self._same_gaps)

    @property
    def values(self) -> list[float]:
        """What the first example has in its channels."""
        return [] if self._first is None else [float(value) for value in self._first.reshape(-1, self._count)[0]]

    @property
    def told(self) -> str:
        """What carries one value, in words."""
        found = self.channels
        kind = "column" if self._by_column else "channel"
        if len(found) == self._count:
            each = f", {kind} by {kind}" if self._count > 1 else ""
            return f"every value of every training example is the same{each}"
        named = ", ".join(map(str, found[:10])) + (f" and {len(found) - 10} more" if len(found) > 10 else "")
        few = f"{kind} {named} of {self._count} carries"
        which = f"{kind}s {named} of {self._count} carry" if len(found) > 1 else few
        return f"{which} a single value in all training examples (counted from 0)"
