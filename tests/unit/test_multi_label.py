"""Labels: targets there and back, metrics, answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from automl.data import prepare
from automl.data.section import DataDocument
from automl.errors import DataError
from automl.records.data import Splits, TaskSpec
from automl.sources._tables import Arrays
from automl.tasks.multi_label import MultiLabel

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TASK = MultiLabel()
MATRIX = [[1, 0], [0, 0], [1, 1]]
COLUMNS = ["a", "b"]


@pytest.mark.parametrize(
    ("targets", "names"),
    [
        ({"y": np.array(MATRIX)}, ["0", "1"]),
        ({"y": np.array(MATRIX, bool)}, ["0", "1"]),
        ({"y": np.array(MATRIX, np.float64)}, ["0", "1"]),
        ({"a": np.array([1, 0, 1]), "b": np.array([0, 0, 1])}, COLUMNS),
        # As a table is read whose words are told as they are written.
        ({"a": np.array(["1", "0", "1.0"]), "b": np.array(["0", "0.0", "1"])}, COLUMNS),
        ({"y": np.array(["a", "", "a|b"])}, COLUMNS),
        ({"y": np.array([" a |", "|", "b| a|a"])}, COLUMNS),
        ({"y": np.array([b"a", b"", b"a|b"])}, COLUMNS),
    ],
)
def test_labels_are_named_and_stored(targets: dict[str, np.ndarray], names: list[str]) -> None:
    scanned = TASK.scan(targets)
    assert scanned == {"classes": names}
    stored = TASK.store(targets, scanned)
    assert stored.dtype == np.uint8
    assert stored.tolist() == MATRIX
    assert TASK.fit(stored, scanned) == scanned
    batch = TASK.encode(stored, scanned)
    assert batch.dtype == np.float32
    assert batch.tolist() == MATRIX


def test_words_are_in_the_order_of_classes_and_parted_as_the_document_says() -> None:
    assert TASK.scan({"y": np.array(["10|9", "9|1", "1"])}) == {"classes": ["1", "9", "10"]}
    spaced = MultiLabel(separator=" ")
    assert spaced.scan({"y": np.array(["wind rain", "sun", ""])}) == {"classes": ["rain", "sun", "wind"]}
    assert TASK.scan({"only": np.array([0, 1, 0])}) == {"classes": ["only"]}


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ({"y": np.array([])}, r"^multi_label: there are no targets\.$"),
        ({"y": np.array(["", "|"])}, "no example has a label. Expected words with '|' between them"),
        (
            {"y": np.array([[1, 0], [0, 2]])},
            "the label '1' of row 2 is neither there nor missing. Expected 0 or 1; rec",
        ),
        ({"a": np.array([0, 1]), "b": np.array([np.nan, 1])}, "the label 'b' of row 1 is neither .* received nan"),
        ({"a": np.array(["1", ""]), "b": np.array(["0", "1"])}, "'a' of row 2 is neither .* received ''"),
        ({"a": np.array(["1", "0"]), "b": np.array(["no", "1"])}, "the label 'b' of row 1 .* received 'no'"),
        ({"y": np.array([0, 3, 1])}, "received 3. Where each example is of one class, the task is classification"),
        ({"y": np.array([[1, 0], [1, 1]])}, "the label '0' is in every one of 2 examples. Expected some with it and"),
        ({"y": np.array([[1, 0], [0, 0]])}, "the label '1' is in none of 2 examples"),
        ({"y": np.array(["a|b", "a"])}, "the label 'a' is in every one of 2 examples"),
        ({"y": np.array([["a", "b"]])}, r"the target 'y' is no list of words. Expected \(examples,\); received shape"),
        ({"y": np.array([1, None], dtype=object)}, "neither number nor text. Expected 0 and 1; received dtype object"),
        ({"y": np.zeros((2, 2, 2))}, r"received shape \(2, 2, 2\)"),
    ],
)
def test_what_is_no_label_is_refused(targets: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        TASK.scan(targets)
    assert "\n" not in str(caught.value)


def test_a_label_that_nobody_named_is_refused() -> None:
    with pytest.raises(DataError, match=r"unknown labels \['c'\]. Expected some of \['a', 'b'\]"):
        TASK.store({"y": np.array(["a|c", "b"])}, {"classes": COLUMNS})


def test_a_label_that_cannot_be_learned_is_refused() -> None:
    with pytest.raises(DataError, match=r"the label 'b' is in none of 3 examples that train.*change `split`"):
        TASK.fit(np.array([[1, 0], [0, 0], [1, 0]], np.uint8), {"classes": COLUMNS})


SPEC = TaskSpec({"multi_label": {}}, ("y",), {"classes": ["a", "b", "c"]})


def test_answers_are_the_names_above_the_threshold() -> None:
    outputs = np.array([[0.6, 0.1, 0.51], [0.5, 0.2, 0.3]], np.float32)
    found, likely = TASK.answers(outputs, TASK.metadata(SPEC))
    assert found["prediction"].tolist() == ["a|c", ""]
    assert list(likely) == ["a", "b", "c"]
    np.testing.assert_array_equal(likely["c"], outputs[:, 2])
    other = MultiLabel(threshold=0.25, separator=";")
    assert other.answers(outputs, other.metadata(SPEC))[0]["prediction"].tolist() == ["a;c", "a;c"]
    assert TASK.answers(outputs[:0], TASK.metadata(SPEC))[0]["prediction"].shape == (0,)
    assert other.metadata(SPEC) == {"classes": ["a", "b", "c"], "threshold": 0.25, "separator": ";"}


def test_each_label_is_measured() -> None:
    stored = np.array([[1, 0, 1], [1, 0, 0]], np.uint8)
    rows = TASK.details(np.array([[0.9, 0.1, 0.9], [0.2, 0.2, 0.9]], np.float32), stored, SPEC)
    assert rows[0] == {"class": "a", "precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3), "examples": 2}
    assert rows[1] == {"class": "b", "precision": 0.0, "recall": 0.0, "f1": 0.0, "examples": 0}
    assert rows[2]["precision"] == 0.5


def test_it_says_how_many_labels_there_are() -> None:
    assert TASK.tells(SPEC) == "3 labels"
    assert TASK.tells(TaskSpec({"multi_label": {}}, ("y",), {"classes": ["a"]})) == "1 label"


def measured(task: MultiLabel, y: np.ndarray, given: np.ndarray) -> dict[str, float]:
    found = {}
    for metric in task.keras_metrics(SPEC):
        for part in (slice(0, 150), slice(150, None)):
            metric.update_state(task.encode(y[part], SPEC.state), given[part])
        found[metric.name] = float(metric.result())
    return found


@pytest.mark.parametrize("threshold", [0.5, 0.2])
def test_metrics_are_those_of_scikit_learn(threshold: float) -> None:
    rng = np.random.default_rng(0)
    y = (rng.uniform(size=(400, 3)) < [0.5, 0.2, 0.9]).astype(np.uint8)
    given = np.clip(rng.normal(y * 0.4 + 0.3, 0.25), 0.01, 0.99).astype("float32")
    task = MultiLabel(threshold=threshold)
    found, answers = measured(task, y, given), given > threshold
    assert set(found) | {"loss"} == set(task.metrics)
    assert found["accuracy"] == pytest.approx((answers == y).mean(), abs=1e-5)
    assert found["subset_accuracy"] == pytest.approx((answers == y).all(axis=1).mean(), abs=1e-5)
    assert found["f1"] == pytest.approx(f1_score(y, answers, average="macro"), abs=1e-5)
    assert found["auc"] == pytest.approx(roc_auc_score(y, given, average="macro"), abs=2e-3)


def test_a_mixed_example_counts_for_its_larger_side() -> None:
    right, _, _, _ = TASK.keras_metrics(SPEC)
    right.update_state(np.array([[0.8, 0.2, 0.0]], "float32"), np.array([[0.9, 0.1, 0.6]], "float32"))
    assert float(right.result()) == pytest.approx(2 / 3)


def prepared(folder: Any, monkeypatch: pytest.MonkeyPatch, declared: Any, **columns: np.ndarray) -> Any:
    """Prepares a table that offers columns of targets by name, which no example may be without."""
    rows = len(next(iter(columns.values())))
    x = np.random.default_rng(0).normal(size=(rows, 4, 1)).astype(np.float32)
    table = Arrays({"x": x, **columns})
    splits = Splits(table, {"train": np.arange(rows)}, targets=tuple(columns))
    monkeypatch.setattr("automl.sources.npz.Npz.open", lambda self, root: splits)
    given = {"name": "toy", "source": {"npz": {"file": "none.npz"}}, "input": "series", "task": declared}
    return prepare.prepare(DataDocument.model_validate(given), folder / "prepared")


def test_an_empty_cell_is_an_example_without_labels(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    words = np.array(["a", "", "a|b", "b"] * 10)
    data = prepared(tmp_path, monkeypatch, "multi_label", kinds=words)
    stored = np.concatenate([np.load(tmp_path / f"prepared/{part}_y.npy") for part in data.sizes])
    assert data.classes == ("a", "b")
    assert (stored.sum(axis=1) == 0).sum() == 10


def test_an_empty_cell_is_no_class(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="the target of example 2 is empty"):
        prepared(tmp_path, monkeypatch, "classification", kind=np.array(["a", "", "b"] * 10))


def test_columns_of_targets_are_chosen(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    columns = {name: rng.integers(0, 2, 60) for name in "abc"}
    data = prepared(tmp_path, monkeypatch, {"multi_label": {"target": ["c", "a"]}}, **columns)
    assert data.classes == ("c", "a")
    numbers = {name: rng.normal(size=60) for name in "abc"}
    data = prepared(tmp_path, monkeypatch, {"regression": {"target": ["b", "a"]}}, **numbers)
    assert data.task.state["targets"] == ["b", "a"]
    assert data.classes == ()
    assert data.profile.keys() == {"shape", "sizes"}
    with pytest.raises(DataError, match="the target column 'a' is named twice"):
        prepared(tmp_path, monkeypatch, {"regression": {"target": ["a", "a"]}}, **numbers)
