"""What is simpler than a network: measured as trials are, and compared with the winner."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automl.data import prepare
from automl.data.section import DataDocument
from automl.driver.baselines import unbeaten
from automl.records.data import DataSpec
from automl.records.objective import Objective
from automl.records.trials import BaselineRequest, BaselineResult
from automl.training.evaluation import Evaluation
from automl.worker import baselines
from automl.worker.baselines import run_baselines

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 4))
LINE = X @ [1.0, -2.0, 0.5, 0.0]


def prepared(
    folder: Path, arrays: Mapping[str, np.ndarray], task: Any, folds: int | None = None, **fields: Any
) -> DataSpec:
    np.savez(folder / "set.npz", **arrays)
    read: Any = {"name": "toy", "source": {"npz": {"file": str(folder / "set.npz")}}, "task": task}
    read |= fields or {"input": "table"}
    document = DataDocument.model_validate(read)
    return prepare.prepare(document, folder / "prepared", evaluation=Evaluation(folds=folds))


def measured(data: DataSpec, part: Any = "val", with_loss: bool = True) -> BaselineResult:
    found = run_baselines(BaselineRequest(data, part, 0, with_loss), lambda _: True)
    assert found.message is None
    assert found.seconds.keys() == found.metrics.keys()
    return found


def test_numbers_have_a_mean_and_a_line(tmp_path: Path) -> None:
    data = prepared(tmp_path, {"x": X, "y": 100 + LINE}, "regression")
    found = measured(data)
    assert [*found.metrics] == ["mean", "linear"]
    assert found.examples == data.sizes["train"]
    assert found.metrics["linear"]["val_r2"] > 0.999
    assert found.metrics["mean"]["val_r2"] == pytest.approx(0, abs=0.05)
    y, train = (np.load(tmp_path / "prepared" / f"{part}_y.npy") for part in ("val", "train"))
    assert found.metrics["mean"]["val_mae"] == pytest.approx(np.abs(y - train.mean()).mean(), rel=1e-4)
    assert found.metrics["mean"].keys() == {f"val_{name}" for name in ("mae", "mse", "rmse", "r2", "medae", "loss")}
    assert "val_loss" not in measured(data, with_loss=False).metrics["linear"]
    assert measured(data, "test").metrics["linear"]["test_r2"] > 0.999


def test_classes_have_a_majority_and_a_line(tmp_path: Path) -> None:
    y = np.where(LINE > 1, "up", "down")
    data = prepared(tmp_path, {"x": X, "y": y}, "classification")
    found = measured(data).metrics
    stored = np.load(tmp_path / "prepared" / "val_y.npy")
    share = np.bincount(stored).max() / len(stored)
    assert found["majority"]["val_accuracy"] == pytest.approx(share)
    assert found["linear"]["val_accuracy"] > 0.9


def test_labels_have_shares_and_a_line_each(tmp_path: Path) -> None:
    y = np.stack([LINE > 0, X[:, 0] > 0, RNG.random(300) > 0.5], -1).astype(np.uint8)
    found = measured(prepared(tmp_path, {"x": X, "y": y}, "multi_label")).metrics
    assert found["linear"]["val_auc"] > found["majority"]["val_auc"]


def test_folds_are_measured_one_after_the_other(tmp_path: Path) -> None:
    data = prepared(tmp_path, {"x": X, "y": 100 + LINE}, "regression", folds=3)
    whole = measured(data).metrics["mean"]["val_mae"]
    single = []
    for fold in range(3):
        seen = data.at(fold)
        single.append(run_baselines(BaselineRequest(_alone(seen), "val", 0, True), lambda _: True))
    assert whole == pytest.approx(np.mean([each.metrics["mean"]["val_mae"] for each in single]))
    # The model of the winner is trained on all folds, and so are they.
    assert measured(data, "test").examples == data.sizes["train"]


def _alone(data: DataSpec) -> DataSpec:
    """Returns a fold as a set that has this one alone."""

    class Fixed(DataSpec):
        def at(self, fold: int | None) -> DataSpec:
            del fold
            return data

    fields = {**vars(data), "folds": ()}
    return Fixed(**fields)


def test_several_inputs_stand_side_by_side(tmp_path: Path) -> None:
    images = RNG.normal(size=(300, 20, 20, 1)) + LINE[:, None, None, None]
    arrays = {"x": images, "y": LINE + 3 * X[:, 3], "more": X[:, 3]}
    inputs = {"photo": {"image": {"column": "x"}}, "facts": {"table": {"columns": ["more"]}}}
    found = measured(prepared(tmp_path, arrays, "regression", inputs=inputs)).metrics
    assert found["linear"]["val_r2"] > 0.9


def test_what_is_missing_or_padded_is_no_trouble(tmp_path: Path) -> None:
    x = RNG.normal(size=(120, 30, 2)) + np.arange(120)[:, None, None] % 2
    x[::3, 20:] = np.nan
    data = prepared(tmp_path, {"x": x, "y": np.arange(120) % 2}, "classification", input="series")
    assert measured(data).metrics["linear"]["val_accuracy"] > 0.9


def test_no_more_examples_are_read_than_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "MOST_CELLS", 400)
    data = prepared(tmp_path, {"x": X, "y": 100 + LINE}, "regression")
    assert measured(data).examples == 100


def test_a_failure_is_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = prepared(tmp_path, {"x": X, "y": 100 + LINE}, "regression")
    monkeypatch.setattr("automl.tasks.regression.Regression.baselines", lambda *_: 1 / 0)
    found = run_baselines(BaselineRequest(data, "val", 0, True), lambda _: True)
    assert (found.metrics, found.message) == ({}, "ZeroDivisionError: division by zero")


@pytest.mark.parametrize(("score", "expected"), [(0.95, None), (0.9, "linear"), (0.85, "linear"), (0.2, "linear")])
def test_a_winner_has_to_be_better_than_the_best_of_them(score: float, expected: str | None) -> None:
    found = {"majority": {"val_accuracy": 0.5}, "linear": {"val_accuracy": 0.9}, "odd": {}}
    assert unbeaten(found, score, Objective("val_accuracy", "max")) == expected
    turned = {name: {"val_loss": 1 - each["val_accuracy"]} for name, each in found.items() if each}
    assert unbeaten(turned, 1 - score, Objective("val_loss", "min")) == expected
    assert unbeaten({}, score, Objective("val_accuracy", "max")) is None
