"""Means of neighbouring values: few numbers that say where in an example something is."""

from __future__ import annotations

import numpy as np


def pooled(x: np.ndarray, axis: int, most: int) -> np.ndarray:
    """Returns the means of some neighbours along an axis, as many as there are or `most`; NaN left out.

    Args:
        x: Examples, `(examples, ...)`.
        axis: Which axis, not the first.
        most: How many means at most.
    """
    size = x.shape[axis]
    if size <= most:
        return x
    starts = np.linspace(0, size, most, endpoint=False).astype(int)
    there = ~np.isnan(x)
    sums = np.add.reduceat(np.where(there, x, 0.0), starts, axis=axis)
    counts = np.add.reduceat(there.astype(np.float64), starts, axis=axis)
    with np.errstate(invalid="ignore", divide="ignore"):
        means: np.ndarray = sums / counts
    return means
