"""Metrics of a whole part: in the logs of every epoch before anybody reads them, of the weights that are measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from automl.data import prepare, tf_pipeline
from automl.data.feed import targets
from automl.data.section import DataDocument
from automl.executors import Message
from automl.records.alive import Alive
from automl.records.data import DataSpec
from automl.records.objective import Goals, Objective
from automl.records.trials import Report, TestRequest, TrialRequest, TrialResult
from automl.training.evaluation import Evaluation
from automl.worker.fitting import Fitting
from automl.worker.trial import run_test, run_trial

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., DataSpec]:
    """Prepares a table of two features, whose sum is the target."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 2, 1)).astype(np.float32)
    np.savez(folder / "toy.npz", x=x, y=500 + 20 * x.sum(axis=(1, 2)) + rng.normal(0, 3, 120), kind=np.arange(120) % 2)

    def make(task: str = "regression", y: str = "y", **evaluation: Any) -> DataSpec:
        source = {"npz": {"file": str(folder / "toy.npz"), "y": y}}
        given = {"name": "toy", "source": source, "input": "series", "task": task}
        read = DataDocument.model_validate({**given, "split": {"val": 0.25, "test": 0.25, "seed": 0}})
        name = f"{task}{y}{len(evaluation)}"
        return prepare.prepare(read, folder / name, evaluation=Evaluation(**evaluation))

    return make


def document(optimizer: Any = None, **training: Any) -> dict[str, Any]:
    given = {"batch_size": 16, "optimizer": optimizer or {"sgd": {"learning_rate": 0.05}}, **training}
    return {"model": ["flatten", {"dense": {"units": 4}}], "training": given}


def ask(folder: Path, data: DataSpec, written: dict[str, Any] | None = None, **given: Any) -> TrialRequest:
    fields = {"goals": Goals.single("val_medae", "min"), "epochs": 3, **given}
    return TrialRequest(1, 1, written or document(), 5, data, str(folder), **fields)


def run(request: TrialRequest) -> tuple[TrialResult, list[Report]]:
    told: list[Message] = []
    result = run_trial(request, lambda message: told.append(message) or True)
    assert result.outcome == "completed", result.traceback
    return result, [each for each in told if isinstance(each, Report)]


def medae(model: str, data: DataSpec, part: str, rows: Any = slice(None)) -> float:
    x = np.load(Path(data.folder) / f"{part}_x.npy")[rows]
    y = np.load(Path(data.folder) / f"{part}_y.npy")[rows]
    given = keras.saving.load_model(model, compile=False).predict(x, verbose=0)
    return float(np.median(np.abs(given - y)))


def test_it_is_in_the_report_of_every_epoch_and_scores_the_trial(tmp_path: Path, prepared: Any) -> None:
    data = prepared()
    result, told = run(ask(tmp_path, data))
    for report in told:
        assert "val_medae" in report.metrics
        assert "medae" not in report.metrics
    assert result.score == min(report.metrics["val_medae"] for report in told)
    assert result.metrics["val_medae"] == result.score
    assert result.model is not None
    assert medae(result.model, data, "val") == pytest.approx(result.score, rel=1e-5)


def test_it_is_measured_of_the_test_part(tmp_path: Path, prepared: Any) -> None:
    data = prepared()
    result, _ = run(ask(tmp_path, data))
    assert result.model is not None
    tested = run_test(TestRequest(1, 1, document(), data, result.model), lambda _: True)
    assert tested.message is None
    assert tested.metrics.keys() == {f"test_{name}" for name in ("loss", "mae", "mse", "rmse", "r2", "medae")}
    assert tested.metrics["test_medae"] == pytest.approx(medae(result.model, data, "test"), rel=1e-5)


def test_a_fold_is_measured_on_its_own_examples(tmp_path: Path, prepared: Any) -> None:
    data = prepared(folds=3)
    written = {**document(), "evaluation": {"folds": 3}}
    result, _ = run(ask(tmp_path, data, written))
    assert len(result.scores) == 3
    assert len(set(result.scores)) == 3
    assert result.metrics["val_medae"] == pytest.approx(np.mean(result.scores))
    cut, best = np.load(Path(data.folder) / "folds.npy"), int(np.argmin(result.scores))
    assert result.model is not None
    assert medae(result.model, data, "train", cut == best) == pytest.approx(result.scores[best], rel=1e-5)
    assert len(targets(data.at(best), "val")) == (cut == best).sum()


def test_the_mean_of_the_weights_is_what_is_measured(tmp_path: Path, prepared: Any) -> None:
    data = prepared()
    averaging = {"sgd": {"learning_rate": 0.05, "use_ema": True, "ema_momentum": 0.9}}
    result, _ = run(ask(tmp_path, data, document(averaging)))
    assert result.model is not None
    assert medae(result.model, data, "val") == pytest.approx(result.score, rel=1e-5)


def test_early_stopping_and_a_plateau_follow_it(tmp_path: Path, prepared: Any) -> None:
    never = {"reduce_on_plateau": {"patience": 1, "factor": 0.5, "min_delta": 1e6}}
    stopping = document(schedule=never, early_stopping={"patience": 4, "min_delta": 1e6})
    _, told = run(ask(tmp_path, prepared(), stopping, epochs=9))
    assert len(told) == 5
    rates = [report.metrics["learning_rate"] for report in told]
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] < rates[0]


def test_a_trial_says_that_it_is_at_work_while_it_predicts(
    tmp_path: Path, prepared: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Alive] = []
    monkeypatch.setattr("automl.worker.pulse.EVERY_S", 0.0)
    told: list[Report] = []

    def tell(message: Message) -> bool:
        (told if isinstance(message, Report) else said).append(message)  # type: ignore[attr-defined]
        return True

    run_trial(ask(tmp_path, prepared(), epochs=1), tell)
    assert [alive.done for alive in said if alive.work == "validate"] == [0, 1, 0, 1]


def test_a_task_without_such_metrics_predicts_nothing(tmp_path: Path, prepared: Any) -> None:
    labels = prepared("classification", "kind")
    fitting = Fitting(document(), labels, 0, Objective("val_accuracy", "max"))
    assert fitting.measuring(tf_pipeline.of(fitting.feed("val"))) == []
    numbers = Fitting(document(), prepared(), 0, Objective("val_medae", "min"))
    assert len(numbers.measuring(tf_pipeline.of(numbers.feed("val")))) == 1


def test_a_resumed_trial_is_measured_alike(tmp_path: Path, prepared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl.worker.checkpoint.MOST_SHARE", 10**6)  # every epoch
    request = ask(tmp_path / "whole", prepared(), epochs=5)
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    whole, told = run(request)

    def die(message: Message) -> bool:
        if isinstance(message, Report) and message.epoch == 3:
            raise KeyboardInterrupt
        return True

    killed = replace(request, folder=str(tmp_path / "killed"))
    with pytest.raises(KeyboardInterrupt):
        run_trial(killed, die)
    again, rest = run(replace(killed, attempt=2))
    assert [each.metrics["val_medae"] for each in rest] == pytest.approx([each.metrics["val_medae"] for each in told])
    assert again.score == pytest.approx(whole.score)
