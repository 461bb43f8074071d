from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
from pydantic import ValidationError

from automl.errors import DataError
from automl.records.data import Part, Splits
from automl.sources._table import Table
from automl.sources._tables import held
from automl.sources.csv import Csv

TABLE = "a,b,kind\n1,2,x\n3,,y\n5,6.5,x\n"


def opened(folder: Path, text: str | bytes, **fields) -> Splits:
    (folder / "t.csv").write_bytes(text.encode() if isinstance(text, str) else text)
    return Csv(file="t.csv", **{"target": "kind", **fields}).open(folder)


def load(folder: Path, text: str | bytes, **fields) -> dict[str, Part]:
    return held(opened(folder, text, **fields))


def failure(folder: Path, text: str | bytes, **fields) -> str:
    with pytest.raises(DataError) as caught:
        load(folder, text, **fields)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_rows_are_examples_and_gaps_are_nan(tmp_path):
    parts = load(tmp_path, TABLE)
    assert "test" not in parts
    assert parts["train"].x.dtype == np.float32
    np.testing.assert_array_equal(parts["train"].x, [[1, 2], [3, np.nan], [5, 6.5]])
    assert parts["train"].y.tolist() == ["x", "y", "x"]
    assert parts["train"].y.dtype.kind == "U"


def test_columns_are_taken_in_the_order_asked_for(tmp_path):
    np.testing.assert_array_equal(load(tmp_path, TABLE, columns=("b", "a"))["train"].x[0], [2, 1])
    assert load(tmp_path, TABLE, columns=("b",))["train"].x.shape == (3, 1)


def test_targets_are_numbers_where_that_is_said(tmp_path):
    assert load(tmp_path, TABLE, target="a", columns=("b",), labels="number")["train"].y.tolist() == [1, 3, 5]
    assert load(tmp_path, "a,kind\n1,0.5\n2,15e-1\n", labels="number")["train"].y.tolist() == [0.5, 1.5]
    message = failure(tmp_path, "a,kind\n1,1\n2,b\n", labels="number")
    assert "the target column 'kind' is not numeric. Expected numbers, under `labels: number`; received 'b'" in message


@pytest.mark.parametrize(
    "labels",
    [
        ["01067", "1067", "20095"],
        ["1E2", "100", "2E1"],
        ["3.10", "3.1", "3.12"],
        ["True", "1", "TRUE"],
        ["1", "1.0", "+1"],
        ["9007199254740993", "9007199254740992"],
        ["123456789012345678901", "123456789012345678902"],
        ["0x10", "16"],
        ["inf", "Infinity"],
    ],
)
def test_labels_and_groups_are_what_stands_in_the_file(tmp_path, labels):
    text = "a,who,kind\n" + "".join(f"{i},{label},{label}\n" for i, label in enumerate(labels))
    part = load(tmp_path, text, group="who")["train"]
    assert part.y.tolist() == labels
    assert part.groups.tolist() == labels


def test_both_files_of_a_set_are_read_by_one_rule(tmp_path):
    (tmp_path / "u.csv").write_text("a,kind\n1,01\n2,b\n")
    parts = load(tmp_path, "a,kind\n1,01\n2,1\n", test="u.csv")
    assert parts["train"].y.tolist() == ["01", "1"]
    assert parts["test"].y.tolist() == ["01", "b"]


def test_spaces_around_values_are_no_part_of_them(tmp_path):
    text = ' a , b, kind\n1 , 2 , x\n 3,, x y \n5, NA , "x"\n 6 ,7,"x , z" \n8,"9" , " x" \n'
    part = load(tmp_path, text, columns=("a", "b"))["train"]
    assert part.y.tolist() == ["x", "x y", "x", "x , z", "x"]
    np.testing.assert_array_equal(part.x, [[1, 2], [3, np.nan], [5, np.nan], [6, 7], [8, 9]])


def test_unicode_that_looks_alike_is_one_label_and_one_column(tmp_path):
    part = load(tmp_path, "cafe\u0301,kind\n1,e\u0301\n2,\u00e9\n", columns=("caf\u00e9",))["train"]
    assert part.y.tolist() == ["\u00e9", "\u00e9"]
    assert "two columns bear one name" in failure(tmp_path, "e\u0301,\u00e9,kind\n1,2,x\n")


def test_packed_files_are_read_and_archives_are_refused(tmp_path):
    whole = load(tmp_path, TABLE)["train"]
    for ending, packer in ((".gz", gzip), (".bz2", bz2), (".xz", lzma)):
        (tmp_path / f"t.csv{ending}").write_bytes(packer.compress(TABLE.encode()))
        part = held(Csv(file=f"t.csv{ending}", target="kind").open(tmp_path))["train"]
        np.testing.assert_array_equal(part.x, whole.x)
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("../../t.csv", TABLE)
        archive.writestr("__MACOSX/t.csv", "")
    part = held(Csv(file="t.zip", target="kind").open(tmp_path))["train"]
    np.testing.assert_array_equal(part.x, whole.x)
    with zipfile.ZipFile(tmp_path / "t.zip", "a") as archive:
        archive.writestr("u.csv", TABLE)
    with pytest.raises(DataError, match=r"t\.zip: is packed.*unzip"):
        Csv(file="t.zip", target="kind").open(tmp_path)
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(TABLE.encode())[:-9])
    with pytest.raises(DataError, match="cannot be read as comma-separated values"):
        Csv(file="t.csv.gz", target="kind").open(tmp_path)
    (tmp_path / "t.tar.gz").write_bytes(b"")
    with pytest.raises(DataError, match=r"t\.tar\.gz: is packed.*tar -xf"):
        Csv(file="t.tar.gz", target="kind").open(tmp_path)


def test_decimal_commas(tmp_path):
    text = "a;b;kind\n1,5;2;x\n-0,25; ;y\n"
    part = load(tmp_path, text, separator=";", decimal=",")["train"]
    np.testing.assert_array_equal(part.x, [[1.5, 2], [-0.25, np.nan]])
    message = failure(tmp_path, text, separator=";")
    assert "received '1,5' in row 1. Where the comma stands before decimals, write `decimal: ','`" in message
    # A point that parts thousands, or one where a comma was said, is no decimal of anything.
    for odd in ("1.234,5", "1.5"):
        assert f"received '{odd}'" in failure(tmp_path, f"a;kind\n1,5;x\n{odd};y\n", separator=";", decimal=",")


def test_percentages_are_hundredths(tmp_path):
    part = load(tmp_path, "a,b,kind\n12%,1,x\n 5 %,2,y\n?,3,y\n")["train"]
    np.testing.assert_allclose(part.x, [[0.12, 1], [0.05, 2], [np.nan, 3]])
    said = "the column 'a' holds percentages in some places and plain numbers in others"
    assert said in failure(tmp_path, "a,kind\n12%,x\n5,y\n")
    (tmp_path / "u.csv").write_text("a,kind\n12,x\n5,y\n")
    assert f"u.csv: {said}" in failure(tmp_path, "a,kind\n12%,x\n5%,y\n", test="u.csv")


def test_a_table_without_names(tmp_path):
    part = load(tmp_path, "1,2,x\n3,4,y\n", header=False, target="column_3")["train"]
    np.testing.assert_array_equal(part.x, [[1, 2], [3, 4]])
    assert part.y.tolist() == ["x", "y"]
    assert "t.csv:2: wrong number of values" in failure(tmp_path, "1,2,x\n3,4\n", header=False, target="column_3")


def test_rows_stand_in_the_order_of_time(tmp_path):
    text = "when,a,kind\n2024-03-09 10:00,3,x\n2023-12-31 23:00,1,y\n2024-03-01 10:00,2,x\n"
    splits = opened(tmp_path, text, order="when")
    assert splits.is_timeline
    assert held(splits)["train"].x.ravel().tolist() == [1, 2, 3]
    assert held(splits)["train"].y.tolist() == ["y", "x", "x"]
    assert not opened(tmp_path, text, columns=("a",)).is_timeline
    numbers = load(tmp_path, "when,a,kind\n10,3,x\n9,2,y\n", order="when")["train"]
    assert numbers.x.ravel().tolist() == [2, 3]


@pytest.mark.parametrize(
    ("encoding", "told"), [("utf-16", "It is UTF-16: convert it with iconv -f utf-16"), ("latin1", "iconv -f latin1")]
)
def test_text_that_is_not_utf8_is_told_how_to_convert_it(tmp_path, encoding, told):
    assert told in failure(tmp_path, "a,kind\n1,\xe9\n".encode(encoding))


def test_an_order_of_decimal_commas(tmp_path):
    text = "zeit;druck;kind\n0,50;3,5;a\n10,00;4,5;b\n2,25;5,5;a\n"
    part = load(tmp_path, text, order="zeit", separator=";", decimal=",")["train"]
    assert part.x.ravel().tolist() == [3.5, 5.5, 4.5]
    dated = text.replace("0,50", "03.02.2024").replace("10,00", "13.01.2024").replace("2,25", "14.01.2024")
    part = load(tmp_path, dated, order="zeit", separator=";", decimal=",")["train"]
    assert part.x.ravel().tolist() == [4.5, 5.5, 3.5]
    assert "does not say when each row was" in failure(
        tmp_path, text.replace("0,50", "1.234,5"), order="zeit", separator=";", decimal=","
    )


@pytest.mark.parametrize(
    ("train", "test", "told"),
    [
        (("2024-01-01", "2024-01-05"), ("2024-01-05", "2024-01-09"), None),
        (("2024-01-01", "2024-01-05"), ("2024-01-09", "2024-01-04"), "from '2024-01-05' on"),
        (("1", "10"), ("9.5", "11"), "from '10' on, which is the last of the training part; received '9.5'"),
        # The third of April and of May, whatever the test part might mean by itself.
        (("13/03/2024", "03/05/2024"), ("04/03/2024", "05/03/2024"), "received '04/03/2024'"),
        (("2024-01-01", "2024-01-05"), ("2024-01-06 10:00:00.5", "2024-01-07 10:00:00.25"), None),
    ],
)
def test_a_test_part_is_not_earlier_than_the_training_part(tmp_path, train, test, told):
    header = "when,a,kind\n"
    (tmp_path / "test.csv").write_text(header + "".join(f"{when},1,x\n" for when in test))
    text = header + "".join(f"{when},1,x\n" for when in train)
    if told is None:
        assert len(load(tmp_path, text, order="when", test="test.csv")["test"].x) == 2
    else:
        message = failure(tmp_path, text, order="when", test="test.csv")
        assert "by 'when' the test part is not later than the training part" in message
        assert told in message


def test_dates_are_read_in_one_way_or_not_at_all(tmp_path):
    def order(*dates):
        text = "when,a,kind\n" + "".join(f'"{date}",{i},x\n' for i, date in enumerate(dates))
        return load(tmp_path, text, order="when")["train"].x.ravel().tolist()

    assert order("31.01.2024", "02.02.2023") == [1, 0]
    assert order("01/31/2024 1:00 PM", "01/31/2024 2:00 AM") == [1, 0]
    # Day first they fall, month first they rise, as files of what happened do.
    assert order("01/05/2024", "02/04/2024", "03/03/2024") == [0, 1, 2]
    with pytest.raises(DataError, match="can be read with the day or the month first"):
        order("03/03/2024", "01/05/2024", "02/04/2024")
    with pytest.raises(DataError, match=r"does not say when each row was.*received 'soon' in row 2"):
        order("2024-01-01", "soon")


def test_order_and_group_exclude_each_other():
    with pytest.raises(ValidationError, match="group and order exclude each other"):
        Csv(file="t.csv", target="y", group="g", order="o")


def test_a_million_columns_are_named_in_a_moment(tmp_path):
    count = 300_000
    header = ",".join(f"c{number}" for number in range(count))
    (tmp_path / "t.csv").write_text(f"{header}\n{','.join('1' * count)}\n")
    started = perf_counter()
    assert len(Table().names(tmp_path / "t.csv")) == count
    assert perf_counter() - started < 10


def test_the_class_na_is_a_class(tmp_path):
    assert load(tmp_path, "a,kind\n1,NA\n?,None\n")["train"].y.tolist() == ["NA", "None"]


def test_rows_become_images_or_series(tmp_path):
    text = "a,b,c,d,kind\n1,2,3,4,x\n5,6,7,8,y\n"
    assert load(tmp_path, text, shape=(2, 2, 1))["train"].x.shape == (2, 2, 2, 1)
    np.testing.assert_array_equal(load(tmp_path, text, shape=(2, 2))["train"].x[1], [[5, 6], [7, 8]])
    message = failure(tmp_path, text, shape=(3, 1))
    assert "Expected 3 feature columns for shape [3, 1]; received 4" in message


def test_a_test_file_is_the_test_part_whatever_its_column_order(tmp_path):
    (tmp_path / "u.csv").write_text("kind,extra,b,a\nx,9,8,7\n")
    parts = load(tmp_path, TABLE, test="u.csv")
    np.testing.assert_array_equal(parts["test"].x, [[7, 8]])
    (tmp_path / "u.csv").write_text("kind,a\nx,9\n")
    assert "u.csv: has no feature column 'b'" in failure(tmp_path, TABLE, test="u.csv")


def test_separator_quotes_and_byte_order_mark(tmp_path):
    part = load(tmp_path, '\ufeff"a";"kind"\n1;"x;y"\n2;"z"\n', separator=";")["train"]
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
        Csv(file="none.csv", target="y").open(tmp_path)


def test_shapes_are_positive():
    with pytest.raises(ValidationError):
        Csv.model_validate({"file": "t.csv", "target": "y", "shape": [0]})


def test_a_group_is_no_feature(tmp_path):
    part = load(tmp_path, "a,who,kind\n1,ann,x\n2,bob,y\n", group="who")["train"]
    assert part.x.tolist() == [[1], [2]]
    assert part.groups is not None
    assert part.groups.tolist() == ["ann", "bob"]
    assert "has no group column 'whom'" in failure(tmp_path, TABLE, group="whom")
    assert "the group 'a' is among the feature columns" in failure(tmp_path, TABLE, group="a", columns=("a",))


def test_series_in_columns_may_lie_channels_first_and_be_padded_with_zeros(tmp_path):
    text = "a,b,c,d,e,f,kind\n1,2,0,4,5,0,x\n7,8,9,1,2,3,y\n"
    part = load(tmp_path, text, shape=(2, 3), channels_first=True, zero_padding="end")["train"]
    np.testing.assert_array_equal(part.x, [[[1, 4], [2, 5], [np.nan, np.nan]], [[7, 1], [8, 2], [9, 3]]])


def test_large_numbers_need_an_offset(tmp_path):
    text = "time,b,kind\n" + "".join(f"{1_700_000_000 + i},{i},{'xy'[i % 2]}\n" for i in range(20))
    message = failure(tmp_path, text)
    assert "numbers of column 'time' that differ are one number in float32" in message
    part = load(tmp_path, text, offset={"time": 1.7e9})["train"]
    np.testing.assert_array_equal(part.x, [[i, i] for i in range(20)])
    assert "`offset` names 'tme', which is no feature" in failure(tmp_path, text, offset={"tme": 1})
    with pytest.raises(ValidationError, match="offset and zero_padding exclude each other"):
        Csv(file="t.csv", target="y", offset=1, zero_padding="end")
