"""Parquet: what each type of column becomes, in pieces that need not be held, and what is refused."""

from __future__ import annotations

import contextlib
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from automl.data import prepare
from automl.data.section import DataDocument
from automl.errors import DataError
from automl.records.data import DataSpec
from automl.sources import parquet as source
from automl.sources._tables import gathered, held
from automl.sources.csv import Csv
from automl.sources.parquet import Parquet


def written(path: Path, columns: dict[str, Any], **options: Any) -> str:
    parquet.write_table(pa.table(columns), path, **options)
    return str(path)


def read(file: str, columns: list[str], rows: np.ndarray | None = None, **fields: Any) -> dict[str, np.ndarray]:
    return gathered(Parquet(file=file, **fields).open(None).table, columns, rows)


def prepared(tmp_path: Path, fields: dict[str, Any], task: Any, kind: Any = "table") -> DataSpec:
    document: Any = {"name": "toy", "source": {"parquet": fields}, "input": kind, "task": task, "root": str(tmp_path)}
    return prepare.prepare(DataDocument.model_validate(document), tmp_path / "prepared")


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (pa.array([3, None, -1], pa.int32()), [3, np.nan, -1]),
        (pa.array([0.5, None, float("nan")], pa.float32()), [0.5, np.nan, np.nan]),
        (pa.array([True, None, False]), [1, np.nan, 0]),
        (pa.array([Decimal("1.10"), None, Decimal("-2.05")]), [1.1, np.nan, -2.05]),
        (pa.array([None, None, None]), [np.nan, np.nan, np.nan]),
        (pa.array([2**53, 1, 0], pa.uint64()), [2**53, 1, 0]),
    ],
    ids=["int32", "float32", "bool", "decimal", "null", "uint64"],
)
def test_numbers_are_numbers_and_missing_ones_nan(tmp_path: Path, cells: pa.Array, numbers: list[float]) -> None:
    file = written(tmp_path / "t.parquet", {"a": cells, "y": ["u", "v", "u"]})
    found = read(file, ["a"], target="y")["a"]
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, numbers)


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        (pa.array([" u", None, "Zu\u0308rich"]), ["u", "", "Z\u00fcrich"]),
        (pa.array(["u", None, "v"]).dictionary_encode(), ["u", "", "v"]),
        (pa.array([b"u", None, b"v"]), ["u", "", "v"]),
        (pa.array([date(2024, 3, 9), None, date(2024, 3, 10)]), ["2024-03-09", "", "2024-03-10"]),
        (pa.array(["u", None, "v"], pa.large_string()), ["u", "", "v"]),
    ],
    ids=["text", "dictionary", "bytes", "date", "large"],
)
def test_text_is_text_and_missing_ones_empty(tmp_path: Path, cells: pa.Array, text: list[str]) -> None:
    file = written(tmp_path / "t.parquet", {"a": cells, "y": [1, 2, 3]})
    found = read(file, ["a"], target="y")["a"]
    assert found.dtype.kind == "U"
    assert found.tolist() == text


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (pa.array([1, 2**60 + 1] * 20), ["1", str(2**60 + 1)]),
        (pa.array([1.0, 2.0] * 20), ["1", "2"]),
        (pa.array([True, False] * 20), ["false", "true"]),
        (pa.array(["u", "v"] * 20).dictionary_encode(), ["u", "v"]),
    ],
    ids=["int", "float", "bool", "category"],
)
def test_labels_are_told_apart(tmp_path: Path, labels: pa.Array, classes: list[str]) -> None:
    written(tmp_path / "t.parquet", {"a": np.arange(40.0), "y": labels})
    spec = prepared(tmp_path, {"file": "t.parquet", "target": "y"}, "classification")
    assert list(spec.classes) == classes


@pytest.mark.parametrize("gap", [None, float("nan")])
def test_a_missing_label_is_refused_by_its_row_or_left_out(tmp_path: Path, gap: float | None) -> None:
    labels = pa.array([gap if row == 30 else float(row % 2) for row in range(40)], pa.float64(), from_pandas=False)
    file = written(tmp_path / "t.parquet", {"a": np.arange(40.0), "y": labels}, row_group_size=7)
    with pytest.raises(DataError, match=r"t\.parquet: row 31 has no target in column 'y'"):
        held(Parquet(file=file, target="y").open(None))
    splits = Parquet(file=file, target="y", missing_targets="drop").open(None)
    assert splits.rows["train"].tolist() == [row for row in range(40) if row != 30]
    assert splits.notes == ("1 rows are left out: their target is missing",)


def test_the_same_table_is_prepared_alike_from_csv_and_parquet(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=90).round(4), "b": rng.integers(0, 9, 90), "y": [*"abc"] * 30})
    frame.loc[5, "a"] = np.nan
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet", row_group_size=40)
    digests = set()
    for name in ("csv", "parquet"):
        fields = {"file": f"t.{name}", "target": "y"}
        document: Any = {"name": "toy", "source": {name: fields}, "input": "table", "task": "classification"}
        read_as = DataDocument.model_validate({**document, "root": str(tmp_path)})
        digests.add(prepare.prepare(read_as, tmp_path / f"prepared_{name}").digest)
    assert len(digests) == 1
    both = [
        held(kind(file=str(tmp_path / f"t.{name}"), target="y").open(None))["train"]
        for kind, name in ((Csv, "csv"), (Parquet, "parquet"))
    ]
    np.testing.assert_array_equal(both[0].x, both[1].x)


def test_rows_are_read_in_pieces_and_only_groups_that_hold_some(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(source, "CELLS", 20)
    file = written(tmp_path / "t.parquet", {"a": np.arange(100), "y": np.arange(100)}, row_group_size=30)
    table = Parquet(file=file, target="y").open(None).table
    pieces = [rows for rows, _ in table.pieces(["a", "y"])]
    assert max(map(len, pieces)) == 10
    np.testing.assert_array_equal(np.concatenate(pieces), np.arange(100))
    seen: list[list[int]] = []
    plain = parquet.ParquetFile.iter_batches
    monkeypatch.setattr(
        parquet.ParquetFile,
        "iter_batches",
        lambda self, size, groups, **more: (seen.append(groups), plain(self, size, groups, **more))[1],
    )
    wanted = np.array([3, 29, 61, 62, 99])
    assert read(file, ["a"], wanted, target="y")["a"].tolist() == wanted.tolist()
    assert seen == [[0], [2], [3]]


def test_lists_of_one_length_are_examples_and_bytes_stay_bytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (30, 4, 5), np.uint8)
    cells = pa.array(images.tolist(), pa.list_(pa.list_(pa.uint8())))
    file = written(tmp_path / "t.parquet", {"image": cells, "y": [*"ab"] * 15}, row_group_size=8)
    part = held(Parquet(file=file, target="y").open(None))["train"]
    assert part.x.dtype == np.uint8
    np.testing.assert_array_equal(part.x, images)


def test_several_columns_of_lists_are_channels(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(2, 30, 6)).astype(np.float32)
    fixed = pa.FixedSizeListArray.from_arrays(pa.array(left.ravel()), 6)
    file = written(tmp_path / "t.parquet", {"l": fixed, "r": pa.array(right.tolist()), "y": [*"ab"] * 15})
    part = held(Parquet(file=file, target="y").open(None))["train"]
    np.testing.assert_array_equal(part.x, np.stack([left, right.astype(np.float64)], axis=-1).astype(np.float32))


def test_a_gap_in_a_list_is_nan_in_any_piece(tmp_path: Path) -> None:
    cells = pa.array([[1, 2]] * 9 + [[None, 2**40]], pa.list_(pa.int64()))
    file = written(tmp_path / "t.parquet", {"a": cells, "y": [*"ab"] * 5}, row_group_size=5)
    pieces = [piece["a"] for _, piece in Parquet(file=file, target="y").open(None).table.pieces(["a"])]
    assert {piece.dtype for piece in pieces} == {np.dtype(np.float64)}
    np.testing.assert_array_equal(pieces[-1][-1], [np.nan, 2**40])


def test_a_table_reads_numbers_words_and_lists_by_name(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    columns = {
        "price": rng.normal(size=60),
        "kind": pa.array([*"abc"] * 20).dictionary_encode(),
        "spread": pa.array(rng.normal(size=(60, 2)).tolist()),
        "ragged": pa.array([[1.0] * (row % 3) for row in range(60)]),
        "y": rng.normal(size=60),
    }
    written(tmp_path / "t.parquet", columns)
    kind = {"table": {"columns": ["price", "kind", "spread"]}}
    spec = prepared(tmp_path, {"file": "t.parquet", "target": "y"}, "regression", kind)
    assert spec.inputs[0].state["numbers"] == ["price", "spread_0", "spread_1"]
    assert spec.inputs[0].state["words"]["kind"]["names"] == ["a", "b", "c"]


def test_several_targets_and_targets_of_lists(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(size=(60, 2))
    written(tmp_path / "t.parquet", {"a": rng.normal(size=60), "y": pa.array(y.tolist()), "z": rng.normal(size=60)})
    spec = prepared(tmp_path, {"file": "t.parquet", "target": ["y", "z"]}, "regression")
    assert spec.task.state["targets"] == ["y.0", "y.1", "z"]


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
@pytest.mark.parametrize("unit", ["s", "us", "ns"])
def test_times_order_rows_and_later_ones_are_targets(tmp_path: Path, unit: str, zone: str | None) -> None:
    order = np.random.default_rng(0).permutation(48)
    when = pa.array([datetime(2024, 3, 30, tzinfo=UTC) + pd.Timedelta(hours=int(hour)) for hour in order])
    columns = {"when": when.cast(pa.timestamp(unit, zone)), "price": order * 10.0}
    written(tmp_path / "t.parquet", columns, row_group_size=10)
    fields = {"file": "t.parquet", "target": "price", "order": "when", "ahead": 1}
    spec = prepared(tmp_path, fields, "regression")
    folder = Path(spec.folder)
    for part in ("train", "val", "test"):
        x, y = np.load(folder / f"{part}_table_numbers.npy"), np.load(folder / f"{part}_y.npy")
        np.testing.assert_array_equal(y, x + 10)
        assert (np.diff(y[:, 0]) > 0).all()
    assert sum(spec.sizes.values()) == 47


def test_a_name_with_a_point_is_one_name(tmp_path: Path) -> None:
    file = written(tmp_path / "t.parquet", {"pm": [1, 2], "pm2.5": [3, 4], "y": ["a", "b"]})
    found = read(file, ["pm", "pm2.5"], target="y")
    assert {name: values.tolist() for name, values in found.items()} == {"pm": [1, 2], "pm2.5": [3, 4]}


def test_the_index_of_pandas_is_no_feature(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "y": [*"aba"]}).iloc[[2, 0]]
    frame.to_parquet(tmp_path / "t.parquet")
    assert Parquet(file=str(tmp_path / "t.parquet"), target="y").open(None).features == ("a",)


STRUCT = pa.array([{"b": 1}, {"b": 2}])


@pytest.mark.parametrize(
    ("column", "told"),
    [
        (STRUCT, "the column 'a' is of a type that is not read.*received 'struct<b: int64>'"),
        (pa.array([[1], [1, 2]]), r"row 2: the lists of column 'a' differ in length. Expected 1 numbers; received 2"),
        (pa.array([[1, 2], None]), r"row 2: the lists of column 'a' differ in length. Expected 2 numbers; .* none"),
        (pa.array([[], []], pa.list_(pa.int8())), r"row 1: the lists of column 'a'.*received none"),
        (pa.array([["u"], ["v"]]), "lists of something else than numbers. Received string"),
        (pa.array([2**53 + 1, 0]), "the column 'a' holds numbers that float64 does not tell"),
        (pa.array([b"\xff", b"a"]), "the column 'a' is of a type that is not read"),
    ],
    ids=["struct", "ragged", "no list", "empty lists", "words", "large", "bytes"],
)
def test_what_cannot_be_read_is_refused_by_name_once_it_is_wanted(tmp_path: Path, column: pa.Array, told: str) -> None:
    file = written(tmp_path / "t.parquet", {"a": column, "b": [1.0, 2.0], "y": ["u", "v"]})
    assert len(held(Parquet(file=file, target="y", columns=("b",)).open(None))["train"].x) == 2
    table = Parquet(file=file, target="y", columns=("a",)).open(None).table
    with pytest.raises(DataError, match=told):
        list(table.pieces(["a"]) if pa.types.is_struct(column.type) or column.type == pa.binary() else held_x(table))


def held_x(table: Any) -> list[Any]:
    return [piece for _, piece in table.pieces([table.examples])]


@pytest.mark.parametrize(
    ("column", "kind"), [(pa.array(["u", "v"]), "string"), (STRUCT, "struct<b: int64>")], ids=["text", "struct"]
)
def test_examples_side_by_side_want_numbers(tmp_path: Path, column: pa.Array, kind: str) -> None:
    file = written(tmp_path / "t.parquet", {"a": column, "y": ["u", "v"]})
    with pytest.raises(DataError, match=f"the column 'a' is no number in each row. Expected numbers; received {kind}"):
        held(Parquet(file=file, target="y").open(None))


def test_a_column_is_to_be_alike_in_both_files(tmp_path: Path) -> None:
    train = written(tmp_path / "t.parquet", {"a": [1.0, 2.0], "y": ["u", "v"]})
    test = written(tmp_path / "u.parquet", {"a": ["1", "2"], "y": ["u", "v"]})
    with pytest.raises(DataError, match=r"u\.parquet: the column 'a' is no number"):
        held(Parquet(file=train, test=test, target="y").open(None))
    other = written(tmp_path / "v.parquet", {"a": [[1.0], [2.0]], "y": ["u", "v"]})
    with pytest.raises(DataError, match=r"v\.parquet: the column 'a' holds lists"):
        held(Parquet(file=train, test=other, target="y").open(None))


def test_lists_of_both_files_are_of_one_length(tmp_path: Path) -> None:
    train = written(tmp_path / "t.parquet", {"a": [[1.0, 2.0]] * 2, "y": ["u", "v"]})
    test = written(tmp_path / "u.parquet", {"a": [[1.0]] * 2, "y": ["u", "v"]})
    with pytest.raises(DataError, match=r"u\.parquet, row 1: the lists of column 'a' differ in length"):
        held(Parquet(file=train, test=test, target="y").open(None))


def test_a_file_of_another_form_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_text("a,y\n1,u\n")
    with pytest.raises(DataError, match=r"t\.parquet: cannot be read as Parquet"):
        Parquet(file=str(tmp_path / "t.parquet"), target="y").open(None)
    written(tmp_path / "u.parquet", {"a": pa.array([], pa.float64()), "y": pa.array([], pa.string())})
    with pytest.raises(DataError, match="holds no examples"):
        Parquet(file=str(tmp_path / "u.parquet"), target="y").open(None)


@pytest.mark.parametrize("at", range(0, 1000, 90))
def test_a_damaged_file_is_refused_or_read(tmp_path: Path, at: int) -> None:
    file = written(tmp_path / "t.parquet", {"a": np.arange(50.0), "y": [*"ab"] * 25}, use_dictionary=False)
    whole = Path(file).read_bytes()
    Path(file).write_bytes(whole[:at] + bytes(40) + whole[at + 40 :])
    with contextlib.suppress(DataError):
        part = held(Parquet(file=file, target="y").open(None))["train"]
        assert part.x.shape == (50, 1)


def test_a_file_that_changes_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path / "t.parquet", {"a": np.arange(50.0), "y": [*"ab"] * 25})
    splits = Parquet(file=file, target="y").open(None)
    written(tmp_path / "t.parquet", {"a": np.arange(40.0), "y": [*"ab"] * 20})
    with pytest.raises(DataError, match=r"has changed while it was read\. Expected 50 rows; received 40"):
        held(splits)
