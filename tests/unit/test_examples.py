"""Examples by the numbers of their rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from automl.data import store
from automl.data.examples import Examples, Picked

ROWS = np.array([7, 2, 9])


def test_some_examples_keep_labels_and_groups_in_their_order() -> None:
    letters = np.array(list("abcdefghij"))
    found = Examples(10, letters, np.char.upper(letters)).at(ROWS)
    assert found.size == 3
    assert found.labels is not None
    assert found.groups is not None
    assert (found.labels.tolist(), found.groups.tolist()) == (["h", "c", "j"], ["H", "C", "J"])
    again = found.at(np.array([2, 0]))
    assert again.labels is not None
    assert (again.size, again.labels.tolist()) == (2, ["j", "h"])


@pytest.mark.parametrize("labels", [None, np.arange(10)])
def test_what_is_not_known_of_examples_is_not_known_of_some(labels: np.ndarray | None) -> None:
    found = Examples(10, labels).at(ROWS)
    assert (found.size, found.groups) == (3, None)
    assert (found.labels is None) == (labels is None)
    assert Examples(10, None, np.arange(10)).at(ROWS[:0]).size == 0


@pytest.mark.parametrize("on_disk", [False, True])
def test_rows_of_a_column_are_read_when_they_are_asked_for(tmp_path: Path, on_disk: bool) -> None:
    column = np.arange(60, dtype=np.float32).reshape(10, 3, 2)
    if on_disk:
        np.save(tmp_path / "x.npy", column)
        column = store.mapped(tmp_path / "x.npy")
    picked = Picked(column, ROWS)
    assert (len(picked), picked.shape, picked.dtype) == (3, (3, 3, 2), np.float32)
    np.testing.assert_array_equal(picked[:], column[ROWS])
    np.testing.assert_array_equal(picked[1:], column[[2, 9]])
    pieces = [picked[start : start + 2] for start in range(0, len(picked), 2)]
    np.testing.assert_array_equal(np.concatenate(pieces), column[ROWS])
