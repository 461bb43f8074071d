from __future__ import annotations

import math

import pytest

from automl.results.sparkline import drawn


@pytest.mark.parametrize(
    ("values", "low", "high", "line"),
    [
        ([0, 1, 2, 3, 4, 5, 6, 7], 0, 8, "▁▂▃▄▅▆▇█"),
        ([0.0, 8.0], 0, 8, "▁█"),
        # Of two epochs to a character the later one; the last always stands at the end.
        (range(16), 0, 16, "▁▂▃▄▅▆▇█"),
        ([*[0] * 99, 8], 0, 8, "▁▁▁▁▁▁▁█"),
        ([1.0, math.nan, 8.0, math.inf], 0, 8, "▂█"),
        # All alike: nothing is low.
        ([0.5, 0.5], 0.5, 0.5, "██"),
        ([], 0, 1, ""),
    ],
)
def test_it_is_drawn_on_a_scale(values: list[float], low: float, high: float, line: str) -> None:
    assert drawn(values, low, high) == line
