"""Examples by the numbers of their rows: what cuts look at, and columns of which only some rows are meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from automl.data.store import Column

Rows = Mapping[str, np.ndarray]
"""Numbers of rows by part."""


@dataclass(frozen=True)
class Examples:
    """What a cut looks at, of some rows in their order.

    Args:
        size: How many they are.
        labels: A label of each to stratify by, or None: `Task.strata`.
        groups: What each belongs to, as text, empty for none; or None.
    """

    size: int
    labels: np.ndarray | None = None
    groups: np.ndarray | None = None

    def at(self, rows: np.ndarray) -> Examples:
        """Returns some of them."""
        labels = None if self.labels is None else self.labels[rows]
        return Examples(len(rows), labels, None if self.groups is None else self.groups[rows])


@dataclass(frozen=True)
class Picked:
    """Some rows of a column, read when they are asked for."""

    column: np.ndarray | Column
    rows: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape, the rows first."""
        return (len(self.rows), *self.column.shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of its values."""
        return self.column.dtype

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: slice) -> np.ndarray:
        return self.column[self.rows[rows]]
