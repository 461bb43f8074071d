"""What an interrupted finalize leaves, and what the next one takes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from automl.deploy.finalized import Wanted
from automl.driver import trained
from automl.driver.finalize import _Run
from automl.driver.trained import Trained
from automl.records.trials import Report, TrialResult


def ended(folder: Path) -> Trained:
    (folder / "model.keras").touch()
    reports = (Report(2, 1, 1, {"loss": 1.0}, {"val_loss": "nan"}), Report(2, 1, 2, {"loss": 0.5}, phase=2))
    result = TrialResult(2, 1, "completed", 0.5, 2, {"loss": 0.5}, 2, 1.5, 12, str(folder / "model.keras"), "odd")
    return Trained(result, reports)


def test_a_training_is_read_back_as_it_was(tmp_path: Path) -> None:
    assert trained.read(tmp_path) is None
    trained.write(tmp_path, ended(tmp_path))
    assert trained.read(tmp_path) == ended(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"result": {}, "epochs": []}', '{"result": null, "epochs": 3}'])
def test_one_that_is_not_whole_is_trained_again(tmp_path: Path, content: str) -> None:
    (tmp_path / trained.FILE).write_text(content)
    assert trained.read(tmp_path) is None


def test_one_whose_model_is_gone_is_trained_again(tmp_path: Path) -> None:
    trained.write(tmp_path, ended(tmp_path))
    (tmp_path / "model.keras").unlink()
    assert trained.read(tmp_path) is None


class Asked(_Run):
    """Documents that need no search."""

    def document(self, trial: int) -> dict[str, Any]:
        return {"trial": trial}


@pytest.mark.parametrize(
    ("wanted", "numbers", "stays"),
    [(Wanted(2, 5), [1, 2], True), (Wanted(2, 3), [1, 2], False), (Wanted(2, 5), [1, 3], False)],
)
def test_what_was_made_for_another_question_is_not_taken(
    tmp_path: Path, wanted: Wanted, numbers: list[int], stays: bool
) -> None:
    nothing: Any = None
    Asked(nothing, nothing, nothing, tmp_path, nothing, nothing, Wanted(2, 5)).take_up([1, 2])
    (tmp_path / "fold-1").mkdir()
    Asked(nothing, nothing, nothing, tmp_path, nothing, nothing, wanted).take_up(numbers)
    assert (tmp_path / "fold-1").exists() == stays
