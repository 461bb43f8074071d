"""What becomes of numbers in float32, as which they are stored and computed with."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

MOST = 0.75
"""Share of the different numbers that may become others, where these are still as many as measurements need."""


def merged(values: np.ndarray) -> tuple[float, float] | None:
    """Returns two numbers that differ and are one in float32; None where no more of them are than is mere noise.

    Seconds since 1970 are such: float32 holds every 128th of them.

    Args:
        values: `(numbers,) float64`; what is not finite is left out.
    """
    import numpy as np

    different = np.unique(values[np.isfinite(values)])
    small = different.astype(np.float32)
    same = np.diff(small) == 0
    if same.sum() <= len(different) / 10:
        return None
    # Of measurements 256 steps are enough, as in pictures; what differs by whole numbers counts or names something.
    apart = different - different[0]
    whole = np.allclose(apart, np.round(apart), rtol=0, atol=4 * np.spacing(np.abs(different).max()))
    coarse = apart[-1] < 256 * np.spacing(np.abs(small).max())
    if not (whole or coarse or same.sum() > MOST * len(different)):
        return None
    at = int(same.argmax())
    return float(different[at]), float(different[at + 1])


def blurred(values: np.ndarray) -> dict[int, tuple[float, float]]:
    """Returns two numbers that are `merged`, by the number of their column, of columns that have a range to speak of.

    Args:
        values: `(numbers, columns) float64`.
    """
    return {place: pair for place in _coarse(values) if (pair := merged(values[:, place])) is not None}


def _coarse(values: np.ndarray) -> list[int]:
    """Returns the columns whose range float32 cuts into few pieces; a trace of rounding on a constant is no range."""
    import numpy as np

    there = np.isfinite(values)
    low = np.where(there, values, np.inf).min(axis=0)
    high = np.where(there, values, -np.inf).max(axis=0)
    most = np.maximum(np.abs(low), np.abs(high))
    with np.errstate(invalid="ignore", over="ignore"):
        spread, step = high - low, most * 2.0**-23
        found = there.any(axis=0) & (most < np.finfo(np.float32).max) & (spread > 1e-12 * most) & (step > 1e-7 * spread)
    return [int(place) for place in np.flatnonzero(found)]
