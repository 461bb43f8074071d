"""Folds from the table of a user to the batches of a training; documents that ask for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.data import prepare
from automl.data.feed import Feed, targets
from automl.data.section import DataDocument, Limit
from automl.errors import ConfigError, DataError
from automl.experiment import experiment
from automl.records.data import DataSpec, Splits
from automl.sources.csv import Csv
from automl.training.evaluation import Evaluation

SIZE = 60


def document(folder: Path, **source: Any) -> DataDocument:
    """Rows that tell themselves apart: the first feature is the row's number; three classes, twelve speakers."""
    lines = [f"{row},{row % 7},{'abc'[row % 3]},speaker {row // 5}" for row in range(SIZE)]
    (folder / "t.csv").write_text("\n".join(["row,b,kind,speaker", *lines]))
    csv = {"file": str(folder / "t.csv"), "target": "kind", "columns": ["row", "b"], "shape": [2, 1], **source}
    written = {"name": "t", "source": {"csv": csv}, "input": "series", "task": "classification"}
    return DataDocument.model_validate(written)


def prepared(folder: Path, source: Any = None, **evaluation: Any) -> DataSpec:
    return prepare.prepare(document(folder, **(source or {})), folder / "d", None, Evaluation(**evaluation))


def numbers(spec: DataSpec, part: str) -> list[int]:
    """Returns which rows of the table a part's batches hold."""
    feed = Feed(spec, part, 7)
    return [int(row) for index in range(len(feed)) for row in feed[index][0][:, 0, 0]]


def sides(spec: DataSpec, folds: int) -> list[tuple[set[int], set[int]]]:
    return [(set(numbers(spec.at(fold), "train")), set(numbers(spec.at(fold), "val"))) for fold in range(folds)]


def test_folds_take_turns_and_leave_the_test_part_alone(tmp_path: Path) -> None:
    spec = prepared(tmp_path, folds=4)
    assert spec.sizes == {"train": 48, "val": 0, "test": 12}
    every, test = set(numbers(spec, "train")), set(numbers(spec, "test"))
    assert every | test == set(range(SIZE))
    assert not every & test
    found = sides(spec, 4)
    assert sorted(row for _, val in found for row in val) == sorted(every)
    for train, val in found:
        assert train | val == every
        assert not train & val
        assert [sum(row % 3 == kind for row in val) for kind in range(3)] == [4, 4, 4]
    assert [set(numbers(spec.at(fold), "test")) == test for fold in range(4)] == [True] * 4


def test_preprocessing_is_learned_from_what_trains_a_fold(tmp_path: Path) -> None:
    spec = prepared(tmp_path, folds=4)
    for fold in range(4):
        seen = spec.at(fold)
        rows = np.array(numbers(seen, "train"))
        assert seen.inputs[0].state["mean"][0] == pytest.approx(np.mean([rows, rows % 7]), abs=1e-4)
    assert len({str(fold.inputs[0]) for fold in spec.folds}) > 1
    assert spec.at(None) == spec


def test_a_training_part_is_shuffled_within_its_fold(tmp_path: Path) -> None:
    spec = prepared(tmp_path, folds=3).at(1)
    feed = Feed(spec, "train", 5, seed=3)
    epochs = []
    for epoch in range(2):
        feed.set_epoch(epoch)
        epochs.append([int(row) for index in range(len(feed)) for row in feed[index][0][:, 0, 0]])
    assert epochs[0] != epochs[1]
    assert set(epochs[0]) == set(epochs[1]) == set(numbers(spec, "train"))
    assert len(targets(spec, "train")) == feed.size == 32


def test_what_belongs_together_stays_together(tmp_path: Path) -> None:
    spec = prepared(tmp_path, {"group": "speaker"}, folds=3, strategy="group")
    test = {row // 5 for row in numbers(spec, "test")}
    for train, val in sides(spec, 3):
        speakers = [{row // 5 for row in rows} for rows in (train, val)]
        assert not speakers[0] & speakers[1]
        assert not test & (speakers[0] | speakers[1])


@pytest.mark.parametrize("strategy", ["stratified", "group", "walk_forward"])
def test_no_strategy_splits_a_declared_group(tmp_path: Path, strategy: str) -> None:
    spec = prepared(tmp_path, {"group": "speaker"}, folds=3, strategy=strategy)
    test = {row // 5 for row in numbers(spec, "test")}
    for train, val in sides(spec, 3):
        speakers = [{row // 5 for row in rows} for rows in (train, val)]
        assert not speakers[0] & speakers[1]
        assert not test & (speakers[0] | speakers[1])


def test_groups_that_run_through_all_of_the_time_leave_no_place_to_cut(tmp_path: Path) -> None:
    doc = document(tmp_path, group="speaker")
    lines = [f"{row},0,{'abc'[row % 3]},speaker {row % 2}" for row in range(SIZE)]
    (tmp_path / "t.csv").write_text("\n".join(["row,b,kind,speaker", *lines]))
    with pytest.raises(DataError, match="its time line cannot be cut into 2: a cut may not fall within a group"):
        prepare.prepare(doc, tmp_path / "d", None, Evaluation(folds=3, strategy="walk_forward"))


def test_folds_along_the_time_line_that_groups_make_uneven_are_refused(tmp_path: Path) -> None:
    doc = document(tmp_path, group="speaker", test=str(tmp_path / "test.csv"))
    lines = [f"{row},0,{'abc'[row % 3]},speaker {0 if 80 <= row < 190 else row}" for row in range(300)]
    (tmp_path / "t.csv").write_text("\n".join(["row,b,kind,speaker", *lines]))
    (tmp_path / "test.csv").write_text("row,b,kind,speaker\n1,0,a,x\n2,0,b,y\n3,0,c,z")
    walk = Evaluation(folds=3, strategy="walk_forward")
    with pytest.raises(DataError) as caught:
        prepare.prepare(doc, tmp_path / "d", None, walk)
    assert "cannot be cut into 3 folds without splitting what belongs together: a cut may not" in str(caught.value)
    assert "Expected about before the folds: 75, fold 1: 75, fold 2: 75, fold 3: 75 examples; received " in str(
        caught.value
    )
    assert "at best. Use fewer folds, or bring more groups" in str(caught.value)
    # Rows of nobody can be cut anywhere.
    (tmp_path / "t.csv").write_text((tmp_path / "t.csv").read_text().replace("speaker 0\n", "\n"))
    assert prepare.prepare(doc, tmp_path / "d", None, walk).sizes["train"] == 300


def test_the_test_part_is_the_end_of_the_time_line(tmp_path: Path) -> None:
    """Nothing trains past it: the winner, trained again on all folds, does not either."""
    spec = prepared(tmp_path, folds=3, strategy="walk_forward")
    assert numbers(spec, "test") == list(range(48, 60))
    assert numbers(spec, "train") == list(range(48))


class Timed(Csv):
    """The rows of the table, known to stand in the order of time."""

    def open(self, root: Path | None) -> Splits:
        return replace(super().open(root), is_timeline=True)


def timed(folder: Path) -> DataDocument:
    doc = document(folder)
    return doc.model_copy(update={"source": Timed(**doc.source.model_dump())})


def test_a_set_in_the_order_of_time_is_cut_so_without_folds_and_with_them(tmp_path: Path) -> None:
    spec = prepare.prepare(timed(tmp_path), tmp_path / "d", None)
    assert [numbers(spec, part) for part in ("train", "val", "test")] == [
        list(range(36)), list(range(36, 48)), list(range(48, 60)),
    ]  # fmt: skip
    spec = prepare.prepare(timed(tmp_path), tmp_path / "d", None, Evaluation(folds=3, strategy="walk_forward"))
    assert numbers(spec, "test") == list(range(48, 60))
    with pytest.raises(DataError, match="strategy stratified trains on what comes after the examples it validates"):
        prepare.prepare(timed(tmp_path), tmp_path / "d", None, Evaluation(folds=3))


def test_a_limit_of_the_validation_part_holds_for_each_fold(tmp_path: Path) -> None:
    doc = document(tmp_path, group="speaker")
    doc = doc.model_copy(update={"limit": Limit(val=6)})
    whole = prepared(tmp_path, {"group": "speaker"}, folds=3)
    spec = prepare.prepare(doc, tmp_path / "e", None, Evaluation(folds=3))
    assert spec.digest != whole.digest
    for (train, val), (all_train, all_val) in zip(sides(spec, 3), sides(whole, 3), strict=True):
        assert len(val) == 6
        assert val < all_val
        # What is left out of a fold does not train on it instead: a speaker stays on one side.
        assert train == all_train
    more = doc.model_copy(update={"limit": Limit(val=48)})
    assert prepare.prepare(more, tmp_path / "f", None, Evaluation(folds=3)).digest == whole.digest


def test_walking_forward_trains_on_what_came_before(tmp_path: Path) -> None:
    spec = prepared(tmp_path, folds=3, strategy="walk_forward")
    before: set[int] = set()
    for train, val in sides(spec, 3):
        assert max(train) < min(val)
        assert before < train
        before = train


def test_a_set_is_another_one_once_it_is_cut_otherwise(tmp_path: Path) -> None:
    digests = [prepared(tmp_path, **given).digest for given in ({}, {"folds": 3}, {"folds": 4}, {"folds": 3})]
    assert digests[1] == digests[3]
    assert len(set(digests)) == 3
    assert prepare.load_spec(tmp_path / "d").digest == digests[3]
    (tmp_path / "d/folds.npy").unlink()
    with pytest.raises(DataError, match=r"folds\.npy is missing"):
        prepare.load_spec(tmp_path / "d")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"folds": 3, "strategy": "group"}, "does not say which examples belong together"),
        ({"folds": 50}, "cannot be cut into 50 folds"),
    ],
)
def test_what_cannot_be_cut_is_told(tmp_path: Path, given: dict[str, Any], told: str) -> None:
    with pytest.raises(DataError, match=told) as caught:
        prepared(tmp_path, **given)
    assert "\n" not in str(caught.value)


def test_a_class_that_a_fold_never_sees_is_told(tmp_path: Path) -> None:
    doc = document(tmp_path)
    lines = (tmp_path / "t.csv").read_text().splitlines()
    # In time, the third class comes last, but for the test part.
    rows = sorted(lines[1:49], key=lambda line: line.split(",")[2]) + lines[49:]
    (tmp_path / "t.csv").write_text("\n".join([lines[0], *rows]))
    with pytest.raises(DataError, match="is measured on class 'b', which it is not trained on"):
        prepare.prepare(doc, tmp_path / "d", None, Evaluation(folds=2, strategy="walk_forward"))


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("{refit: true}", "refit needs folds"),
        ("{strategy: group}", "strategy group needs folds"),
        ("{folds: 1}", "at least 2; received 1"),
        ("{folds: {values: [3, 5]}}", "folds"),
        ("{fold: 3}", "folds"),
        ("3", "evaluation"),
    ],
)
def test_mistakes_in_the_section_are_told(tmp_path: Path, written: str, told: str) -> None:
    (tmp_path / "s.yaml").write_text(f"model: [flatten]\nevaluation: {written}\n")
    with pytest.raises(ConfigError, match=told) as caught:
        experiment.load(str(tmp_path / "s.yaml"))
    assert "s.yaml:2" in str(caught.value)


def test_the_section_can_be_set_from_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("model: [flatten]\n")
    read = experiment.load(str(tmp_path / "s.yaml"), options=["evaluation.folds=5", "evaluation.refit=true"])
    assert (read.evaluation.parts, read.evaluation.refit) == (5, True)
    assert experiment.evaluation(read.trial({})) == read.evaluation


def test_trainings_take_the_folds_in_turn_with_seeds_of_their_own() -> None:
    evaluation = Evaluation(folds=3, repeats=2)
    assert [evaluation.fold(part) for part in range(1, evaluation.parts + 1)] == [0, 1, 2, 0, 1, 2]
    seeds = [evaluation.seed(7, part) for part in range(1, 7)]
    assert seeds[0] == 7
    assert len(set(seeds)) == 6
    assert Evaluation(repeats=2).fold(2) is None
