"""What `sniff` makes of data of every form: the target, the features, the input, the split, and what it refuses."""

from __future__ import annotations

import gzip
import struct
import zipfile
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
from PIL import Image

from automl import sources
from automl.authoring import sniff
from automl.data import prepare
from automl.data.section import DataDocument
from automl.document.yaml_text import parse
from automl.errors import DataError
from automl.experiment import experiment
from automl.sources import _table
from automl.sources._tables import held
from automl.sources.image_folder import ImageFolder

RNG = np.random.default_rng(0)


def csv(path: Path, names: str, rows: int = 30, last: str = "label", labels: str = "abc") -> Path:
    """Writes columns of numbers, named letter by letter, and a last one of labels."""
    lines = [",".join([*names, last])]
    lines += [
        ",".join([*RNG.normal(size=len(names)).round(3).astype(str), labels[i % len(labels)]]) for i in range(rows)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def npz(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)
    return path


def refusal(path: Path, *args: str | None) -> str:
    with pytest.raises(DataError) as caught:
        sniff.look(path, *args)
    message = str(caught.value)
    assert "\n" not in message
    return message


def folders(root: Path, *places: str, endings: tuple[str, ...] = ("png",), names: str = "{}") -> Path:
    """Writes ten pictures (or files of another ending) into each place."""
    for place in places:
        (root / place).mkdir(parents=True)
        for number in range(10):
            path = root / place / f"{names.format(number)}.{endings[0]}"
            if endings[0] == "png":
                Image.fromarray(RNG.integers(0, 255, (6, 6, 3)).astype(np.uint8)).save(path)
            else:
                path.write_text("0 0.5 0.5 0.1 0.1")
    return root


# --- tables


@pytest.mark.parametrize(
    ("header", "target", "why"),
    [
        ("a,b,Class", "Class", "by its name"),
        ("y,a,label", "label", "by its name"),
        ("a,target,b", "target", "by its name"),
        ("x,y,class", "class", "by its name"),
    ],
)
def test_the_target_is_known_by_its_name(tmp_path, header, target, why):
    rows = [f"{i},{i % 2},{i % 3}" for i in range(30)]
    (tmp_path / "t.csv").write_text("\n".join([header, *rows]) + "\n")
    found = sniff.look(tmp_path / "t.csv")
    assert found.fields["target"] == target
    assert why in found.why["target"]
    assert sniff.look(tmp_path / "t.csv", header.split(",")[1]).fields["target"] == header.split(",")[1]


def test_columns_are_a_table_and_what_is_no_number_is_left_out(tmp_path):
    rows = [f"{i},2020-01-01,{7 * i % 20}.5,,{7 * i % 20},{'xy'[i % 2]}" for i in range(20)]
    (tmp_path / "t.csv").write_text("\n".join([",when,a,b,c,label", *rows]) + "\n")
    found = sniff.look(tmp_path)
    assert (found.kind, found.input, found.shape) == ("csv", "table", (3,))
    assert found.fields["columns"] == ["a", "b", "c"]
    assert found.left_out == ["", "when"]
    assert found.classes == {"x": 10, "y": 10}
    assert (found.values, found.missing, found.steps) == (60, 20, None)
    assert "['b']: holds no number in any row" in found.notes


def test_a_table_is_read_in_pieces(tmp_path, monkeypatch):
    rows = [f"{7 * i % 31},{i % 7 or ''},{'' if i > 20 else i},{i % 3}" for i in range(1, 31)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,c,label", *rows]) + "\n")
    whole = sniff.look(tmp_path / "t.csv").facts
    monkeypatch.setattr(_table, "CELLS", 16)
    assert sniff.look(tmp_path / "t.csv").facts == whole
    assert whole["missing_values"] == 4 + 10  # of b and of c
    series = sniff.look(tmp_path / "t.csv", None, "series").facts
    assert series["steps"] == [1, 3]
    assert series["missing_values"] == 2  # of b, where c is there: what ends a series is padding
    (tmp_path / "t.csv").write_text("\n".join(["a,b,c,label", *rows, "1,2,?,0", "1,oops,3,0"]) + "\n")
    assert "received 'oops' in row 32" in refusal(tmp_path / "t.csv")


def test_columns_are_read_in_whole_only_where_that_may_tell_something(tmp_path, monkeypatch):
    read = []
    whole = sniff.columns.Columns.whole
    monkeypatch.setattr(sniff.columns.Columns, "whole", lambda *given: read.append(given[1]) or whole(*given))
    sniff.look(csv(tmp_path / "t.csv", "ab"))
    assert read == []
    rows = [f"{2 * i},{i % 2},{'xy'[i // 3 % 2]}" for i in range(30)]
    sniff.look(written(tmp_path / "u.csv", "a,b,label", rows))
    assert read == [["a"], ["b", "label"]]


def test_square_pixels_are_an_image(tmp_path):
    header = ",".join(["label", *(f"pixel{i}" for i in range(12))])
    rows = [",".join([str(i % 2), *map(str, range(12))]) for i in range(20)]
    (tmp_path / "t.csv").write_text("\n".join([header, *rows]) + "\n")
    assert sniff.look(tmp_path / "t.csv").shape == (2, 2, 3)
    assert sniff.look(tmp_path / "t.csv", None, "series").shape == (12, 1)
    assert sniff.look(csv(tmp_path / "four.csv", "abcd"), None, "image").shape == (2, 2, 1)
    assert "received 5 feature columns" in refusal(csv(tmp_path / "five.csv", "abcde"), None, "image")


def test_a_test_table_beside_it_is_the_test_part(tmp_path):
    path = csv(tmp_path / "my_train.csv", "abc")
    csv(tmp_path / "my_test.csv", "abc", rows=12)
    found = sniff.look(tmp_path)
    assert found.path == path
    assert found.sizes == {"train": 24, "val": 6, "test": 12}
    assert found.split == {"val": 0.2, "seed": 0}
    (tmp_path / "my_test.csv").write_text("a,b,c\n1,2,3\n")
    found = sniff.look(tmp_path)
    assert "test" not in found.fields
    assert "my_test.csv is not used" in found.why["split"]
    assert found.split == {"val": 0.2, "test": 0.2, "seed": 0}


def test_other_separators(tmp_path):
    text = csv(tmp_path / "t.csv", "abc").read_text()
    (tmp_path / "t.tsv").write_text(text.replace(",", "\t"))
    assert sniff.look(tmp_path / "t.tsv").fields["separator"] == "\t"
    (tmp_path / "t.csv").write_text(text.replace(",", ";"))
    assert sniff.look(tmp_path / "t.csv").fields["separator"] == ";"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("a,b,y\n", "holds no examples"),
        ("a\n1\n", "has a single column"),
        ("1,2,0\n3,4,1\n", "has no header line"),
        ("a,b,y\n1,2\n", "wrong number of values"),
        ("a,b,y\n" + "1,2,x\n" * 9, "every example is of class 'x'"),
        ("a,b,y\nu,v,0\nw,x,1\n", "no column beside the target 'y' holds numbers to learn from"),
        ("a,b,y\n" + "1,2,0.5\n1,2,1.5\n" * 9, "whether the target 'y' names classes or is a number to predict cannot"),
        ("a,b,n\n" + "".join(f"1,2,{i}\n" for i in range(50)), "which column is the target cannot be told"),
        ("a,b,y\n" + "1,2,u\n" * 9 + "1,2,v\n", "class 'v' is too rare"),
        ("a,b,y\n1,2,u\n1,2,\n", "row 2 has no target"),
        ("a,b,y\n1,2,u\n1,1e99,v\n", "row 2 holds no number, or an infinite one"),
    ],
)
def test_tables_that_are_refused(tmp_path, text, told):
    (tmp_path / "t.csv").write_text(text)
    message = refusal(tmp_path / "t.csv")
    assert message.startswith(str(tmp_path / "t.csv"))
    assert told in message


def written(path: Path, header: str, rows: list[str]) -> Path:
    path.write_text("\n".join([*([header] if header else []), *rows]) + "\n")
    return path


def test_a_target_is_not_taken_because_it_stands_last(tmp_path):
    rows = [f"{-i},{i % 2},{i % 3}" for i in range(30)]
    path = written(tmp_path / "t.csv", "a,b,kind", rows)
    message = refusal(path)
    assert "which column is the target cannot be told. Expected one of b (2 values), kind (3 values)" in message
    assert "Name it with --target" in message
    assert sniff.look(path, "b").fields["target"] == "b"
    # Accelerations, of which none is a label.
    rows = [f"{-i},{i % 2},{i % 3},{'uv'[i % 2]}" for i in range(30)]
    assert sniff.look(written(path, "x,y,z,activity", rows)).fields["target"] == "activity"
    rows = [f"{-i},{i % 2},{i % 3},2024-01-{i + 1:02}" for i in range(30)]
    assert "Expected one of a (2 values), b (3 values)" in refusal(written(path, "n,a,b,when", rows))
    # What no other column can be is more than a place.
    rows = [f"{-i / 7:.3f},{i / 3:.3f},{i % 3}" for i in range(30)]
    assert "the only column that can be classes" in sniff.look(written(path, "a,b,kind", rows)).why["target"]


def pump(path: Path) -> Path:
    """A detection set: sensors by the second, when something was wrong, and when that began, turned and ended."""
    times = np.datetime64("2024-03-09T10:00:00") + np.arange(600).astype("timedelta64[s]")
    wrong = (np.arange(600) > 400) & (np.arange(600) < 500)
    sensors = [";".join((RNG.normal(size=3) + odd).round(4).astype(str)) for odd in wrong]
    rows = [
        f"{str(time).replace('T', ' ')};{values};{odd:.1f};{turn:.1f}"
        for time, values, odd, turn in zip(times, sensors, wrong, np.isin(np.arange(600), [401, 450, 499]), strict=True)
    ]
    return written(path, "datetime;current;pressure;flow;anomaly;changepoint", rows)


def test_of_sensors_by_time_no_target_is_guessed(tmp_path):
    path = pump(tmp_path / "pump.csv")
    message = refusal(path)
    assert "Expected one of anomaly (2 values), changepoint (2 values)" in message
    assert "The rows stand in the order of 'datetime'; there is no task for anomalies or forecasts yet" in message
    assert "Every row with changepoint 1.0 has anomaly 1.0, so 'changepoint' gives 'anomaly' away" in message
    # By time all that went wrong is in the last parts, so there is nothing to learn it from.
    message = refusal(path, "anomaly")
    assert "holds no example of class '1.0'" in message
    assert "there is no task for anomalies or forecasts yet" in message


@pytest.mark.parametrize("when", ["{i:03}", "{i}.5", "2024-01-01 10:{m:02}:{s:02}", "{d:02}.{n:02}.2024"])
def test_a_date_or_a_rising_number_is_the_order_and_no_feature(tmp_path, when):
    rows = [f"{when.format(i=i, m=i // 60, s=i % 60, d=i % 28 + 1, n=i // 28 + 1)},{i % 5},{i % 3}" for i in range(100)]
    path = written(tmp_path / "t.csv", "when,a,label", rows)
    found = sniff.look(path)
    assert (found.fields["order"], found.left_out, found.shape) == ("when", [], (1,))
    text = sniff.data.write(found, tmp_path, "automl")
    assert "the latest rows by when" in text
    document = DataDocument.model_validate({**parse(text, "t").data, "root": str(tmp_path)})
    spec = prepare.prepare(document, tmp_path / "prepared")
    assert dict(spec.sizes) == found.sizes == {"train": 60, "val": 20, "test": 20}
    for part, start in (("train", 0), ("val", 60), ("test", 80)):
        x = np.load(tmp_path / "prepared" / f"{part}_table_numbers.npy").ravel()
        assert x.tolist() == [i % 5 for i in range(start, start + len(x))]


def test_time_in_decimal_commas_is_the_order(tmp_path):
    rows = [f"{i // 4},{i % 4 * 25:02};{7 * i % 11},5;{'ab'[i % 2]}" for i in range(60)]
    found = sniff.look(written(tmp_path / "t.csv", "zeit;druck;label", rows))
    assert (found.fields["order"], found.shape) == ("zeit", (1,))


@pytest.mark.parametrize("start", [40, 20])
def test_a_test_table_is_later_or_there_is_no_order(tmp_path, start):
    for name, first in (("my_train.csv", 0), ("my_test.csv", start)):
        rows = [f"2024-01-01 10:{i:02}:00,{i % 5},{'ab'[i % 2]}" for i in range(first, first + 40 - start // 2)]
        written(tmp_path / name, "when,a,label", rows)
    found = sniff.look(tmp_path)
    assert ("order" in found.fields, found.shape) == (start == 40, (1,))
    told = "my_test.csv holds rows that by 'when' are earlier than some of my_train.csv"
    assert any(told in note for note in found.notes) == (start == 20)
    text = sniff.data.write(found, tmp_path, "automl")
    document = DataDocument.model_validate({**parse(text, "t").data, "root": str(tmp_path)})
    assert dict(prepare.prepare(document, tmp_path / "prepared").sizes) == found.sizes


@pytest.mark.parametrize(("name", "value"), [("patient", "p{}"), ("patient_id", "{}"), ("speakerId", "s{}")])
def test_who_an_example_belongs_to_is_the_group_and_no_feature(tmp_path, name, value):
    rows = [f"{-i},{i % 5},{value.format(i // 5 * 7 % 41)},{'ab'[i % 2]}" for i in range(200)]
    found = sniff.look(written(tmp_path / "t.csv", f"a,b,{name},label", rows))
    assert (found.fields["group"], found.fields["columns"], found.left_out) == (name, ["a", "b"], [])
    assert found.sizes["test"] == 40
    text = sniff.data.write(found, tmp_path, "automl")
    assert "what belongs together stays in one part" in text
    document = DataDocument.model_validate({**parse(text, "t").data, "root": str(tmp_path)})
    assert dict(prepare.prepare(document, tmp_path / "prepared").sizes) == found.sizes
    # Where each row is of another, nothing belongs together.
    rows = [f"{-i},{i % 5},{value.format(i * 7 % 211)},{'ab'[i % 2]}" for i in range(200)]
    assert "group" not in sniff.look(written(tmp_path / "t.csv", f"a,b,{name},label", rows)).fields


def test_groups_that_cannot_be_kept_whole_are_told(tmp_path):
    rows = [f"{-i},{i % 5},{i % 2},{'ab'[i % 3 == 0]}" for i in range(200)]
    found = sniff.look(written(tmp_path / "t.csv", "a,b,device,label", rows))
    assert ("group" in found.fields, found.fields["columns"], found.left_out) == (False, ["a", "b"], ["device"])
    assert any("'device' seems to say who an example belongs to" in note for note in found.notes)
    assert any("2 groups cannot be cut into 3 parts" in note for note in found.notes)
    rows = [f"{i:03},{i % 5},{i // 10},{'ab'[i % 2]}" for i in range(200)]
    found = sniff.look(written(tmp_path / "t.csv", "when,b,patient,label", rows))
    assert (found.fields["order"], "group" in found.fields, found.fields["columns"]) == ("when", False, ["b"])
    assert any("'patient' seems to say who" in note and "cut by 'when'" in note for note in found.notes)


def test_groups_of_an_archive_are_told_not_to_be_read(tmp_path):
    x, y = RNG.normal(size=(60, 9)), np.arange(60) % 2
    found = sniff.look(npz(tmp_path / "t.npz", x=x, y=y, groups=np.arange(60) // 5))
    assert any(
        "of the arrays ['groups'], which seem to say what belongs together, none is read" in n for n in found.notes
    )
    assert not any("belongs together" in n for n in sniff.look(npz(tmp_path / "t.npz", x=x, y=y, more=y)).notes)


def test_what_only_counts_rows_is_no_order(tmp_path):
    rows = [f"{i},{i % 5},{'ab'[i > 20]}" for i in range(40)]
    assert "order" not in sniff.look(written(tmp_path / "t.csv", "Id,a,label", rows)).fields
    found = sniff.look(written(tmp_path / "t.csv", "PassengerId,a,label", rows))
    assert ("order" in found.fields, found.left_out) == (False, ["PassengerId"])
    rows_of_stations = [f"{i % 4},{i % 5},{'ab'[i > 20]}" for i in range(40)]
    found = sniff.look(written(tmp_path / "t.csv", "station_id,a,label", rows_of_stations))
    assert found.left_out == []
    for name in ("rownames", "sample", "Nr", "S.No"):
        for start in (0, 1):
            counted = [f"{i + start},{i % 5},{'ab'[i > 20]}" for i in range(40)]
            found = sniff.look(written(tmp_path / "t.csv", f"{name},a,label", counted))
            assert ("order" in found.fields, found.left_out, found.shape) == (False, [name], (1,))
    assert "['S.No'] counts the rows" not in " ".join(found.notes)
    found = sniff.look(written(tmp_path / "t.csv", "sample,a,label", counted))
    assert "['sample'] counts the rows, and is no feature" in found.notes
    found = sniff.look(written(tmp_path / "t.csv", "", [f"{i + 1},{7 * i % 5}.5,{'ab'[i % 2]}" for i in range(40)]))
    assert ("order" in found.fields, found.left_out) == (False, ["column_1"])
    message = refusal(written(tmp_path / "t.csv", "step_time,a,label", rows))
    assert "holds no example of class" in message
    assert "If 'step_time' is no time but counts rows, call it id" in message


def lasting(folder: Path, name: str, values: list[object]) -> sniff.Found:
    """Looks at a table with a column that may be a time, and two more."""
    return sniff.look(
        written(
            folder / "t.csv", f"{name},a,label", [f"{each},{7 * i % 5},{'ab'[i % 2]}" for i, each in enumerate(values)]
        )
    )


@pytest.mark.parametrize("name", ["price", "f1", "distance", "metadata", "estimate_", "temperature"])
def test_a_column_that_merely_is_sorted_stays_a_feature_and_is_asked_about(tmp_path, name):
    found = lasting(tmp_path, name, [i * 1.5 for i in range(60)])
    assert ("order" in found.fields, found.shape) == (False, (2,))
    assert f"{name!r} rises from row to row; it is a feature, and the parts are drawn at random" in found.notes[0]
    assert f"if it is time, say `order: {name}`" in found.notes[0]


@pytest.mark.parametrize(
    ("name", "start", "step"),
    [
        ("Time", 0, 1.5), ("zeit", 0, 1), ("startTime", 5, 2), ("time_ms", 1, 10), ("t", 0, 0.1), ("Datum", 1, 1),
        ("x1", 1_700_000_000, 60), ("x1", 1_700_000_000_000, 1), ("Time (s)", 0, 3),
    ],
)  # fmt: skip
def test_what_rises_is_the_order_where_its_name_or_its_size_says_time(tmp_path, name, start, step):
    found = lasting(tmp_path, name, [start + i * step for i in range(60)])
    assert (found.fields["order"], found.shape) == (name, (1,))
    assert f"the rows are in the order of {name!r}" in found.notes[0]


def test_a_time_that_does_not_rise_is_asked_about(tmp_path):
    found = lasting(tmp_path, "timestamp", [1_700_000_000 + i // 2 * 60 for i in range(60)])
    assert (found.fields["order"], found.shape) == ("timestamp", (1,))
    for values in ([1_700_000_000 - i * 7 % 60 for i in range(60)], [100 - i for i in range(60)]):
        found = lasting(tmp_path, "time", list(values))
        assert "order" not in found.fields
        assert "'time' may be a time; it is a feature, and the parts are drawn at random" in " ".join(found.notes)
    assert not lasting(tmp_path, "time", [7 * i % 24 for i in range(60)]).notes


def test_dates_are_the_order_where_they_say_when_a_row_was(tmp_path):
    days = [f"2024-{i % 12 + 1:02}-{i % 28 + 1:02}" for i in range(60)]
    for name in ("date_of_birth", "dob", "DOB", "birthDate", "Geburtsdatum"):
        found = lasting(tmp_path, name, days)
        assert ("order" in found.fields, found.left_out) == (False, [name])
        assert f"[{name!r}]: when somebody was born is not when a row was" in found.notes
    found = lasting(tmp_path, "seen", days)
    assert found.fields["order"] == "seen"
    assert "the rows are put in the order of 'seen', in which they do not stand" in found.notes[0]
    found = lasting(tmp_path, "dob,seen,billed", [f"{day},{day},2024-01-01 10:{i:02}" for i, day in enumerate(days)])
    assert found.fields["order"] == "seen"
    assert "more columns than one hold dates, ['seen', 'billed']: `order` names the one that counts" in found.notes


@pytest.mark.parametrize(
    "form", ["{d:02}.{m:02}.21", "{d}-Mar-2010", "2024-01-{d:02} 10:00:00 UTC", "Fri, {d:02} Jan 2024 10:00:00 GMT"]
)
def test_dates_that_are_not_read_are_called_so(tmp_path, form):
    dates = [form.format(d=i % 28 + 1, m=i // 28 + 1).replace(",", "") for i in range(60)]
    found = lasting(tmp_path, "when", list(dates))
    assert "order" not in found.fields
    (told,) = found.notes
    assert told.startswith("'when' looks like a date that is not read")
    assert "the parts are drawn at random, not by time" in told


def test_a_date_that_some_rows_lack_is_no_order_and_that_is_said(tmp_path):
    found = lasting(tmp_path, "when", [f"2024-01-{i % 28 + 1:02}" if i != 5 else "" for i in range(60)])
    assert "order" not in found.fields
    assert "some rows have no date in 'when', so the parts are drawn at random, not by time" in found.notes


def test_a_column_that_determines_the_target_is_named(tmp_path):
    rows = [f"{-i},{i % 3 + 1},{'xyz'[i % 3]}" for i in range(30)]
    found = sniff.look(written(tmp_path / "t.csv", "a,code,label", rows))
    told = "'code' determines 'label': each of its 3 values comes with one class alone"
    assert told in found.notes
    assert told in " ".join(sniff.data.write(found, tmp_path, "automl").replace("#", "").split())
    assert found.facts["notes"] == found.notes
    rows = [f"{-i},{i % 10},{i % 2},{int(i % 10 == 0)}" for i in range(60)]
    found = sniff.look(written(tmp_path / "t.csv", "a,code,b,label", rows))
    assert found.notes == ["'code' determines 'label': each of its 10 values comes with one class alone"]
    assert not sniff.look(csv(tmp_path / "u.csv", "ab")).notes


def test_a_column_of_a_single_value_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(_table, "CELLS", 16)
    rows = [f"{7 * i % 5},{'' if i == 3 else 4},1,{'xy'[i % 2]}" for i in range(30)]
    found = sniff.look(written(tmp_path / "t.csv", "a,b,c,label", rows))
    assert found.notes == ["['b', 'c'] carry a single value in all rows: nothing is learned from that"]
    found = sniff.look(written(tmp_path / "t.csv", "a,b,label", [f"1,2,{'xy'[i % 2]}" for i in range(30)]))
    assert found.notes == ["every feature carries a single value in all rows: there is nothing to learn from"]
    document = parse(sniff.data.write(found, tmp_path, "automl"), "t").data
    with pytest.raises(DataError, match="every value of every training example is the same, column by column"):
        prepare.prepare(DataDocument.model_validate({**document, "root": str(tmp_path)}), tmp_path / "prepared")
    x = np.column_stack([np.arange(30) * 7 % 5, np.ones(30)])
    (told,) = sniff.look(npz(tmp_path / "u.npz", x=x, y=np.arange(30) % 3)).notes
    assert "column 1 of 2 carries a single value" in told


def test_text_that_is_left_out_is_named(tmp_path):
    rows = [f"hello {i},{-i},{'xy'[i % 2]}" for i in range(30)]
    found = sniff.look(written(tmp_path / "t.csv", "message,length,label", rows))
    assert "there is no input for text yet, so ['message'] is left out" in found.notes


@pytest.mark.parametrize("labels", [("01067", "1067", "20095"), ("1E2", "100", "2E1"), ("3.10", "3.1", "3.12")])
def test_labels_are_what_stands_in_the_file(tmp_path, labels):
    rows = [f"{i % 7},{-i},{labels[i % 3]}" for i in range(90)]
    found = sniff.look(written(tmp_path / "t.csv", "f1,f2,label", rows))
    assert found.classes == dict.fromkeys(labels, 30)
    document = DataDocument.model_validate(
        {
            **parse(sniff.data.write(found, tmp_path, "automl"), "t").data,
            "root": str(tmp_path),
        }
    )
    assert set(prepare.prepare(document, tmp_path / "prepared").classes) == set(labels)


@pytest.mark.parametrize("labels", [("3.8", "3.9", "3.11"), ("1.0", "1.3", "1.7")])
def test_few_numbers_are_classes_where_the_user_names_the_target(tmp_path, labels):
    rows = [f"{7 * i % 5},{-i},{labels[i % 3]}" for i in range(90)]
    path = written(tmp_path / "t.csv", "a,b,label", rows)
    message = refusal(path)
    assert "whether the target 'label' names classes or is a number to predict cannot be told" in message
    assert "Say so with --task classification or --task regression" in message
    assert sniff.look(path, None, None, "regression").span == (min(map(float, labels)), max(map(float, labels)))
    assert sniff.look(path, None, None, "classification").classes == dict.fromkeys(sorted(labels), 30)
    found = sniff.look(path, "label")
    assert found.classes == dict.fromkeys(sorted(labels), 30)
    document = parse(sniff.data.write(found, tmp_path, "automl"), "t").data
    spec = prepare.prepare(DataDocument.model_validate({**document, "root": str(tmp_path)}), tmp_path / "prepared")
    assert set(spec.classes) == set(labels)
    path = written(tmp_path / "t.csv", "a,b,label", [f"{7 * i % 5},{-i},{i}.5" for i in range(90)])
    assert sniff.look(path, "label").task == "regression"


def test_a_space_after_each_separator(tmp_path):
    path = written(tmp_path / "t.csv", "f1, f2, label", [f"{i % 7}, {-i}, {'ab'[i % 2]}" for i in range(60)])
    found = sniff.look(path)
    assert found.classes == {"a": 30, "b": 30}
    assert found.fields["target"] == "label"


def test_decimal_commas_are_seen(tmp_path):
    rows = [f"{-i},5;{i % 5}\xa0;{'ab'[i % 2]}".replace("\xa0", "") for i in range(40)]
    found = sniff.look(written(tmp_path / "t.csv", "f1;f2;label", rows))
    assert (found.fields["separator"], found.fields["decimal"], found.shape) == (";", ",", (2,))
    # Without names, as many commas as semicolons.
    rows = [f"{-i},5;{i % 5},25;{'ab'[i % 2]}" for i in range(40)]
    found = sniff.look(written(tmp_path / "t.csv", "", rows))
    assert (found.fields["separator"], found.fields["decimal"], found.fields["header"]) == (";", ",", False)
    # Of the target too, which stands as text in the file.
    rows = [f"{i % 5};{i}7,{10 + i % 90}" for i in range(60)]
    found = sniff.look(written(tmp_path / "t.csv", "rooms;price", rows), "price")
    assert (found.task, found.span) == ("regression", (7.1, 597.69))
    rows = [f'"{i + 1},{i + 100}",{"ab"[i % 2]}' for i in range(40)]
    assert "what the commas in its numbers mean cannot be told" in refusal(written(tmp_path / "t.csv", "f,label", rows))


def test_a_table_without_names_is_seen(tmp_path):
    rows = [f"{5.1 - i % 7},{i % 5}.5,Iris-{'ab'[i % 2]}" for i in range(40)]
    found = sniff.look(written(tmp_path / "t.csv", "", rows))
    assert (found.fields["header"], found.fields["target"]) == (False, "column_3")
    assert sum(found.classes.values()) == 40
    assert "has no header line, and which column is the target cannot be told" in refusal(
        written(tmp_path / "t.csv", "", [f"{-i},{i % 2},{i % 3}" for i in range(30)])
    )
    # As pandas names the columns of an array; and years as names.
    rows = [f"{-i},{i % 5},{'ab'[i % 2]}" for i in range(40)]
    assert "header" not in sniff.look(written(tmp_path / "t.csv", "0,1,label", rows)).fields
    assert "header" not in sniff.look(written(tmp_path / "t.csv", "2020,2021,label", rows)).fields
    assert "names or numbers cannot be told" in refusal(written(tmp_path / "t.csv", "", ["0,1,2", "5,1,0"]))


def test_packed_tables_are_read_and_archives_told_how_to_unpack(tmp_path):
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(csv(tmp_path / "u.csv", "ab").read_bytes()))
    (tmp_path / "u.csv").unlink()
    found = sniff.look(tmp_path)
    assert (found.kind, found.name, found.path.name) == ("csv", "t", "t.csv.gz")
    with zipfile.ZipFile(tmp_path / "z.zip", "w") as archive:
        archive.writestr("inner/v.csv", csv(tmp_path / "v.csv", "ab").read_text())
    assert sniff.look(tmp_path / "z.zip").facts["name"] == "v"
    for name, command in (("a.zip", "unzip"), ("a.tar.gz", "tar -xf"), ("a.tgz", "tar -xf"), ("a.tar", "tar -xf")):
        (tmp_path / name).touch()
        message = refusal(tmp_path / name)
        assert f"{name}: is packed" in message
        assert command in message
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "a.zip").touch()
    assert "Unpack it (unzip" in refusal(tmp_path / "b")


@pytest.mark.parametrize(
    ("name", "told"), [("a.txt", "text is not supported yet"), ("a.wav", "audio is not supported")]
)
def test_what_is_missing_is_named(tmp_path, name, told):
    (tmp_path / name).touch()
    assert told in refusal(tmp_path / name)


def test_text_is_named_whatever_else_is_wrong_with_it(tmp_path):
    written(tmp_path / "t.tsv", "", ['ham\tshe said "hi" to me', 'spam\t"buy" now'] * 5)
    assert "There is no input for text yet." in refusal(tmp_path / "t.tsv")
    (tmp_path / "texts" / "pos").mkdir(parents=True)
    (tmp_path / "texts" / "README.txt").touch()
    assert "holds no data set" in refusal(tmp_path / "texts")
    (tmp_path / "texts" / "pos" / "1.txt").touch()
    assert "1.txt: text is not supported yet" in refusal(tmp_path / "texts")
    rows = [f"2014-04-01 00:{i:02}:00,{i * 7 % 5 / 3}" for i in range(50)]
    with pytest.raises(DataError) as caught:
        sniff.look(written(tmp_path / "twice.csv", "a,a,label", ["1,2,x"] * 9))
    assert caught.value.__cause__ is not caught.value
    message = refusal(written(tmp_path / "t.csv", "timestamp,value", rows))
    assert "there is no task for anomalies or forecasts yet" in message


def test_percentages_are_numbers(tmp_path):
    found = sniff.look(written(tmp_path / "t.csv", "a,b,label", [f"{i % 9}%,{-i},{'xy'[i % 2]}" for i in range(30)]))
    assert (found.shape, found.left_out) == ((2,), [])


def test_a_table_too_wide_is_answered_at_once(tmp_path):
    count = 120_000
    written(tmp_path / "t.csv", ",".join(f"c{number}" for number in range(count)), [",".join("1" * count)])
    started = perf_counter()
    assert "Expected 100,000 columns at most; received 120,000" in refusal(tmp_path / "t.csv")
    assert perf_counter() - started < 10


def test_a_target_that_is_not_there(tmp_path):
    assert "Did you mean 'label'?" in refusal(csv(tmp_path / "t.csv", "ab"), "lable")


# --- tables of numbers and words, numbers to predict


def homes(path: Path, count: int = 200) -> Path:
    """Writes rows of numbers, words that come again, words that do not, and a price."""
    rng = np.random.default_rng(0)
    rows = [
        f"{rng.integers(1, 9)},{['north', 'south', 'east'][i % 3]},house {i} of {i}b,"
        f"{'' if i % 10 == 3 else round(rng.normal(), 3)},{rng.normal(100, 20):.1f}"
        for i in range(count)
    ]
    return written(path, "rooms,side,remark,light,price", rows)


def test_numbers_and_words_that_come_again_are_a_table(tmp_path):
    found = sniff.look(homes(tmp_path / "homes.csv"), "price")
    assert (found.input, found.shape, found.categories) == ("table", (3,), ["side"])
    assert found.fields["columns"] == ["rooms", "side", "light"]
    assert found.left_out == ["remark"]
    assert "there is no input for text yet, so ['remark'] is left out" in found.notes
    assert (found.values, found.missing) == (400, 20)
    assert (found.task, found.classes) == ("regression", {})
    assert found.why["task"] == "the target is a number, and not always whole"
    assert found.span is not None
    low, high = found.span
    assert f"a number to predict, from {low:g} to {high:g}" in found.told
    assert (
        "200 rows of a table with 2 columns of numbers and 1 of categories, 5.00% of their values missing" in found.told
    )
    assert found.sizes == {"train": 120, "val": 40, "test": 40}
    text = sniff.space.write(found, "automl")
    assert "entity_embedding" in text
    assert "objective: val_r2" in text


def test_words_are_left_out_where_the_user_wants_a_series(tmp_path):
    found = sniff.look(homes(tmp_path / "homes.csv"), "price", "series")
    assert (found.input, found.shape, found.categories) == ("series", (2, 1), [])
    assert "['side'] holds words, and is left out; --input table reads them" in found.notes


@pytest.mark.parametrize(
    ("names", "seen"),
    [
        ([f"t{i}" for i in range(20)], "series"),
        ([f"{i}" for i in range(20)], "series"),
        ([f"step_{i:02}" for i in range(5, 25)], "series"),
        ([f"t{i}" for i in range(10)], "table"),
        ([f"t{i}" for i in range(0, 40, 2)], "table"),
        ([*"abcdefghijklmnopqrst"], "table"),
    ],
)
def test_many_columns_that_are_numbered_one_after_the_other_are_a_series(tmp_path, names, seen):
    rows = [",".join([*RNG.normal(size=len(names)).round(3).astype(str), "uv"[i % 2]]) for i in range(40)]
    found = sniff.look(written(tmp_path / "t.csv", ",".join([*names, "label"]), rows))
    assert found.input == seen
    assert sniff.look(tmp_path / "t.csv", None, "table").shape == (len(names),)


def test_many_whole_numbers_are_predicted_and_some_are_classes_with_a_word(tmp_path):
    rows = [f"{i % 7}.5,{7 * i % 5},{i}" for i in range(200)]
    found = sniff.look(written(tmp_path / "t.csv", "a,b,count", rows), "count")
    assert (found.task, found.span) == ("regression", (0, 199))
    assert "200 different numbers in 200 examples; classes: --task classification" in found.why["task"]
    rows = [f"{i % 7}.5,{7 * i % 5},{i % 15}" for i in range(300)]
    found = sniff.look(written(tmp_path / "t.csv", "a,b,grade", rows), "grade")
    assert found.task == "classification"
    told = "the target's 15 different whole numbers are read as classes; numbers to predict: --task regression"
    assert told in found.notes
    assert sniff.look(tmp_path / "t.csv", "grade", None, "regression").span == (0, 14)


def test_words_are_no_numbers_to_predict(tmp_path):
    message = refusal(csv(tmp_path / "t.csv", "abc"), None, None, "regression")
    assert (
        "the target is no number. Expected numbers; received 'a'. Words are classes: --task classification" in message
    )


@pytest.mark.parametrize(
    ("y", "task", "told"),
    [
        (np.linspace(0, 1, 60), "regression", "a number to predict, from 0 to 1"),
        (np.stack([np.linspace(0, 1, 60), np.arange(60.0)], -1), "regression", "a number to predict"),
        (np.stack([np.arange(60) % 2, np.arange(60) % 3 > 0], -1), "multi_label", "2 labels: 0 (30), 1 (40)"),
    ],
)
def test_targets_of_an_archive_tell_the_task(tmp_path, y, task, told):
    found = sniff.look(npz(tmp_path / "t.npz", x=RNG.normal(size=(60, 20)), y=y))
    assert found.task == task
    assert told in found.told
    document = DataDocument.model_validate(
        {**parse(sniff.data.write(found, tmp_path, "automl"), "t").data, "root": str(tmp_path)}
    )
    assert dict(prepare.prepare(document, tmp_path / "prepared").sizes) == found.sizes


# --- arrays


@pytest.mark.parametrize(
    ("x", "seen"),
    [
        (RNG.normal(size=(30, 9)), ("series", (9, 1))),
        (RNG.normal(size=(30, 9, 2)), ("series", (9, 2))),
        (RNG.normal(size=(30, 9, 9)), ("image", (9, 9, 1))),
        (RNG.integers(0, 255, (30, 9, 5), dtype=np.uint8), ("image", (9, 5, 1))),
        (RNG.normal(size=(30, 9, 9, 3)), ("image", (9, 9, 3))),
        (RNG.normal(size=(30, 9, 9, 20)), ("image", (9, 9, 20))),
        (RNG.integers(0, 255, (30, 100, 3), dtype=np.uint8), ("series", (100, 3))),
        (RNG.integers(0, 2, (30, 100, 4)).astype(bool), ("series", (100, 4))),
    ],
)
def test_the_rank_decides_the_input(tmp_path, x, seen):
    found = sniff.look(npz(tmp_path / "t.npz", x=x, y=np.arange(30) % 2))
    assert (found.input, found.shape) == seen
    assert found.fields == {}


@pytest.mark.parametrize(("channels", "shape"), [(3, (100, 3)), (1, (100, 1))])
def test_channels_that_stand_first_are_seen_and_said(tmp_path, channels, shape):
    path = npz(tmp_path / "t.npz", x=RNG.normal(size=(60, channels, 100)).astype("f4"), y=np.arange(60) % 3)
    found = sniff.look(path)
    assert (found.input, found.shape, found.fields) == ("series", shape, {"channels_first": True})
    (told,) = found.notes
    assert f"(60, {channels}, 100), are read as 100 steps of {channels} channel" in told
    assert "write `channels_first: false`" in told
    document = parse(sniff.data.write(found, tmp_path, "automl"), "t").data
    read = DataDocument.model_validate({**document, "root": str(tmp_path)})
    assert held(read.source.open(tmp_path))["train"].x.shape[1:] == shape
    # Neither axis is far the shorter: as they stand.
    assert sniff.look(npz(tmp_path / "t.npz", x=np.ones((60, 20, 30)), y=np.arange(60) % 3)).shape == (20, 30)


@pytest.mark.parametrize("dtype", ["uint8", "bool"])
def test_bytes_of_a_shape_that_no_picture_has_are_series(tmp_path, dtype):
    x = RNG.integers(0, 2, (60, 3, 100)).astype(dtype)
    found = sniff.look(npz(tmp_path / "t.npz", x=x, y=np.arange(60) % 3))
    assert (found.input, found.shape, found.fields) == ("series", (100, 3), {"channels_first": True})
    assert "are read as 100 steps of 3 channels" in found.notes[0]
    found = sniff.look(npz(tmp_path / "t.npz", x=np.repeat(x, 4, axis=1), y=np.arange(60) % 3))
    assert (found.input, found.shape) == ("image", (12, 100, 1))
    assert "x is read as images of 12 by 100 pixels, for its numbers are bytes; series: --input series" in found.notes


def test_zeros_at_one_end_of_most_series_are_offered_as_padding(tmp_path):
    x = np.zeros((60, 60, 1), np.float32)
    for row, length in zip(x, 20 + np.arange(60) * 7 % 41, strict=True):
        row[:length, 0] = np.sin(np.arange(length)) + 1.5
    y = np.arange(60) % 3
    found = sniff.look(npz(tmp_path / "t.npz", x=x, y=y))
    (told,) = found.notes
    assert "series end with zeros, which leaves 20 to 60 steps: probably padding" in told
    text = sniff.data.write(found, tmp_path, "automl")
    assert "zero_padding" not in parse(text, "t").data["source"]["npz"]
    (line,) = [line for line in text.splitlines() if "# zero_padding: end" in line]
    document = parse(text.replace(line, line.replace("# ", "", 1)), "t").data
    spec = prepare.prepare(DataDocument.model_validate({**document, "root": str(tmp_path)}), tmp_path / "prepared")
    assert spec.inputs[0].state["padded"]
    lengths = (~np.isnan(np.load(tmp_path / "prepared" / "train_x.npy"))).sum(axis=(1, 2))
    assert 20 <= lengths.min() < lengths.max() <= 60
    assert "zero_padding: start" in sniff.data.write(
        sniff.look(npz(tmp_path / "t.npz", x=x[:, ::-1], y=y)), tmp_path, "automl"
    )
    lines = [",".join([*map(str, row.ravel()), str(label)]) for row, label in zip(x, y, strict=True)]
    path = written(tmp_path / "u.csv", ",".join([*(f"c{i}" for i in range(60)), "label"]), lines)
    assert sniff.look(path).offers["zero_padding"][0] == "end"
    # A dead end of all series alike, and a signal that begins and ends at rest, are data.
    x[:, 20:] = 0
    assert not sniff.look(npz(tmp_path / "t.npz", x=x, y=y)).offers
    assert not sniff.look(npz(tmp_path / "t.npz", x=RNG.normal(size=(60, 60)), y=y)).offers


def test_numbers_too_large_for_float32_get_an_offset(tmp_path):
    seconds = 1_700_000_000 + np.arange(600).reshape(60, 10)
    found = sniff.look(npz(tmp_path / "t.npz", x=np.stack([seconds, seconds % 7], -1), y=np.arange(60) % 3))
    assert found.fields == {"offset": [1.7e9, 0.0]}
    assert "Here `offset` takes them off" in found.notes[0]
    x = np.column_stack([1.7e9 + np.arange(120), RNG.normal(size=120)])
    assert sniff.look(npz(tmp_path / "t.npz", x=x, y=np.arange(120) % 3)).fields == {"offset": [1.7e9, 0.0]}
    rows = [f"{1_700_000_000 - i},{i % 5},{'ab'[i % 2]}" for i in range(40)]
    found = sniff.look(written(tmp_path / "t.csv", "seconds,b,label", rows))
    assert found.fields["offset"] == {"seconds": 1_699_999_961.0}
    document = DataDocument.model_validate(
        {
            **parse(sniff.data.write(found, tmp_path, "automl"), "t").data,
            "root": str(tmp_path),
        }
    )
    assert held(document.source.open(tmp_path))["train"].x[:3, 0].tolist() == [39, 38, 37]
    rows = [f"{1_700_000_000.37 - 10 * i:.2f},{i % 5},{'ab'[i % 2]}" for i in range(9_000)]
    found = sniff.look(written(tmp_path / "t.csv", "seconds,b,label", rows))
    assert found.fields["offset"] == {"seconds": 1_699_910_010.0}


def test_the_usual_names_of_a_medical_archive(tmp_path):
    images, labels = RNG.integers(0, 255, (90, 28, 28)).astype(np.uint8), (np.arange(90) % 3)[:, None].astype(np.uint8)
    parts = {"train": slice(60), "val": slice(60, 75), "test": slice(75, 90)}
    arrays = {f"{part}_images": images[rows] for part, rows in parts.items()}
    arrays |= {f"{part}_labels": labels[rows] for part, rows in parts.items()}
    found = sniff.look(npz(tmp_path / "t.npz", **arrays))
    assert (found.fields, found.input, found.shape) == ({"x": "images", "y": "labels"}, "image", (28, 28, 1))
    assert found.sizes == {"train": 60, "val": 15, "test": 15}
    found = sniff.look(tmp_path / "t.npz", "train_labels")
    assert found.fields == {"x": "images", "y": "labels"}


def test_arrays_of_other_names_and_parts(tmp_path):
    x, y = RNG.normal(size=(30, 9)), np.array(["a", "b"])[np.arange(30) % 2]
    found = sniff.look(npz(tmp_path / "t.npz", X_train=x, labels_train=y, X_test=x, labels_test=y, more=x))
    assert found.fields == {"x": "X", "y": "labels"}
    assert found.sizes == {"train": 24, "val": 6, "test": 30}
    found = sniff.look(npz(tmp_path / "t.npz", x=x, kind=y, y=np.ones(30)), "kind")
    assert found.fields == {"x": "x", "y": "kind"}
    assert found.classes == {"a": 15, "b": 15}


def test_arrays_that_may_be_a_second_input_are_named(tmp_path):
    x, y = RNG.normal(size=(30, 9, 9)), np.arange(30) % 2
    more = {"rooms": np.arange(30), "town": np.array(list("ab"))[np.arange(30) % 2], "other": np.ones((30, 4))}
    found = sniff.look(npz(tmp_path / "t.npz", x=x, y=y, **more))
    (told,) = found.notes
    assert "of the arrays ['rooms', 'town'], with a value for each example, none is read" in told
    assert "second: {table: {columns: [rooms, town]}}" in told


def test_gaps_and_lengths_of_series(tmp_path):
    x = np.ones((20, 10, 2))
    x[0, 6:] = np.nan  # padding
    x[1, 2, 1] = np.nan  # a gap
    found = sniff.look(npz(tmp_path / "t.npz", x=x, y=np.arange(20) % 2))
    assert (found.steps, found.missing, found.values) == ((6, 10), 1, 2 * (6 + 19 * 10))
    assert "6 to 10 steps" in found.told
    x[3] = np.nan
    assert "example 3 holds no number" in refusal(npz(tmp_path / "t.npz", x=x, y=np.arange(20) % 2))


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"foo": np.ones((9, 3)), "y": np.ones(9)}, "which array holds the examples cannot be told"),
        ({"x": np.ones((9, 3)), "bar": np.ones(9)}, "which array holds the targets cannot be told"),
        ({"x": np.ones((9, 3, 32, 32)), "y": np.arange(9) % 2}, "the channels seem to stand first"),
        ({"x": np.ones((9, 4, 32, 32)), "y": np.arange(9) % 2}, "the channels seem to stand first"),
        ({"x": np.ones((9, 10, 32, 32)), "y": np.arange(9) % 2}, "the channels seem to stand first"),
        ({"x": np.ones((9, 64, 32, 32)), "y": np.arange(9) % 2}, "the channels seem to stand first"),
        ({"x": np.ones((9, 10, 32, 40)), "y": np.arange(9) % 2}, "the channels seem to stand first"),
        ({"x": np.ones((9, 28, 28, 28)), "y": np.arange(9) % 2}, "volumes are not supported yet"),
        ({"x": np.ones((9, 2, 2, 2, 2)), "y": np.arange(9) % 2}, "neither series nor images"),
        ({"x": np.ones((9, 3)), "y": np.eye(9)}, "Expected one label per example"),
        ({"x": np.ones((9, 3)), "y": np.array([{}] * 9)}, "never loaded because they can run code"),
    ],
)
def test_archives_that_are_refused(tmp_path, arrays, told):
    assert told in refusal(npz(tmp_path / "t.npz", **arrays))


def test_what_is_no_archive(tmp_path):
    (tmp_path / "t.npz").write_text("no")
    assert str(tmp_path / "t.npz") in refusal(tmp_path / "t.npz")


# --- files and folders


def test_toys_of_the_sources_are_found(tmp_path):
    for kind in ("csv", "npz", "idx", "ts"):
        folder = tmp_path / kind
        folder.mkdir()
        sources.registry.get(kind).toy(folder)
        found = sniff.look(folder)
        assert found.kind == kind
        assert found.name == (kind if kind == "idx" else "toy")
        one = min(folder.iterdir())
        assert sniff.look(one).facts == found.facts


def test_series_without_a_test_file(tmp_path):
    sources.registry.get("ts").toy(tmp_path)
    (tmp_path / "toy_TEST.ts").unlink()
    found = sniff.look(tmp_path / "toy_TRAIN.ts")
    assert found.fields["name"] == "toy_TRAIN"
    assert found.split.keys() == {"val", "test", "seed"}
    assert "names its targets itself" in refusal(tmp_path, "label")


def test_paths_that_hold_nothing(tmp_path):
    csv(tmp_path / "sensors.csv", "ab")
    assert "Did you mean 'sensors.csv'?" in refusal(tmp_path / "sensor.csv")
    csv(tmp_path / "more.csv", "ab")
    assert "holds 2 data sets. Expected one; received more.csv, sensors.csv" in refusal(tmp_path)
    (tmp_path / "empty").mkdir()
    assert "received an empty folder" in refusal(tmp_path / "empty")
    (tmp_path / "t.parquet").touch()
    told = refusal(tmp_path / "t.parquet")
    assert "`init` does not look into .parquet files" in told
    assert "source: {parquet: {file: ..., target: ...}}" in told
    (tmp_path / "t.feather").touch()
    assert "no source reads .feather files" in refusal(tmp_path / "t.feather")


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["yes/0.wav", "yes/1.wav", "no/0.wav", "README.md"], "audio is not supported yet"),
        (["train/yes/0.mp3", "labels.json"], "audio is not supported yet"),
        (["pos/0.txt", "neg/0.txt"], "text is not supported yet"),
        (["speech.flac"], "audio is not supported yet"),
        (["clips/a.mp4"], "video is not supported yet"),
        (["SOURCE.txt", "README.md", "recordings.zip"], "Unpack it"),
        (["train.de.gz"], "Unpack it"),
        (["meta.json", "recordings.zip"], "Unpack it"),
        (["scan.npy", "README.txt"], "Save its arrays as .npz"),
        (["SOURCE.txt"], "holds no data set"),
        (["cat/0.heic", "dog/0.heic"], "Convert the images to PNG or JPEG"),
    ],
)
def test_folders_of_what_cannot_be_read_yet(tmp_path, names, told):
    for name in names:
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).touch()
    assert told in refusal(tmp_path / "set")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("a.wav", "audio is not supported yet"),
        ("a.txt", "text is not supported yet"),
        ("a.nii.gz", "medical"),
        ("a.zip", "Unpack it"),
    ],
)
def test_files_of_what_cannot_be_read_yet(tmp_path, name, told):
    (tmp_path / name).touch()
    assert told in refusal(tmp_path / name)


def test_a_folder_of_several_sets_names_them(tmp_path):
    folders(tmp_path, "pets/cat", "pets/dog", "garden/rose", "garden/tulip")
    (tmp_path / "series").mkdir()
    csv(tmp_path / "series" / "sensors.csv", "ab")
    (tmp_path / "notes").mkdir()
    told = "holds 3 data sets, each in a folder. Expected one; received ['garden', 'pets', 'series']. Name one of them"
    assert told in refusal(tmp_path)
    assert sniff.look(tmp_path / "pets").classes == {"cat": 10, "dog": 10}


def test_a_set_that_lies_deeper_is_named(tmp_path):
    folders(tmp_path, "archive/cat", "archive/dog")
    assert f"Name {tmp_path}/archive." in refusal(tmp_path)
    folders(tmp_path / "boxes", "BCCD/JPEGImages")
    folders(tmp_path / "boxes", "BCCD/Annotations", endings=("xml",))
    assert "looks like object detection, which is not supported yet" in refusal(tmp_path / "boxes")


def test_parts_that_lie_deeper_are_named(tmp_path):
    folders(tmp_path, "ds/train/cat", "ds/train/dog", "ds/test/cat", "ds/test/dog")
    assert f"holds no data set but in a folder. Received ds. Name {tmp_path}/ds." in refusal(tmp_path)
    assert sniff.look(tmp_path / "ds").classes == {"cat": 20, "dog": 20}
    folders(tmp_path / "more", "ds/train", "ds/test")
    assert "called like parts of a set" in refusal(tmp_path / "more")
    (tmp_path / "table" / "ds").mkdir(parents=True)
    csv(tmp_path / "table" / "ds" / "t.csv", "ab")
    assert f"Name {tmp_path}/table/ds." in refusal(tmp_path / "table")


def test_links_in_a_circle_and_wide_trees_are_left_in_seconds(tmp_path, monkeypatch):
    (tmp_path / "loops").mkdir()
    for name in "abcd":
        (tmp_path / "loops" / name).symlink_to(tmp_path / "loops")
    started = perf_counter()
    assert "holds no data set" in refusal(tmp_path / "loops")
    assert perf_counter() - started < 5
    for number in range(60):
        (tmp_path / "wide" / f"{number}" / "more" / "yet").mkdir(parents=True)
    looked_at: list[Path] = []
    seen = sniff.places._folders.seen
    monkeypatch.setattr(sniff.places._folders, "seen", lambda folder: looked_at.append(folder) or seen(folder))
    refusal(tmp_path / "wide")
    assert len(looked_at) > 120
    looked_at.clear()
    monkeypatch.setattr(sniff.places, "IN_ALL", 40)
    assert "holds no data set in the first 40 files" in refusal(tmp_path / "wide")
    assert len(looked_at) < 120


def test_only_so_many_files_and_folders_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(sniff.places, "LOOKED_AT", 50)
    for number in range(100):
        (tmp_path / f"{number}" / "more").mkdir(parents=True)
    yielded: list[Path] = []
    rglob = Path.rglob
    monkeypatch.setattr(Path, "rglob", lambda path, what: (yielded.append(each) or each for each in rglob(path, what)))
    refusal(tmp_path)
    assert len(yielded) == 100  # asked for text, and for what may be converted


def test_a_table_beside_folders_of_pictures_is_not_taken_for_the_set(tmp_path):
    csv(folders(tmp_path, "train", "test") / "labels.csv", "ab")
    assert "holds labels.csv and folders of pictures" in refusal(tmp_path)
    assert sniff.look(tmp_path / "labels.csv").kind == "csv"


def pictures(folder: Path, sides: tuple[int, ...]) -> Path:
    """Two classes of pictures, each twice as wide as it is high."""
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for number, side in enumerate(sides):
            Image.new("RGB", (2 * side, side)).save(folder / name / f"{number}.jpg")
    return folder


def test_folders_of_pictures(tmp_path):
    found = sniff.look(pictures(tmp_path / "same.d", (6,) * 10))
    assert (found.kind, found.name, found.shape, found.fields) == ("image_folder", "same.d", (6, 12, 3), {})
    assert found.classes == {"cat": 10, "dog": 10}
    assert found.told == "20 images of 6 by 12 pixels, 3 channels; 2 classes: cat (10), dog (10)"
    assert found.notes == ["every value of every training example is the same, channel by channel"]
    mixed = sniff.look(pictures(tmp_path / "mixed", (6, 6, 8, 8, 8, 8, 8, 10, 10)))
    assert mixed.fields == {"size": [8, 16]}
    assert "3 sizes, 8 by 16 in the middle" in sniff.data.write(mixed, tmp_path, "automl")
    large = sniff.look(pictures(tmp_path / "large", (200,) * 6))
    assert large.shape == (64, 128, 3)
    document = parse(sniff.data.write(large, tmp_path, "automl"), "t").data
    assert document["source"] == {"image_folder": {"folder": "large", "size": [64, 128]}}
    read = DataDocument.model_validate({**document, "root": str(tmp_path)})
    assert held(read.source.open(tmp_path))["train"].x.shape[0] == 12


def photographs(folder: Path, count: int, side: int = 200, ending: str = "jpg", grey: bool = False) -> Path:
    """Two classes of smooth noise in many colours."""
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            colours = Image.fromarray(rng.integers(0, 256, (12, 12, 3)).astype(np.uint8))
            image = colours.resize((side, side), Image.Resampling.BICUBIC)
            (image.convert("L") if grey else image).save(folder / name / f"{number}.{ending}")
    return folder


def test_photographs_by_the_hundred_get_a_pretrained_network(tmp_path, monkeypatch):
    looked = []
    are = sniff.pictures.are_photographs
    monkeypatch.setattr(sniff.pictures, "are_photographs", lambda folder: looked.append(folder) or are(folder))
    found = sniff.look(photographs(tmp_path / "set", 20))
    assert len(looked) == 1
    assert found.shape == (160, 160, 3)
    text = sniff.space.write(found, "automl")
    space = parse(text, "t").data
    assert list(space["model"][0]) == ["backbone"]
    assert space["search"]["trials"] == 6
    assert "Keras downloads its weights once; without a network search the space `cnn` instead" in " ".join(
        line.lstrip("# ") for line in text.splitlines()
    )
    (tmp_path / "space.yaml").write_text(text)
    (tmp_path / "data.yaml").write_text(sniff.data.write(found, tmp_path, "automl"))
    read = experiment.load(str(tmp_path / "space.yaml"), str(tmp_path / "data.yaml"))
    assert experiment.epochs(read.space.resolve(read.space.defaults())) == 60 + 30


@pytest.mark.parametrize("given", [{"side": 32}, {"ending": "png"}, {"grey": True}])
def test_other_pictures_get_a_network_of_their_own(tmp_path, given):
    assert blocks(photographs(tmp_path / "set", 20, **given))[0] == "conv"


def test_photographs_by_the_thousand_get_a_network_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(sniff.pictures, "FEW", 30)
    found = sniff.look(photographs(tmp_path / "set", 20))
    assert (found.photographs, found.shape) == (False, (128, 128, 3))


def test_white_pictures_on_nothing_are_seen_on_black(tmp_path):
    for name, width in (("cat", 2), ("dog", 4)):
        (tmp_path / name).mkdir()
        for number in range(10):
            icon = Image.new("RGBA", (6, 6), (255, 255, 255, 0))
            icon.paste((255, 255, 255, 255), (0, 0, width, 6))
            icon.save(tmp_path / name / f"{number}.png")
    found = sniff.look(tmp_path)
    assert found.fields == {"background": "black"}
    assert found.notes == ["20 of 20 images are transparent in part, and lie on black (`background`)"]
    assert "background: black" in sniff.data.write(found, tmp_path, "automl")
    assert "# Note: 20 of 20 images are transparent" in sniff.data.write(found, tmp_path, "automl")
    icon.paste((200, 0, 0, 255), (0, 0, width, 6))
    icon.save(tmp_path / name / "0.png")
    assert sniff.look(tmp_path).fields == {}


@pytest.mark.parametrize("words", [("valid",), ("validation", "Test"), ("VAL", "testing"), ("dev",)])
def test_folders_of_parts_by_their_usual_names(tmp_path, words):
    for part in ("Train", *words):
        folders(tmp_path, f"{part}/cat", f"{part}/dog")
    found = sniff.look(tmp_path)
    assert found.classes == {"cat": 10 * (1 + len(words)), "dog": 10 * (1 + len(words))}
    assert found.sizes == {**found.sizes, "train": 20 if len(words) > 1 else 16, "val": 20}
    assert set(found.split) == (set() if len(words) > 1 else {"test", "seed"})


@pytest.mark.parametrize("link", ["classes", "files", "inside"])
def test_links_are_followed_where_the_document_says_so(tmp_path, link):
    store = folders(tmp_path / ("set" if link == "inside" else "store"), ".cat" if link == "inside" else "cat", "dog")
    (tmp_path / "set").mkdir(exist_ok=True)
    if link == "files":
        for name in ("cat", "dog"):
            (tmp_path / "set" / name).mkdir()
            for path in (store / name).iterdir():
                (tmp_path / "set" / name / path.name).symlink_to(path)
    elif link == "classes":
        for name in ("cat", "dog"):
            (tmp_path / "set" / name).symlink_to(store / name)
    else:
        (tmp_path / "set" / "cat").symlink_to(".cat")
    found = sniff.look(tmp_path / "set")
    assert found.classes == {"cat": 10, "dog": 10}
    assert found.fields == ({} if link == "inside" else {"links": True})


def test_folders_called_sets_are_parts(tmp_path):
    folders(tmp_path, "training_set/cat", "training_set/dog", "test_set/cat", "test_set/dog")
    found = sniff.look(tmp_path)
    assert found.classes == {"cat": 20, "dog": 20}
    assert set(found.labels) == {"train", "test"}


def test_two_folders_of_one_part_are_not_chosen_between(tmp_path):
    folders(tmp_path, "train/cat", "train/dog", "val/cat", "val/dog", "valid/cat", "valid/dog")
    assert "holds two folders of the part val. Expected one; received val and valid" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("places", "told"),
    [
        (("train", "test"), "its folders are called like parts of a set, and not like classes"),
        (("Train", "Val", "Test"), "its folders are called like parts of a set, and not like classes"),
        (("train", "test1"), "its folders are called like parts of a set, and not like classes"),
        (("train_images", "test_images"), "its folders are called like parts of a set, and not like classes"),
        (("trainA", "trainB", "testA", "testB"), "its folders are called like parts of a set, and not like classes"),
        (("leftImg8bit", "gtFine"), "looks like segmentation, which is not supported yet"),
        (("JPEGImages", "SegmentationClass"), "looks like segmentation, which is not supported yet"),
        (("images", "masks_png"), "looks like segmentation, which is not supported yet"),
        (("train", "dev"), "its folders are called like parts of a set, and not like classes"),
        (("train2017", "val2017"), "its folders are called like parts of a set, and not like classes"),
        (("cat", "dog", "test"), "its folders are called like parts of a set, and not like classes"),
        (("train", "trainannot", "test", "testannot"), "looks like segmentation, which is not supported yet"),
        (("images", "masks"), "looks like segmentation, which is not supported yet"),
        (("image", "label"), "looks like segmentation, which is not supported yet"),
        (("train_images", "train_masks"), "looks like segmentation, which is not supported yet"),
        (("images/train", "images/val", "labels/train", "labels/val"), "looks like segmentation"),
        (("train/images", "train/labels", "valid/images", "valid/labels"), "looks like segmentation"),
        (("cat", "dog", "ground_truth"), "looks like segmentation, which is not supported yet"),
        (("test/cat", "test/dog", "valid/cat", "valid/dog"), "holds no training part"),
        (("train-jpg", "test-jpg"), "called like parts of a set"),
        (("train_v2", "test_v2"), "called like parts of a set"),
        (("x_train", "x_test"), "called like parts of a set"),
        (("my_train", "my_test"), "called like parts of a set"),
        (("stage1_train", "stage1_test"), "called like parts of a set"),
        (("train", "dev"), "called like parts of a set"),
        (("train", "holdout"), "called like parts of a set"),
        (("train", "test", "other"), "called like parts of a set"),
        (("HAM10000_images_part_1", "HAM10000_images_part_2"), "called like parts of a set"),
        (("images_001", "images_002"), "called like parts of a set"),
        (("img_dir", "ann_dir"), "looks like segmentation"),
        (("image_2", "semantic"), "looks like segmentation"),
        (("images", "instances"), "looks like segmentation"),
        (("images", "trimaps"), "looks like segmentation"),
        (("img", "lbl"), "looks like segmentation"),
        (("rgb", "semantic"), "looks like segmentation"),
        (("input", "target"), "looks like segmentation"),
        (("x", "y"), "looks like segmentation"),
        (("images", "anything"), "looks like segmentation"),
    ],
)
def test_parts_and_masks_are_no_classes(tmp_path, places, told):
    message = refusal(folders(tmp_path, *places))
    assert told in message
    with pytest.raises(DataError) as caught:  # a search says the same, whoever wrote its document
        ImageFolder(folder=str(tmp_path)).open(None)
    assert told in str(caught.value)


def test_boxes_look_like_detection(tmp_path):
    folders(tmp_path, "images")
    folders(tmp_path, "labels", endings=("txt",))
    assert "looks like object detection, which is not supported yet" in refusal(tmp_path)


def test_masks_among_the_examples_of_a_class_are_refused(tmp_path):
    folders(tmp_path, "benign", "malign")
    (tmp_path / "malign" / "3.png").rename(tmp_path / "malign" / "4_mask.png")
    assert "4_mask.png: seems to be the mask of 4, and no example of the class 'malign'" in refusal(tmp_path)


@pytest.mark.parametrize(
    "names",
    [
        ("mask", "no_mask"),
        ("masks", "no_masks"),
        ("with_mask", "without_mask"),
        ("train", "bus"),
        ("train", "bus", "car"),
        ("label", "no"),
        ("valid", "invalid"),
        ("valid", "fraud"),
        ("test", "not_test"),
        ("test_positive", "test_negative"),
        ("segmentation_ok", "segmentation_bad"),
        ("labels_a", "labels_b"),
        ("part_ok", "part_bad"),
        ("gt", "ferrari"),
        ("x", "o"),
    ],
)
def test_classes_that_sound_like_something_else(tmp_path, names):
    assert sniff.look(folders(tmp_path, *names)).classes == dict.fromkeys(sorted(names), 10)


def test_pictures_of_few_colours_that_answer_others_are_masks(tmp_path):
    folders(tmp_path, "scenes", "marked", names="{}_a")
    assert sniff.look(tmp_path).classes == {"marked": 10, "scenes": 10}
    for path in (tmp_path / "marked").iterdir():
        marks = np.arange(36).reshape(6, 6) % 3
        Image.fromarray(marks.astype(np.uint8)).save(path)
    message = refusal(tmp_path)
    assert "looks like segmentation" in message
    assert "received ['marked']" in message
    assert "If they are classes, say so in the source: `classes: [marked, scenes]`" in message
    for number, path in enumerate(sorted((tmp_path / "marked").iterdir())):
        path.rename(path.with_name(f"{number + 100}.png"))
    assert sniff.look(tmp_path).classes == {"marked": 10, "scenes": 10}


def test_labels_in_the_names_of_files_are_seen(tmp_path):
    folders(tmp_path, "test")
    folders(tmp_path, "train", names="cat.{}")
    folders(tmp_path / "train", "more", names="dog.{}")
    for path in (tmp_path / "train" / "more").iterdir():
        path.rename(tmp_path / "train" / path.name)
    (tmp_path / "train" / "more").rmdir()
    assert "The label seems to stand in the names of the files ('cat', 'dog')" in refusal(tmp_path)


def test_what_systems_leave_behind_is_no_picture(tmp_path):
    folders(tmp_path, "cat", "dog")
    for name in ("Thumbs.db", "thumbs.db", "ehthumbs.db", ".DS_Store", "Desktop.ini", "._0.png"):
        (tmp_path / "cat" / name).write_text("no picture")
        (tmp_path / name).write_text("no picture")
    folders(tmp_path, "__MACOSX", "@eaDir", ".ipynb_checkpoints")
    assert sniff.look(tmp_path).classes == {"cat": 10, "dog": 10}


def test_pictures_outside_of_classes_are_refused(tmp_path):
    pictures(tmp_path, (6,))
    message = refusal(tmp_path / "cat")
    assert "nothing tells the classes of its images" in message
    assert "Put the images of each class into a folder of its own" in message
    assert "nothing tells the class of an image" in refusal(tmp_path / "cat" / "0.jpg")


# --- the plan and the documents


def test_many_classes_of_few_examples_need_larger_parts(tmp_path):
    labels = "abcdefghij"
    assert sniff.look(csv(tmp_path / "t.csv", "abc", rows=60, labels=labels)).split["val"] == 0.2
    found = sniff.look(csv(tmp_path / "t.csv", "abc", rows=40, labels=labels))
    assert found.split == {"val": 0.25, "test": 0.25, "seed": 0}
    assert "larger than 0.2" in sniff.data.write(found, tmp_path, "automl")


def test_folds_are_proposed_where_few_examples_would_validate(tmp_path):
    def section(rows: int, labels: str = "ab") -> tuple[sniff.Found, str]:
        found = sniff.look(csv(tmp_path / "t.csv", "abc", rows=rows, labels=labels))
        return found, sniff.space.write(found, "automl").partition("evaluation:")[2]

    found, written = section(600)
    assert (found.sizes["val"], found.folds, written) == (120, None, "")
    found, written = section(400)
    assert (found.sizes["val"], found.facts["folds"]) == (80, 5)
    assert "folds: 5" in written
    assert "80 validation examples" in written
    # A class of four examples stands in no five folds.
    assert section(40, "abcdefghij")[0].folds == 3
    found.strategy = "walk_forward"
    assert "\n  strategy: walk_forward  " in sniff.space.write(found, "automl")


def test_a_large_set_is_limited(tmp_path):
    def facts(count: int) -> tuple[dict[str, int], dict[str, int]]:
        for name, values in (("images", struct.pack(">HBB3I", 0, 8, 3, count, 1, 2)), ("labels", b"\0\0\x08\1")):
            body = (
                bytes(2 * count) if name == "images" else struct.pack(">I", count) + bytes(i % 4 for i in range(count))
            )
            (tmp_path / f"train-{name}-idx{3 if name == 'images' else 1}-ubyte").write_bytes(values + body)
        found = sniff.look(tmp_path)
        return found.limit, found.sizes

    assert facts(30_000) == ({}, {"train": 18_000, "val": 6_000, "test": 6_000})
    assert facts(60_000) == ({"train": 10_000, "val": 2_500}, {"train": 10_000, "val": 2_500, "test": 12_000})


def test_uneven_classes_are_weighed_and_scored_so(tmp_path):
    found = sniff.look(csv(tmp_path / "t.csv", "abc", rows=60, labels="aaaaab"))
    assert "class_weights: balanced" in sniff.data.write(found, tmp_path, "automl")
    assert parse(sniff.space.write(found, "automl"), "t").data["search"]["objective"] == "val_f1"
    found = sniff.look(csv(tmp_path / "t.csv", "abc", rows=60))
    assert parse(sniff.data.write(found, tmp_path, "automl"), "t").data["task"] == "classification"


def blocks(path: Path) -> list[str]:
    model = parse(sniff.space.write(sniff.look(path), "automl"), "t").data["model"]
    return [block if isinstance(block, str) else next(iter(block)) for block in model]


def test_the_family_and_the_depth_follow_the_shape(tmp_path):
    y = np.arange(20) % 2
    assert blocks(npz(tmp_path / "t.npz", x=np.ones((20, 30, 1)), y=y)) == ["recurrent", "dense"]
    assert blocks(npz(tmp_path / "t.npz", x=np.ones((20, 500, 1)), y=y)) == ["conv"] * 3 + ["global_pool", "dense"]
    assert blocks(npz(tmp_path / "t.npz", x=np.ones((20, 3, 3, 1)), y=y)) == ["conv"] * 2 + ["flatten", "dense"]
    assert blocks(npz(tmp_path / "t.npz", x=np.ones((20, 32, 32, 1)), y=y)) == ["conv"] * 3 + ["flatten", "dense"]


def test_odd_names_stay_in_their_place(tmp_path):
    path = tmp_path / "my: set #1.csv"
    rows = [f"{-i},{-i},{'#no' if i % 2 else 'y: [e'}" for i in range(20)]
    path.write_text("\n".join(['"a: b","# c\nd","{y}"', *rows]) + "\n")
    found = sniff.look(path)
    assert found.name == "my_set_1"
    document = parse(sniff.data.write(found, tmp_path, "automl"), "t").data
    assert document["source"]["csv"]["target"] == "{y}"
    assert document["source"]["csv"]["file"] == path.name


def test_paths_are_relative_below_the_document_alone(tmp_path):
    (tmp_path / "sets").mkdir()
    found = sniff.look(csv(tmp_path / "sets" / "t.csv", "ab"))

    def file(folder: Path) -> str:
        return parse(sniff.data.write(found, folder, "automl"), "t").data["source"]["csv"]["file"]

    assert file(tmp_path) == "sets/t.csv"
    assert file(tmp_path / "elsewhere") == str(tmp_path / "sets" / "t.csv")


REAL = [
    ("GunPoint", 2, "conv"),
    ("ArrowHead", 3, "conv"),
    ("ItalyPowerDemand", 2, "recurrent"),
    ("JapaneseVowels", 9, "recurrent"),
]


@pytest.mark.parametrize(("name", "classes", "family"), REAL)
def test_real_series(automl_data, name, classes, family):
    folder = automl_data / "ucr_uea" / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    found = sniff.look(folder / f"{name}_TRAIN.ts")
    assert (found.kind, found.name, len(found.classes)) == ("ts", name, classes)
    assert "test" in found.labels
    assert blocks(folder)[0] == family
