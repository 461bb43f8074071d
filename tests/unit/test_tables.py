"""Tables in memory: what is read of them, piece by piece, and the parts that sources make of them."""

from __future__ import annotations

import numpy as np
import pytest

from automl.errors import DataError
from automl.records.data import Part, Splits
from automl.sources import _tables
from automl.sources._tables import Arrays, gathered, held, splits

WIDE = 40
"""Bytes of a row of `block`."""


def block(start: int, count: int) -> dict[str, np.ndarray]:
    """Rows that tell themselves apart: 32 bytes of examples, 8 of targets."""
    numbers = np.arange(start, start + count)
    return {"x": np.repeat(numbers[:, None], 4, axis=1).astype(np.float64), "y": numbers}


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Arrays:
    """Blocks of 7, 1 and 5 rows, read three rows at a time."""
    monkeypatch.setattr(_tables, "PIECE_BYTES", 3 * WIDE + WIDE // 2)
    return Arrays(block(0, 7), block(7, 1), block(8, 5))


def test_a_table_knows_its_columns_and_how_many_rows_it_has(table):
    assert (table.columns, len(table)) == (("x", "y"), 13)


def test_all_rows_are_read_in_pieces_that_reach_over_no_two_blocks(table):
    pieces = list(table.pieces(["y", "x"]))
    assert [rows.tolist() for rows, _ in pieces] == [[0, 1, 2], [3, 4, 5], [6], [7], [8, 9, 10], [11, 12]]
    for rows, piece in pieces:
        assert list(piece) == ["y", "x"]
        np.testing.assert_array_equal(piece["y"], rows)
        np.testing.assert_array_equal(piece["x"], np.repeat(rows[:, None], 4, axis=1))


def test_only_columns_that_are_asked_for_count_for_the_size_of_a_piece(table):
    assert [rows.tolist() for rows, _ in table.pieces(["y"])] == [list(range(7)), [7], list(range(8, 13))]


@pytest.mark.parametrize(
    ("wanted", "read"),
    [
        ([0, 2, 3, 5, 6, 7, 12], [[0, 2, 3], [5, 6], [7], [12]]),
        ([1, 2, 3, 4, 5, 6], [[1, 2, 3], [4, 5, 6]]),
        ([6, 8], [[6], [8]]),
        (range(13), [[0, 1, 2], [3, 4, 5], [6], [7], [8, 9, 10], [11, 12]]),
        ([], []),
    ],
)
def test_rows_that_are_chosen_are_read_alone(table, wanted, read):
    pieces = list(table.pieces(["x", "y"], np.array(list(wanted), int)))
    assert [rows.tolist() for rows, _ in pieces] == read
    for rows, piece in pieces:
        np.testing.assert_array_equal(piece["y"], rows)
        np.testing.assert_array_equal(piece["x"][:, 3], rows)


def test_rows_that_follow_each_other_are_read_without_a_copy():
    own = block(0, 9)
    table = Arrays(block(0, 4), own)
    for rows in (None, np.arange(6, 11)):
        *_, (_, piece) = table.pieces(["x"], rows)
        assert np.shares_memory(piece["x"], own["x"])


def test_a_row_larger_than_a_piece_is_a_piece(monkeypatch):
    monkeypatch.setattr(_tables, "PIECE_BYTES", 1)
    assert [rows.tolist() for rows, _ in Arrays(block(0, 3)).pieces(["x"])] == [[0], [1], [2]]


def test_columns_that_differ_in_length_are_no_table():
    with pytest.raises(DataError, match=r"columns differ in number of rows.*received \{'x': 3, 'y': 2\}"):
        Arrays(block(0, 3), {"x": np.zeros(3), "y": np.zeros(2)})


def test_columns_are_gathered_in_the_order_asked_for(table):
    whole = gathered(table, ["x", "y"])
    assert whole["y"].tolist() == whole["x"][:, 0].tolist() == list(range(13))
    for rows in ([3, 4, 9], [9, 3, 4], [12, 0, 7, 6], [5]):
        found = gathered(table, ["y", "x"], np.array(rows))
        assert found["y"].tolist() == found["x"][:, 2].tolist() == rows


def test_parts_become_rows_behind_each_other_and_are_held_again(monkeypatch):
    monkeypatch.setattr(_tables, "PIECE_BYTES", 2 * WIDE)
    parts = {"train": block(0, 7), "val": block(7, 1), "test": block(8, 5)}
    opened = splits(*(Part(part["x"], part["y"]) for part in parts.values()), notes=["read so"], timeline=True)
    assert {part: rows.tolist() for part, rows in opened.rows.items()} == {
        "train": list(range(7)),
        "val": [7],
        "test": list(range(8, 13)),
    }
    assert (opened.examples, opened.targets, opened.groups) == ("x", ("y",), None)
    assert (opened.notes, opened.is_timeline) == (("read so",), True)
    found = held(opened)
    assert list(found) == list(parts)
    for name, part in found.items():
        np.testing.assert_array_equal(part.x, parts[name]["x"])
        np.testing.assert_array_equal(part.y, parts[name]["y"])
        assert part.groups is None


def test_a_part_that_names_no_groups_belongs_to_none():
    first, second = block(0, 3), block(3, 2)
    opened = splits(Part(first["x"], first["y"], np.array(["ann", "bob", "ann"])), test=Part(second["x"], second["y"]))
    assert opened.groups == "group"
    assert {name: part.groups.tolist() for name, part in held(opened).items()} == {
        "train": ["ann", "bob", "ann"],
        "test": ["", ""],
    }


def test_rows_of_parts_may_lie_anywhere():
    opened = Splits(Arrays(block(0, 6)), {"train": np.array([5, 0, 3]), "test": np.array([1, 4])})
    found = held(opened)
    assert found["train"].y.tolist() == found["train"].x[:, 0].tolist() == [5, 0, 3]
    assert found["test"].y.tolist() == [1, 4]


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (Part(np.zeros((3, 2)), np.zeros(2)), "part val: examples and targets differ in number. Expected 3 targets; "),
        (Part(np.zeros((0, 2)), np.zeros(0)), "part val: holds no examples"),
        (Part(np.zeros((3, 2)), np.zeros(3), np.zeros(2)), r"'group': 2"),
    ],
)
def test_parts_that_are_none_are_refused(part, told):
    with pytest.raises(DataError, match=told):
        splits(Part(np.zeros((3, 2)), np.zeros(3)), part)
