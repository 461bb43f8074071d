"""What the plots of a report draw."""

from __future__ import annotations

import numpy as np

from automl.records.data import InputSpec
from automl.results.plots import MOST_COLUMNS, example, figure


def drawn(spec: InputSpec, row: list[float]) -> list[str]:
    _, axes = figure()
    example(axes, {"table": np.array(row, np.float32)}, [spec])
    (text,) = axes.texts
    return str(text.get_text()).splitlines()


def spec(numbers: list[str], words: dict[str, list[str]]) -> InputSpec:
    state = {"numbers": numbers, "words": {name: {"names": names} for name, names in words.items()}}
    return InputSpec("table", {"table": {}}, (*words, *numbers), (len(numbers) + len(words),), state)


def test_a_row_is_told_by_its_columns() -> None:
    told = drawn(spec(["age", "income"], {"town": ["Bern", "Ulm"], "job": ["cook"]}), [41.5, np.nan, 2, 0])
    assert told == ["age: 41.5", "income: missing", "town: Ulm", "job: a word that is not known"]


def test_of_a_wide_row_some_are_told() -> None:
    told = drawn(spec([f"f{place}" for place in range(100)], {}), [0.0] * 100)
    assert len(told) == MOST_COLUMNS + 1
    assert told[-1] == "and 86 more"
