"""Tables: which columns are numbers and which are categories, what is learned of them, and what the model is given."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from automl import inputs
from automl.blocks.entity_embedding import EntityEmbedding
from automl.errors import DataError
from automl.inputs.table import Table
from automl.records.data import InputSpec

ROWS = {
    "price": np.array([1.0, np.nan, 3.0, 5.0]),
    "brand": np.array(["b", "a", "b", ""]),
    "month": np.array([12, 1, 12, 3]),
}


def spec_of(reader: Table, raw: dict[str, np.ndarray], trains: slice = slice(None)) -> tuple[InputSpec, Any]:
    """Returns what a reader learns of rows, and the rows as they are stored."""
    scanned = reader.scan(iter([raw]))
    assert json.loads(json.dumps(scanned)) == scanned
    stored = reader.check(raw, scanned)
    training = {name: column[trains] for name, column in stored.items()}
    state = reader.fit(training, scanned)
    assert json.loads(json.dumps(state)) == state
    return InputSpec("table", {"table": {}}, tuple(stored), reader.shape(training), state), stored


def outcome(spec: InputSpec, given: np.ndarray) -> np.ndarray:
    """Returns what the stem makes of rows."""
    import keras

    entrance, flow = inputs.registry.read("table").stem(spec)
    found: np.ndarray = keras.Model(entrance, flow.x).predict(given, verbose=0)
    return found


def test_text_is_a_category_and_a_number_is_one_where_the_document_says_so() -> None:
    spec, stored = spec_of(Table(categories=("month",)), ROWS)
    assert {name: column.dtype for name, column in stored.items()} == {
        "table_numbers": np.float32,
        "table_words": np.uint32,
    }
    assert {name: known["names"] for name, known in spec.state["words"].items()} == {
        "brand": ["", "a", "b"],
        "month": ["1", "12", "3"],
    }
    np.testing.assert_array_equal(
        Table(categories=("month",)).encode(stored, spec), [[1, 3, 2], [np.nan, 2, 1], [3, 3, 2], [5, 1, 3]]
    )


def test_what_the_training_part_does_not_have_is_the_unknown_category() -> None:
    spec, stored = spec_of(Table(), ROWS, slice(0, 2))
    assert spec.state["words"]["brand"]["names"] == ["a", "b"]
    assert Table().encode(stored, spec)[:, -1].tolist() == [2, 1, 2, 0]


def test_the_most_frequent_categories_are_kept() -> None:
    raw = {"x": np.array(list("aabbbc"))}
    spec, stored = spec_of(Table(most_categories=2), raw)
    assert spec.state["words"]["x"]["names"] == ["a", "b"]
    assert Table().encode(stored, spec).ravel().tolist() == [1, 1, 2, 2, 2, 0]


@pytest.mark.parametrize(("scale", "expected"), [("standardize", [-1.2247, 0, 0, 1.2247]), ("unit", [0, 0.5, 0.5, 1])])
def test_numbers_are_scaled_and_a_missing_one_is_the_mean_and_told(scale: Any, expected: list[float]) -> None:
    raw = {"x": np.array([1.0, np.nan, 3.0, 5.0])}
    spec, stored = spec_of(Table(scale=scale), raw)
    found = outcome(spec, Table().encode(stored, spec))
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-3)
    np.testing.assert_array_equal(found[:, 1], [0, 1, 0, 0])


def test_the_stem_keeps_categories_behind_the_numbers() -> None:
    spec, stored = spec_of(Table(), ROWS)
    found = outcome(spec, Table().encode(stored, spec))
    shape = Table().flow(spec)
    assert (shape.kind, shape.sides, shape.categories) == ("table", (4,), (4,))
    assert found.shape == (4, 4)
    np.testing.assert_array_equal(found[:, -1], [3, 2, 3, 1])
    np.testing.assert_array_equal(found[:, 2], [0, 1, 0, 0])  # price was missing


def test_numbers_alone_are_a_table_that_an_embedding_leaves_as_it_is() -> None:
    spec, _ = spec_of(Table(), {"a": np.arange(3), "b": np.ones((3, 2))})
    assert spec.state["numbers"] == ["a", "b_0", "b_1"]
    shape, (_, flow) = Table().flow(spec), Table().stem(spec)
    assert (shape.kind, flow.kind) == ("table", "table")
    block = EntityEmbedding(name="embedding")
    assert block.shape(shape, "vector").sides == (3,)
    assert block(flow, "vector").x.shape == (None, 3)


def test_an_infinite_number_is_refused_with_its_row() -> None:
    raw = {"x": np.array([1.0, np.inf])}
    with pytest.raises(DataError, match=r"table: column 'x' holds an infinite number.* in row 12"):
        Table().check(raw, Table().scan(iter([raw])), first=10)


def test_what_is_no_column_is_refused() -> None:
    with pytest.raises(DataError, match="table: column 'x' is no column"):
        Table().scan(iter([{"x": np.zeros((2, 3, 3))}]))


def test_pieces_give_what_the_whole_gives() -> None:
    reader = Table(categories=("month",))
    pieces = [{name: column[rows] for name, column in ROWS.items()} for rows in (slice(0, 3), slice(3, 4))]
    scanned = reader.scan(iter(pieces))
    assert scanned == reader.scan(iter([ROWS]))
    parts = [reader.check(piece, scanned) for piece in pieces]
    for name, column in reader.check(ROWS, scanned).items():
        np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]), column)


@pytest.mark.parametrize("column", [1.7e9 + np.arange(200.0), 1_700_000_000_000 + np.arange(200)])
def test_numbers_that_float32_makes_one_are_refused(column: np.ndarray) -> None:
    raw = {"when": column, "x": np.linspace(0, 1, len(column))}
    with pytest.raises(DataError, match="numbers of column 'when' that differ are one number in float32"):
        Table().check(raw, Table().scan(iter([raw])))
    near = {"when": column - column[0], "x": 1e6 + np.linspace(0, 1, len(column)).round(0)}
    assert len(Table().check(near, Table().scan(iter([near])))) == 1
