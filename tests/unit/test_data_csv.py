from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from automl.data.csv import Csv
from automl.errors import DataError

TABLE = "a,b,kind\n1,2,x\n3,,y\n5,6.5,x\n"


def load(folder: Path, text: str | bytes, **fields):
    (folder / "t.csv").write_bytes(text.encode() if isinstance(text, str) else text)
    return Csv(file="t.csv", **{"target": "kind", **fields}).load(folder)


def failure(folder: Path, text: str | bytes, **fields) -> str:
    with pytest.raises(DataError) as caught:
        load(folder, text, **fields)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_rows_are_examples_and_gaps_are_nan(tmp_path):
    splits = load(tmp_path, TABLE)
    assert splits.test is None
    assert splits.train.x.dtype == np.float32
    np.testing.assert_array_equal(splits.train.x, [[1, 2], [3, np.nan], [5, 6.5]])
    assert splits.train.y.tolist() == ["x", "y", "x"]
    assert splits.train.y.dtype.kind == "U"


def test_columns_are_taken_in_the_order_asked_for(tmp_path):
    np.testing.assert_array_equal(load(tmp_path, TABLE, columns=("b", "a")).train.x[0], [2, 1])
    assert load(tmp_path, TABLE, columns=("b",)).train.x.shape == (3, 1)


def test_numeric_targets_stay_numbers(tmp_path):
    assert load(tmp_path, TABLE, target="a", columns=("b",)).train.y.tolist() == [1, 3, 5]
    assert load(tmp_path, "a,kind\n1,0.5\n2,1.5\n").train.y.tolist() == [0.5, 1.5]
    assert load(tmp_path, "a,kind\n1,True\n2,False\n").train.y.tolist() == ["True", "False"]


def test_the_class_na_is_a_class(tmp_path):
    assert load(tmp_path, "a,kind\n1,NA\n?,None\n").train.y.tolist() == ["NA", "None"]


def test_rows_become_images_or_series(tmp_path):
    text = "a,b,c,d,kind\n1,2,3,4,x\n5,6,7,8,y\n"
    assert load(tmp_path, text, shape=(2, 2, 1)).train.x.shape == (2, 2, 2, 1)
    np.testing.assert_array_equal(load(tmp_path, text, shape=(2, 2)).train.x[1], [[5, 6], [7, 8]])
    message = failure(tmp_path, text, shape=(3, 1))
    assert "Expected 3 feature columns for shape [3, 1]; received 4" in message


def test_a_test_file_is_the_test_part_whatever_its_column_order(tmp_path):
    (tmp_path / "u.csv").write_text("kind,extra,b,a\nx,9,8,7\n")
    splits = load(tmp_path, TABLE, test="u.csv")
    np.testing.assert_array_equal(splits.test.x, [[7, 8]])
    (tmp_path / "u.csv").write_text("kind,a\nx,9\n")
    assert "u.csv: has no feature column 'b'" in failure(tmp_path, TABLE, test="u.csv")


def test_separator_quotes_and_byte_order_mark(tmp_path):
    part = load(tmp_path, '\ufeff"a";"kind"\n1;"x;y"\n2;"z"\n', separator=";").train
    assert part.y.tolist() == ["x;y", "z"]


def test_an_absent_target_names_the_columns_there_are(tmp_path):
    message = failure(tmp_path, TABLE, target="knd")
    assert "t.csv: has no target column 'knd'. Expected one of ['a', 'b', 'kind']. Did you mean 'kind'?" in message


@pytest.mark.parametrize(
    ("text", "fields", "said"),
    [
        ("", {}, "is empty"),
        ("a,kind\n", {}, "holds no examples"),
        ("a,b,kind\n1,2,x\n1,x\n", {}, "t.csv:3: wrong number of values. Expected 3; received 2"),
        ("a,b,kind\n1,2,x,9\n", {}, "t.csv:2: wrong number of values. Expected 3; received 4"),
        ("a,a,kind\n1,2,x\n", {}, "two columns bear one name"),
        ("a,kind\n1,x\n", {"columns": ("a", "kind")}, "is among the feature columns"),
        ("kind\nx\n", {}, "has no feature column"),
        ("a,kind\n1,x\ntall,y\n", {}, "the feature column 'a' is not numeric"),
        ("a,kind\n1,x\ntall,y\n", {}, "received 'tall' in row 2"),
        ("a,kind\n1,x\n2,\n", {}, "row 2 has no target in column 'kind'"),
        ("a,kind\n1,x\n1e300,y\n", {}, "beyond float32"),
        ("a,kind\n1,x\ninf,y\n", {}, "infinite"),
        (b"a,kind\n1,\xe4\n", {}, "is not UTF-8 text"),
        ('a,kind\n1,"x\n', {}, "cannot be read as comma-separated values"),
        ("a,kind\n1," + "x" * 200_000 + "\n", {}, "field larger than field limit"),
    ],
)
def test_a_broken_table_is_said_in_a_line(tmp_path, text, fields, said):
    assert said in failure(tmp_path, text, **fields)


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"Put the \.csv file at"):
        Csv(file="none.csv", target="y").load(tmp_path)


def test_shapes_are_positive():
    with pytest.raises(ValidationError):
        Csv.model_validate({"file": "t.csv", "target": "y", "shape": [0]})


def test_a_group_is_no_feature(tmp_path):
    part = load(tmp_path, "a,who,kind\n1,ann,x\n2,bob,y\n", group="who").train
    assert part.x.tolist() == [[1], [2]]
    assert part.groups is not None
    assert part.groups.tolist() == ["ann", "bob"]
    assert "has no group column 'whom'" in failure(tmp_path, TABLE, group="whom")
    assert "the group 'a' is among the feature columns" in failure(tmp_path, TABLE, group="a", columns=("a",))
