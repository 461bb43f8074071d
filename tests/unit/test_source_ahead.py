"""Targets of later rows, and rows that have none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from automl.data import prepare
from automl.data.section import DataDocument
from automl.errors import DataError
from automl.records.data import DataSpec
from automl.sources import _table
from automl.sources.csv import Csv

HOURS = [f"2024-01-01 {hour:02}:00" for hour in range(24)]


def written(path: Path, rows: list[str], header: str = "when,price,kind") -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def prepared(tmp_path: Path, **source: Any) -> DataSpec:
    read: Any = {
        "name": "toy",
        "source": {"csv": {"file": "t.csv", "target": "price", "order": "when", **source}},
        "input": "table",
        "task": "regression",
        "root": str(tmp_path),
    }
    return prepare.prepare(DataDocument.model_validate(read), tmp_path / "prepared")


def stored(spec: DataSpec, part: str) -> tuple[np.ndarray, np.ndarray]:
    folder = Path(spec.folder)
    return np.load(folder / f"{part}_table_numbers.npy")[:, 0], np.load(folder / f"{part}_y.npy")[:, 0]


@pytest.mark.parametrize("ahead", [1, 3])
def test_the_target_stands_some_rows_later_whatever_their_order(tmp_path: Path, ahead: int) -> None:
    order = np.random.default_rng(0).permutation(24)
    written(tmp_path / "t.csv", [f"{HOURS[hour]},{hour * 10},{'ab'[hour % 2]}" for hour in order])
    spec = prepared(tmp_path, ahead=ahead)
    assert sum(spec.sizes.values()) == 24 - ahead
    assert spec.task.state["targets"] == [f"price+{ahead}"]
    assert f"the target of a row is 'price' of {ahead} row" in spec.notes[0]
    seen: list[float] = []
    for part in ("train", "val", "test"):
        x, y = stored(spec, part)
        np.testing.assert_array_equal(y, x + 10 * ahead)
        seen += x.tolist()
    assert seen == [hour * 10 for hour in range(24 - ahead)]


def test_a_row_with_a_gap_behind_it_has_no_target(tmp_path: Path) -> None:
    written(tmp_path / "t.csv", [f"{HOURS[hour]},{hour * 10},a{hour % 2}" for hour in range(24) if hour not in (7, 8)])
    spec = prepared(tmp_path, ahead=1)
    assert "1 rows are left out: a gap follows" in spec.notes
    seen = np.concatenate([stored(spec, part)[0] for part in ("train", "val", "test")])
    assert seen.tolist() == [hour * 10 for hour in range(23) if hour not in (6, 7, 8)]


def test_rows_at_no_regular_step_have_the_next_one(tmp_path: Path) -> None:
    days = np.cumsum(np.random.default_rng(0).integers(1, 40, 24))
    written(tmp_path / "t.csv", [f"{day},{place},a{place % 2}" for place, day in enumerate(days)])
    assert sum(prepared(tmp_path, ahead=1).sizes.values()) == 23


def test_months_are_alike(tmp_path: Path) -> None:
    months = [f"{2020 + month // 12}-{month % 12 + 1:02}-01" for month in range(24)]
    written(tmp_path / "t.csv", [f"{month},{at},a{at % 2}" for at, month in enumerate(months) if at != 9])
    spec = prepared(tmp_path, ahead=2)
    assert "2 rows are left out: a gap follows" in spec.notes
    seen = np.concatenate([stored(spec, part)[0] for part in ("train", "val", "test")])
    assert seen.tolist() == [at for at in range(22) if at not in (7, 8, 9)]


def test_a_missing_later_target_is_told_by_its_file_and_row(tmp_path: Path) -> None:
    written(tmp_path / "t.csv", [f"{HOURS[hour]},{hour},a{hour % 2}" for hour in range(12)])
    written(tmp_path / "u.csv", [f"{HOURS[hour]},{hour},{'' if hour == 17 else 'a'}" for hour in range(12, 24)])
    splits = Csv(file="t.csv", test="u.csv", target="kind", order="when", ahead=1).open(tmp_path)
    with pytest.raises(DataError, match=r"u\.csv: row 6 has no target in column 'kind'"):
        list(splits.table.pieces(splits.targets, splits.rows["test"]))


def test_rows_without_a_target_are_refused_or_dropped(tmp_path: Path) -> None:
    rows = [f"{HOURS[hour]},{'NA' if hour in (5, 6) else hour},a{hour % 2}" for hour in range(24)]
    written(tmp_path / "t.csv", rows)
    with pytest.raises(DataError, match="is not a finite number"):
        prepared(tmp_path)
    spec = prepared(tmp_path, missing_targets="drop", columns=["kind"])
    assert sum(spec.sizes.values()) == 22
    assert "2 rows are left out: their target is missing" in spec.notes
    # What is missing as a target is a feature that is missing.
    spec = prepared(tmp_path, missing_targets="drop", ahead=1)
    x = np.concatenate([stored(spec, part)[0] for part in ("train", "val", "test")])
    y = np.concatenate([stored(spec, part)[1] for part in ("train", "val", "test")])
    assert y.tolist() == [hour for hour in range(1, 24) if hour not in (5, 6)]
    np.testing.assert_array_equal(x[3:6], [3, np.nan, 7])


def test_words_without_a_letter_are_dropped(tmp_path: Path) -> None:
    written(tmp_path / "t.csv", [f"{HOURS[hour]},{hour},{['', 'a', 'b'][hour % 3]}" for hour in range(24)])
    source = Csv(file="t.csv", target="kind", order="when", missing_targets="drop")
    splits = source.open(tmp_path)
    assert len(splits.rows["train"]) == 16
    assert splits.notes == ("8 rows are left out: their target is missing",)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([f"{HOURS[hour // 2]},{hour},a" for hour in range(24)], "are of one time"),
        ([f"{HOURS[0]},1,a"], "has no row 2 rows later than another"),
    ],
)
def test_times_that_tell_no_later_row_are_refused(tmp_path: Path, rows: list[str], told: str) -> None:
    written(tmp_path / "t.csv", rows)
    with pytest.raises(DataError, match=told):
        Csv(file="t.csv", target="price", order="when", ahead=2).open(tmp_path)


def test_a_later_target_needs_an_order_and_its_name_in_the_source() -> None:
    with pytest.raises(ValidationError, match="ahead needs order"):
        Csv(file="t.csv", target="price", ahead=1)
    read: Any = {"source": {"csv": {"file": "t.csv", "order": "when", "ahead": 1}}, "input": "table"}
    with pytest.raises(ValidationError, match="the source names the target"):
        DataDocument.model_validate({**read, "name": "toy", "task": {"regression": {"target": "price"}}})


def test_a_target_of_each_file_stays_in_it(tmp_path: Path) -> None:
    written(tmp_path / "t.csv", [f"{HOURS[hour]},{hour},a{hour % 2}" for hour in range(12)])
    written(tmp_path / "u.csv", [f"{HOURS[hour]},{hour},a{hour % 2}" for hour in range(12, 24)])
    spec = prepared(tmp_path, ahead=1, test="u.csv")
    assert stored(spec, "test")[1].tolist() == [*range(13, 24)]
    assert spec.sizes["train"] + spec.sizes["val"] == 11


def test_a_column_may_bear_the_name_of_the_later_one(tmp_path: Path) -> None:
    rows = [f"{HOURS[hour]},{hour},{hour % 5}" for hour in range(24)]
    written(tmp_path / "t.csv", rows, "when,price,price+1")
    splits = Csv(file="t.csv", target="price", order="when", ahead=1).open(tmp_path)
    assert splits.targets == ("price+1'",)
    _, piece = next(splits.table.pieces(["price+1", "price+1'"], np.arange(3)))
    assert piece["price+1"].tolist() == [0, 1, 2]
    assert piece["price+1'"].tolist() == [1, 2, 3]


@pytest.mark.parametrize("form", ["{day}", "{day}.5", "2024-01-{day:02}", "{day:02}.01.2024", "2024-01-{day:02} 10:00"])
def test_the_order_is_the_same_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    days = np.random.default_rng(0).permutation(28) + 1
    written(tmp_path / "t.csv", [f"{form.format(day=day)},{day},a" for day in days])
    source = Csv(file="t.csv", target="price", order="when", columns=("kind",))
    whole = source.open(tmp_path).rows["train"]
    assert days[whole].tolist() == sorted(days)
    monkeypatch.setattr(_table, "CELLS", 3)
    assert source.open(tmp_path).rows["train"].tolist() == whole.tolist()


def test_a_column_of_numbers_and_dates_is_no_order_read_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_table, "CELLS", 3)
    written(tmp_path / "t.csv", [f"{row if row < 12 else HOURS[row]},{row},a" for row in range(24)])
    with pytest.raises(DataError, match="the column 'when' does not say when each row was"):
        Csv(file="t.csv", target="price", order="when").open(tmp_path)
