"""Classification: targets, weights, metrics."""

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from automl.errors import DataError
from automl.records.data import Splits, TaskSpec
from automl.sources._tables import Arrays
from automl.tasks._auc import macro_auc
from automl.tasks.classification import Classification

TASK = Classification()
CLASSES = {"classes": ["a", "b", "c"]}


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (np.array([10, 9, 1]), ("1", "9", "10")),
        (np.array(["10", "9", "1"]), ("1", "9", "10")),
        (np.array([2.0, -1.0]), ("-1", "2")),
        (np.array([[3], [4]]), ("3", "4")),
        (np.array([b"b", b"a"]), ("a", "b")),
        (np.array(["b", "a", "10"]), ("10", "a", "b")),
        (np.array([True, False]), ("False", "True")),
        (np.array(["x", 3, 2.0], dtype=object), ("2", "3", "x")),
        (np.array(["1" * 5000, "2"]), ("1" * 5000, "2")),
        (np.array(["1", "01", "010"]), ("01", "1", "010")),
        (np.array([2**53, 2**53 + 1]), (str(2**53), str(2**53 + 1))),
    ],
)
def test_classes_are_named_and_sorted(y, classes):
    scanned = TASK.scan({"y": y})
    assert scanned == {"classes": [*classes]}
    places = TASK.store({"y": y}, scanned)
    assert places.dtype == np.int32
    assert sorted(places.tolist()) == list(range(len(classes)))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.array([1, 1]), "every example is of class '1'"),
        (np.array([]), "there are no targets"),
        (np.array([0.0, np.nan]), "label 1 is missing"),
        (np.array([0.0, 0.5]), "label 0.5 is no class"),
        (np.array([0.0, np.inf]), "label inf is no class"),
        (np.array([0.0, 2.0**53 + 2]), "too large to be told from its neighbours as float64"),
        (np.array([0, 2**24 + 2], dtype=np.float32), "too large to be told from its neighbours as float32"),
        (np.array([1e300, 2e300]), "too large to be told from its neighbours"),
        (np.array(["a", None], dtype=object), "label None is no class"),
        (np.array(["a", np.nan], dtype=object), "label nan is no class"),
        (np.zeros((3, 4)), r"shape \(3, 4\)"),
    ],
)
def test_classes_refuse(y, message):
    with pytest.raises(DataError, match=message):
        TASK.scan({"y": y})


def test_a_class_nobody_named_is_refused():
    with pytest.raises(DataError, match=r"unknown classes \['c'\]"):
        TASK.store({"y": np.array(["a", "c"])}, {"classes": ["a", "b"]})


def test_there_is_one_target():
    y = np.array(["a", "b"])
    for refuses in (TASK.scan, TASK.strata, lambda targets: TASK.store(targets, {"classes": ["a", "b"]})):
        with pytest.raises(DataError, match=r"classification: it has one target\. Expected one column; received y, z"):
            refuses({"y": y, "z": y})


def test_encode_is_one_hot():
    found = TASK.encode(np.array([1, 0], dtype=np.int32), CLASSES)
    assert found.dtype == np.float32
    assert found.tolist() == [[0, 1, 0], [1, 0, 0]]


def test_weights():
    y = np.array([0, 0, 0, 1], dtype=np.int32)
    assert TASK.fit(y, CLASSES) == CLASSES
    assert TASK.weights(y, CLASSES) is None
    # 4 / (2 * 3) and 4 / (2 * 1); a class that does not occur weighs nothing wherever it stands.
    balanced = Classification(class_weights="balanced")
    state = balanced.fit(y, CLASSES)
    assert state == {**CLASSES, "weights": pytest.approx([2 / 3, 2.0, 1.0])}
    found = balanced.weights(np.array([1, 0, 2], dtype=np.int32), json.loads(json.dumps(state)))
    assert found.dtype == np.float32
    # As a worker reads them they are, to the last bit, what was learned.
    assert found.tolist() == [2.0, float(np.float32(2 / 3)), 1.0]


def probabilities(rng, y, classes, sharpness):
    scores = rng.normal(size=(len(y), classes)) * sharpness
    scores[np.arange(len(y)), y] += sharpness
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    return (scores / scores.sum(axis=1, keepdims=True)).astype("float32")


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("sharpness", [0.5, 5.0])
def test_metrics_are_those_of_scikit_learn(classes, sharpness):
    rng = np.random.default_rng(0)
    y = rng.integers(0, classes, 400)
    given = probabilities(rng, y, classes, sharpness)
    spec = TaskSpec({"classification": {}}, ("y",), {"classes": [*map(str, range(classes))]})
    found = {}
    for metric in TASK.keras_metrics(spec):
        for part in (slice(0, 150), slice(150, 400)):
            metric.update_state(TASK.encode(y[part], spec.state), given[part])
        found[metric.name] = float(metric.result())
    assert set(found) | {"loss"} == set(TASK.metrics)
    auc = roc_auc_score(y, given if classes > 2 else given[:, 1], multi_class="ovr")
    assert found["auc"] == pytest.approx(auc, abs=2e-3)
    assert found["f1"] == pytest.approx(f1_score(y, given.argmax(axis=1), average="macro"), abs=1e-5)
    assert found["accuracy"] == pytest.approx((given.argmax(axis=1) == y).mean(), abs=1e-5)


def test_auc_leaves_out_a_class_that_does_not_occur_and_survives_nan():
    metric = macro_auc(3)
    assert float(metric.result()) == 0.0
    metric.update_state(
        np.array([[1, 0, 0], [0, 1, 0]], "float32"), np.array([[0.9, 0.1, 0], [0.2, 0.8, 0]], "float32")
    )
    assert float(metric.result()) == 1.0
    metric.reset_state()
    metric.update_state(np.eye(3, dtype="float32"), np.full((3, 3), np.nan, "float32"))
    assert float(metric.result()) == 0.5


def test_an_answer_is_the_likeliest_class():
    spec = TaskSpec({"classification": {}}, ("y",), CLASSES)
    outputs = np.array([[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]])
    found, likely = TASK.answers(outputs, TASK.metadata(spec))
    assert found["prediction"].tolist() == ["b", "a"]
    assert found["probability"].tolist() == [0.5, 0.6]
    assert {name: column.tolist() for name, column in likely.items()} == {
        "a": [0.2, 0.6],
        "b": [0.5, 0.3],
        "c": [0.3, 0.1],
    }
    (first, *_, last) = TASK.details(outputs, np.array([1, 1]), spec)
    assert first == {"class": "a", "precision": 0.0, "recall": 0.0, "f1": 0.0, "examples": 0}
    assert last["examples"] == 0
    assert TASK.tells(spec) == "3 classes"


def test_the_targets_are_those_of_the_source_unless_named():
    columns = {"x": np.zeros((2, 1)), "y": np.arange(2), "kind": np.arange(2)}
    splits = Splits(Arrays(columns), {"train": np.arange(2)})
    assert TASK.reads(splits) == ("y",)
    assert Classification(target="kind").reads(splits) == ("kind",)
    with pytest.raises(DataError, match=r"there is no target column 'kin'\. Expected one of x, y, kind\. .*'kind'"):
        Classification(target="kin").reads(splits)
    with pytest.raises(DataError, match=r"the target is not named\. Expected `target`, one of x, y, kind"):
        TASK.reads(replace(splits, targets=()))
