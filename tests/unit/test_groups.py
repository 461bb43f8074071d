"""What belongs together stays together when a set is cut, and fractions are of examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.data import groups, prepare, store
from automl.data.section import DataDocument
from automl.errors import DataError
from automl.records.data import DataSpec
from automl.training.evaluation import Evaluation


def table(path: Path, patients: list[str], kinds: str = "ab") -> None:
    """Rows that tell themselves apart: the first feature is the row's number."""
    lines = [f"{row},{row % 7},{patient},{kinds[row % len(kinds)]}" for row, patient in enumerate(patients)]
    path.write_text("\n".join(["row,b,patient,kind", *lines]))


def prepared(
    folder: Path,
    evaluation: Any = None,
    source: Any = None,
    digest: str | None = None,
    version: int = prepare.VERSION,
    figures_by: str | None = None,
    **split: Any,
) -> DataSpec:
    csv = {"file": str(folder / "t.csv"), "target": "kind", "group": "patient", "shape": [2, 1], **(source or {})}
    written = {"name": "t", "source": {"csv": csv}, "input": "series", "task": "classification", "split": split}
    written |= {"digest": digest, "figures_by": figures_by}
    return prepare.prepare(DataDocument.model_validate(written), folder / "d", None, evaluation, version)


def rows(spec: DataSpec, part: str) -> list[int]:
    return [int(row) for row in np.load(Path(spec.folder) / f"{part}_x.npy")[:, 0, 0]]


@pytest.mark.parametrize("seed", range(10))
def test_fractions_are_of_examples_though_one_group_is_large(tmp_path: Path, seed: int) -> None:
    patients = ["p0"] * 200 + [f"p{1 + row // 10}" for row in range(90)]
    table(tmp_path / "t.csv", patients)
    spec = prepared(tmp_path, seed=seed)
    assert spec.sizes["train"] == 200
    assert sorted(spec.sizes[part] for part in ("val", "test")) == [40, 50]
    sides = [{patients[row] for row in rows(spec, part)} for part in ("train", "val", "test")]
    assert sum(map(len, sides)) == len(set(patients))


def test_groups_of_all_sizes_come_near_to_the_fractions_and_keep_the_shares_of_classes(tmp_path: Path) -> None:
    sizes = np.random.default_rng(1).integers(1, 30, 60)
    patients = [f"p{number}" for number, size in enumerate(sizes) for _ in range(size)]
    table(tmp_path / "t.csv", patients, kinds="aaab")
    spec = prepared(tmp_path, val=0.15, test=0.25)
    for part, share in (("train", 0.6), ("val", 0.15), ("test", 0.25)):
        assert spec.sizes[part] == pytest.approx(share * len(patients), abs=3)
        y = np.load(Path(spec.folder) / f"{part}_y.npy")
        assert y.mean() == pytest.approx(0.25, abs=0.05)
    assert rows(spec, "test") != rows(prepared(tmp_path, val=0.15, test=0.25, seed=1), "test")


def test_two_groups_are_too_few(tmp_path: Path) -> None:
    table(tmp_path / "t.csv", ["a"] * 50 + ["b"] * 50)
    told = "^t: 2 groups cannot be cut into 3 parts. Expected at least 3, one for each part. Bring more groups"
    with pytest.raises(DataError, match=told):
        prepared(tmp_path)
    with pytest.raises(DataError, match="group 'a' alone has 50 of 100 examples"):
        prepared(tmp_path, Evaluation(folds=5))


def test_groups_that_allow_no_such_fractions_are_told_with_the_reason(tmp_path: Path) -> None:
    table(tmp_path / "t.csv", ["a"] * 90 + ["b"] * 5 + ["c"] * 5)
    told = (
        "cannot be cut as `split` says without splitting what belongs together: group 'a' alone has 90 of 100 "
        "examples. Expected about train 60, val 20, test 20 examples; received train 90, val 5, test 5 at best"
    )
    with pytest.raises(DataError, match=told):
        prepared(tmp_path)
    assert prepared(tmp_path, val=0.05, test=0.05).sizes == {"train": 90, "val": 5, "test": 5}


def test_a_class_in_too_few_groups_is_told(tmp_path: Path) -> None:
    lines = [f"{row},0,p{row // 5},{'a' if row < 10 else 'b'}" for row in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["row,b,patient,kind", *lines]))
    with pytest.raises(
        DataError, match=r"class 'a' stands in too few groups to be split\. Expected at least 3.*received 2"
    ):
        prepared(tmp_path)


def test_an_empty_id_is_no_group(tmp_path: Path) -> None:
    """A hundred examples without an id would be the largest group of all, in one part."""
    patients = ["" if row % 2 else f"p{row // 20}" for row in range(200)]
    table(tmp_path / "t.csv", patients, kinds="aabb")
    spec = prepared(tmp_path)
    assert [spec.sizes[part] for part in ("train", "val", "test")] == [120, 40, 40]
    for part in ("train", "val", "test"):
        assert any(patients[row] == "" for row in rows(spec, part))
    numbers = groups.numbered(np.array(["", "a", " ", "b", "a "]))
    assert len(set(numbers)) == 4
    assert numbers[1] == numbers[4]
    assert len(set(groups.numbered(np.array([np.nan, 1.0, np.nan, 1.0])))) == 3


def test_files_that_split_a_group_themselves_are_told(tmp_path: Path) -> None:
    table(tmp_path / "t.csv", [f"p{row // 5}" for row in range(60)])
    table(tmp_path / "test.csv", [f"p{11 + row // 5}" for row in range(20)])
    with pytest.raises(DataError, match=r"group 'p11' stands in part train and in part test\. Expected each group"):
        prepared(tmp_path, source={"test": str(tmp_path / "test.csv")}, seed=1)
    table(tmp_path / "test.csv", [f"q{row // 5}" for row in range(20)])
    assert prepared(tmp_path, source={"test": str(tmp_path / "test.csv")}).sizes["test"] == 20


def test_folds_count_examples_too(tmp_path: Path) -> None:
    sizes = np.random.default_rng(1).integers(1, 30, 60)
    table(tmp_path / "t.csv", [f"p{number}" for number, size in enumerate(sizes) for _ in range(size)])
    spec = prepared(tmp_path, Evaluation(folds=5))
    folds = np.bincount(np.load(Path(spec.folder) / "folds.npy"))
    assert folds.max() - folds.min() <= 4


def test_a_group_too_large_for_a_fold_is_told(tmp_path: Path) -> None:
    sizes = [200] + [5] * 48
    table(tmp_path / "t.csv", [f"p{number}" for number, size in enumerate(sizes) for _ in range(size)])
    table(tmp_path / "test.csv", [f"q{row // 5}" for row in range(60)])
    brought = {"test": str(tmp_path / "test.csv")}
    told = (
        r"cannot be cut into 5 folds without splitting what belongs together: group 'p0' alone has 200 of 440 examples"
        r"\. Expected about fold 1: 88, .* examples; received fold 1: 200, .*at best\. Use fewer folds, or bring more"
    )
    with pytest.raises(DataError, match=told):
        prepared(tmp_path, Evaluation(folds=5), brought)
    assert (
        np.bincount(np.load(Path(prepared(tmp_path, Evaluation(folds=2), brought).folder) / "folds.npy")).max() == 220
    )


@pytest.mark.parametrize(
    ("group", "evaluation", "digest"),
    [
        ("patient", {}, "e593137266887962b4db48c8738d55241dcdbc01e06ea7ac0a43ac1d358cc155"),
        ("patient", {"folds": 3}, "0590569b68e881b3dcb02f619124ae363a1e81b366319cfbd45e0692d1a55df1"),
        (
            "patient",
            {"folds": 3, "strategy": "group"},
            "74a2f4ea401602f20568f36cf1ed75e3a0e369447521a4627832f790ed679a24",
        ),
        (
            None,
            {"folds": 3, "strategy": "walk_forward"},
            "4360cc37ea5a0bffd6947dcf3b37aff46adb8c379f3358231475612d93dbf92a",
        ),
    ],
)
def test_a_search_of_the_first_version_goes_on_with_the_parts_it_had(
    tmp_path: Path, group: str | None, evaluation: dict[str, Any], digest: str
) -> None:
    """The digests were written by it: those of its journals."""
    table(tmp_path / "t.csv", [f"p{row // 5}" for row in range(120)], kinds="aaab")
    source, measured = {"group": group, "columns": ["row", "b"]}, Evaluation(**evaluation)
    spec = prepared(tmp_path, measured, source, digest=digest, version=1)
    assert (spec.digest, spec.version) == (digest, 1)
    with pytest.raises(DataError, match="the data is not what it was"):
        prepared(tmp_path, measured, source, digest=digest)


def test_what_the_first_version_cut_alike_is_the_same_today(tmp_path: Path) -> None:
    table(tmp_path / "t.csv", [f"p{row // 5}" for row in range(120)], kinds="aaab")
    source = {"group": None, "columns": ["row", "b"]}
    for folds, digest in (
        (None, "44ca5306461f3192a01fa63295a38c60372bd9a2f504141e7425781114057326"),
        (3, "81c01659933350b758635794178a518d6b702c1a482aea48937e8c9eb43e7fae"),
    ):
        assert prepared(tmp_path, Evaluation(folds=folds), source, digest=digest).version == 2


# --- whose figures the report compares


def test_the_group_of_each_validation_example_is_kept(tmp_path: Path) -> None:
    patients = [f"p{row // 5}" if row % 50 else "" for row in range(200)]
    table(tmp_path / "t.csv", patients)
    spec = prepared(tmp_path)
    kept = store.groups(spec)
    assert kept is not None
    assert kept.tolist() == [patients[row] for row in rows(spec, "val")]
    assert spec.figures_by == "patient"
    assert not [*Path(spec.folder).glob("t*_.group.npy")], "of training and test parts nobody asks"


def test_figures_by_a_column_leave_the_set_as_it_is(tmp_path: Path) -> None:
    table(tmp_path / "t.csv", [f"p{row}" for row in range(100)])
    whole = {"group": None, "columns": ["row", "b"]}
    without, plain = prepared(tmp_path, source=whole), store.groups(prepared(tmp_path, source=whole))
    spec = prepared(tmp_path, source=whole, figures_by="b", digest=without.digest)
    kept = store.groups(spec)
    assert kept is not None
    assert kept.tolist() == [str(row % 7) for row in rows(spec, "val")]
    assert plain is None
    assert spec.inputs == without.inputs
    with pytest.raises(DataError, match="t: `figures_by` names 'bb', which is no column"):
        prepared(tmp_path, source=whole, figures_by="bb")


def test_figures_by_go_before_what_belongs_together_and_folds_keep_none(tmp_path: Path) -> None:
    table(tmp_path / "t.csv", [f"p{row // 2}" for row in range(100)])
    spec = prepared(tmp_path, figures_by="kind")
    kept = store.groups(spec)
    assert kept is not None
    assert set(kept) == {"a", "b"}
    assert store.groups(prepared(tmp_path, Evaluation(folds=5), figures_by="kind")) is None
