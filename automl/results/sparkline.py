"""A curve in a few characters: `▁▃▅▆▇▇`."""

from __future__ import annotations

import math
from collections.abc import Sequence

LEVELS = "▁▂▃▄▅▆▇█"
WIDTH = 8


def drawn(values: Sequence[float], low: float, high: float, width: int = WIDTH) -> str:
    """Returns a curve; of one that is longer than the characters, the last of the values that fall into each.

    Args:
        values: Its values; those that are no number are left out.
        low: What the lowest level stands for: that of all curves that are compared.
        high: What the highest stands for.
        width: Characters at most.
    """
    known = [value for value in values if math.isfinite(value)]
    count = min(width, len(known))
    picked = [known[(place + 1) * len(known) // count - 1] for place in range(count)]
    return "".join(LEVELS[_level(value, low, high)] for value in picked)


def _level(value: float, low: float, high: float) -> int:
    share = (value - low) / (high - low) if high > low else 1.0
    return min(len(LEVELS) - 1, max(0, int(share * len(LEVELS))))
