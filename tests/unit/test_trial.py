from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from automl import dataset, tasks
from automl.dataset import DataDocument
from automl.feed import Feed
from automl.records import DataSpec, Report, TestRequest, TrialRequest, TrialResult
from automl.trial import CHECKPOINT, run_test, run_trial

# Nearly all train a model.
pytestmark = pytest.mark.slow

SGD = {"sgd": {"learning_rate": 0.1, "momentum": 0.9}}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataSpec:
    """Two features; the second class is rare and lies apart in one of them."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    y = (np.arange(120) % 6 == 0).astype(np.int64)
    x = rng.normal(size=(120, 2, 2, 1)).astype(np.float32) + y[:, None, None, None]
    np.savez(folder / "toy.npz", x=x, y=y)
    document = DataDocument.model_validate({
        "name": "toy",
        "source": {"npz": {"file": str(folder / "toy.npz"), "x": "x", "y": "y"}},
        "input": "image",
        "task": "classification",
        "split": {"val": 0.25, "test": 0.25, "seed": 0},
    })  # fmt: skip
    return dataset.prepare(document, folder / "prepared")


def document(optimizer: Any = None, task: Any = "classification", **training: Any) -> dict[str, Any]:
    given = {"batch_size": 16, "optimizer": optimizer or {"sgd": {"learning_rate": 0.1}}, **training}
    return {"model": ["flatten", {"dense": {"units": 4}}], "training": given, "data": {"task": task}}


Ask = Callable[..., TrialRequest]


@pytest.fixture
def ask(data: DataSpec, tmp_path: Path) -> Ask:
    def request(number: int = 1, **given: Any) -> TrialRequest:
        folder = tmp_path / f"t{number}"
        folder.mkdir(exist_ok=True)
        fields = {"attempt": 1, "document": document(), "seed": 5, "data": data, "folder": str(folder)}
        fields |= {"objective": "val_accuracy", "direction": "max", "epochs": 3, **given}
        return TrialRequest(number, **fields)

    return request


def run(request: TrialRequest) -> tuple[TrialResult, list[Report]]:
    told: list[Report] = []
    return run_trial(request, told.append), told


def ignore(report: Report) -> None: ...


def metrics_of(told: list[Report]) -> list[dict[str, float]]:
    return [{key: round(value, 6) for key, value in report.metrics.items()} for report in told]


def rates(told: list[Report]) -> list[float]:
    return [round(report.metrics["learning_rate"], 6) for report in told]


def evaluate(result: TrialResult, data: DataSpec, part: str = "val") -> dict[str, float]:
    task = tasks.registry.read("classification")
    model = keras.saving.load_model(result.model, compile=False)
    model.compile(loss=task.loss(), metrics=task.keras_metrics(data))
    return dict(model.evaluate(Feed(data, part, task, 16), verbose=0, return_dict=True))


def test_a_trial_reports_every_epoch_and_ends_with_its_best(ask: Ask) -> None:
    result, told = run(ask(7, attempt=2))
    assert result.outcome == "completed", result.traceback
    assert [report.epoch for report in told] == [1, 2, 3]
    assert {(report.trial, report.attempt) for report in told} == {(7, 2)} == {(result.trial, result.attempt)}
    names = {"loss", "accuracy", "f1", "auc"}
    assert told[0].metrics.keys() == names | {f"val_{name}" for name in names} | {"learning_rate"}
    assert result.score == max(report.metrics["val_accuracy"] for report in told)
    assert result.best_epoch is not None
    assert result.metrics == told[result.best_epoch - 1].metrics
    assert result.epochs == 3
    assert result.parameters == (4 * 4 + 4) + (4 * 2 + 2)
    assert result.seconds > 0
    assert result.checkpoint is None


def test_the_weights_kept_are_those_of_the_best_epoch(ask: Ask, data: DataSpec) -> None:
    # Steps this long overshoot: the best epoch is not the last.
    request = ask(document=document({"sgd": {"learning_rate": 20.0}}), objective="val_loss", direction="min", epochs=6)
    result, told = run(request)
    assert result.best_epoch == 1 + int(np.argmin([report.metrics["val_loss"] for report in told]))
    assert result.best_epoch < 6
    measured = evaluate(result, data)
    assert measured["loss"] == pytest.approx(result.score, abs=1e-6)
    for name, value in measured.items():
        assert value == pytest.approx(result.metrics[f"val_{name}"], abs=1e-6)


def test_early_stopping_ends_a_trial_and_keeps_its_best(ask: Ask, data: DataSpec) -> None:
    request = ask(
        document=document({"sgd": {"learning_rate": 3.0}}, early_stopping={"patience": 2}),
        objective="val_loss",
        direction="min",
        epochs=30,
    )
    result, told = run(request)
    assert result.outcome == "completed"
    assert result.best_epoch is not None
    assert result.epochs == len(told) == result.best_epoch + 2 < 30
    assert evaluate(result, data)["loss"] == pytest.approx(result.score, abs=1e-6)


def test_the_same_seed_is_the_same_trial(ask: Ask) -> None:
    first, second, other = (run(ask(number, seed=seed))[1] for number, seed in ((1, 5), (2, 5), (3, 6)))
    assert metrics_of(first) == metrics_of(second)
    assert metrics_of(first) != metrics_of(other)


def test_the_rate_is_a_metric_and_goes_on_where_the_epoch_stands(ask: Ask) -> None:
    """A rung of a longer training, then the rest: the rates are those of the document's epochs."""
    cosine = document(epochs=4, schedule={"cosine": {"warmup": 1}})
    first, begun = run(ask(1, document=cosine, epochs=2, keep_checkpoint=True))
    second, rest = run(ask(2, document=cosine, epochs=4, initial_epoch=2, start_from=first.checkpoint))
    assert second.outcome == "completed", second.traceback
    assert rates([*begun, *rest]) == [0.05, 0.1, 0.075, 0.025]
    assert second.best_epoch is not None
    assert second.metrics["learning_rate"] == rest[second.best_epoch - 3].metrics["learning_rate"]


def test_a_plateau_goes_on_at_the_rate_it_came_to(ask: Ask) -> None:
    plateau = document(epochs=4, schedule={"reduce_on_plateau": {"patience": 1, "factor": 0.5, "min_delta": 9.0}})
    first, begun = run(ask(1, document=plateau, epochs=3, keep_checkpoint=True))
    _, rest = run(ask(2, document=plateau, epochs=4, initial_epoch=3, start_from=first.checkpoint))
    assert rates([*begun, *rest]) == [0.1, 0.1, 0.05, 0.025]


def test_the_mean_of_the_weights_is_what_is_measured_and_kept(ask: Ask, data: DataSpec) -> None:
    averaging = {"sgd": {"learning_rate": 0.5, "use_ema": True, "ema_momentum": 0.9}}
    given = {"document": document(averaging), "objective": "val_loss", "direction": "min", "epochs": 4}
    result, whole = run(ask(1, **given))
    assert evaluate(result, data)["loss"] == pytest.approx(result.score, abs=1e-6)
    _, plain = run(ask(2, **given | {"document": document({"sgd": {"learning_rate": 0.5}})}))
    for mean, own in zip(whole, plain, strict=True):
        # Keras swaps the two by sums, which costs the last digit.
        assert mean.metrics["loss"] == pytest.approx(own.metrics["loss"], rel=1e-5)
        assert mean.metrics["val_loss"] != pytest.approx(own.metrics["val_loss"], rel=1e-2)
    # Another trial goes on from the weights, not from their mean.
    first, begun = run(ask(3, **given | {"epochs": 2, "keep_checkpoint": True}))
    _, rest = run(ask(4, **given | {"initial_epoch": 2, "start_from": first.checkpoint}))
    for again, before in zip([*begun, *rest], whole, strict=True):
        assert again.metrics == pytest.approx(before.metrics, rel=1e-4)


def test_a_loss_of_its_own_is_trained_and_validated_and_not_tested_with(ask: Ask, data: DataSpec) -> None:
    smoothed = document(loss={"crossentropy": {"label_smoothing": 0.5}})
    result, told = run(ask(document=smoothed, epochs=1))
    assert result.model is not None
    task, model = tasks.registry.read("classification"), keras.saving.load_model(result.model, compile=False)
    model.compile(loss=keras.losses.CategoricalCrossentropy(label_smoothing=0.5))
    found = model.evaluate(Feed(data, "val", task, 16), verbose=0)
    assert told[0].metrics["val_loss"] == pytest.approx(found, abs=1e-6)
    assert evaluate(result, data)["loss"] != pytest.approx(found, abs=1e-2)
    tested = run_test(TestRequest(1, 1, smoothed, data, result.model), ignore)
    assert tested.metrics["test_loss"] == pytest.approx(evaluate(result, data, "test")["loss"], abs=1e-6)


def test_an_error_is_an_outcome_with_its_traceback(ask: Ask) -> None:
    def refuse(report: Report) -> None:
        raise OSError("disk full\nsecond line")

    result = run_trial(ask(), refuse)
    assert result.outcome == "error"
    assert result.message == "OSError: disk full"
    assert result.traceback is not None
    assert result.traceback.startswith("Traceback")
    assert "second line" in result.traceback
    assert (result.score, result.model, result.metrics) == (None, None, {})


def test_a_document_that_cannot_be_read_is_an_error_too(ask: Ask) -> None:
    result, told = run(ask(document={**document(), "training": {"epochs": "many"}}))
    assert result.outcome == "error"
    assert "epochs" in (result.traceback or "")
    assert told == []


def test_what_cannot_be_built_is_infeasible(ask: Ask) -> None:
    blocks = [{"conv": {"filters": 1, "kernel_size": 3, "padding": "valid"}}, "flatten"]
    result, told = run(ask(document={**document(), "model": blocks}))
    assert result.outcome == "infeasible"
    assert "kernel_size 3x3 is larger than its input 2x2" in (result.message or "")
    assert (result.traceback, result.score, told) == (None, None, [])


def test_a_loss_that_is_no_number_is_a_diverged_trial(ask: Ask) -> None:
    blocks = [{"Rescaling": {"scale": 1e38}}, {"Rescaling": {"scale": 1e38}}, "flatten"]
    result, told = run(ask(document={**document(), "model": blocks}))
    assert result.outcome == "diverged"
    assert "nan in epoch 1" in (result.message or "")
    assert len(told) == 1
    assert told[0].nonfinite["loss"] == "nan"
    assert all(math.isfinite(value) for value in told[0].metrics.values())
    assert (result.score, result.model, result.metrics) == (None, None, {})
    assert not list(Path(ask().folder).iterdir())


def test_class_weights_change_the_training_and_not_what_is_measured(ask: Ask, data: DataSpec) -> None:
    plain, told = run(ask(1, epochs=5))
    balanced, told_balanced = run(
        ask(2, epochs=5, document=document(task={"classification": {"class_weights": "balanced"}}))
    )
    assert metrics_of(told) != metrics_of(told_balanced)
    for result in (plain, balanced):
        assert evaluate(result, data)["accuracy"] == pytest.approx(result.score, abs=1e-6)
    x = np.load(Path(data.folder) / "val_x.npy").astype(np.float32)
    rare = [
        keras.saving.load_model(r.model, compile=False).predict(x, verbose=0)[:, 1].mean() for r in (plain, balanced)
    ]
    assert rare[1] > rare[0] + 0.05


@pytest.mark.parametrize("optimizer", [{"adam": {"learning_rate": 0.01}}, SGD], ids=["adam", "momentum"])
def test_a_trial_goes_on_from_another_as_if_it_had_not_stopped(ask: Ask, optimizer: Any) -> None:
    """Needs the optimizer's state and the order of the data of the right epochs; no layer here draws numbers."""
    given = {"document": document(optimizer), "objective": "val_loss", "direction": "min"}
    _, whole = run(ask(1, epochs=4, **given))
    first, begun = run(ask(2, epochs=2, keep_checkpoint=True, **given))
    assert first.checkpoint == str(Path(ask(2).folder) / CHECKPOINT)
    second, rest = run(ask(3, epochs=4, initial_epoch=2, start_from=first.checkpoint, keep_checkpoint=True, **given))
    assert second.outcome == "completed", second.traceback
    assert [report.epoch for report in rest] == [3, 4]
    assert metrics_of([*begun, *rest]) == metrics_of(whole)
    assert second.epochs == 4
    assert second.best_epoch in (3, 4)


def test_a_checkpoint_holds_the_last_epoch_not_the_best(ask: Ask, data: DataSpec) -> None:
    request = ask(
        document=document({"sgd": {"learning_rate": 20.0}}),
        objective="val_loss",
        direction="min",
        epochs=6,
        keep_checkpoint=True,
    )
    result, told = run(request)
    assert result.best_epoch is not None
    assert result.best_epoch < 6
    model = keras.saving.load_model(result.model, compile=False)
    model.load_weights(result.checkpoint)
    task = tasks.registry.read("classification")
    model.compile(loss=task.loss())
    last = model.evaluate(Feed(data, "val", task, 16), verbose=0, return_dict=True)["loss"]
    assert last == pytest.approx(told[-1].metrics["val_loss"], abs=1e-6)


def test_a_trial_that_goes_on_from_nothing_is_an_error(ask: Ask, tmp_path: Path) -> None:
    result, _ = run(ask(start_from=str(tmp_path / "gone.weights.h5"), initial_epoch=1))
    assert result.outcome == "error"
    assert "gone.weights.h5" in (result.traceback or "")


def test_the_winner_is_tested_with_every_metric_of_its_task(ask: Ask, data: DataSpec) -> None:
    result, _ = run(ask())
    assert result.model is not None
    tested = run_test(TestRequest(1, 1, document(), data, result.model), ignore)
    assert tested.message is None
    assert tested.metrics.keys() == {"test_loss", "test_accuracy", "test_f1", "test_auc"}
    assert tested.metrics["test_accuracy"] == pytest.approx(evaluate(result, data, "test")["accuracy"], abs=1e-6)


def test_a_test_that_fails_says_why(ask: Ask, data: DataSpec, tmp_path: Path) -> None:
    tested = run_test(TestRequest(1, 2, document(), data, str(tmp_path / "gone.keras")), ignore)
    assert (tested.trial, tested.attempt, tested.metrics) == (1, 2, {})
    assert "gone.keras" in (tested.message or "")
    assert "Traceback" in (tested.traceback or "")


def test_trials_of_one_worker_leave_nothing_to_each_other(ask: Ask) -> None:
    """The second trial of a process is what it would have been as the first."""
    alone = metrics_of(run(ask(1, seed=9))[1])
    run(ask(2, seed=4, document=document({"adam": {"learning_rate": 0.5}})))
    assert metrics_of(run(ask(3, seed=9))[1]) == alone
    names = [layer.name for layer in keras.saving.load_model(run(ask(4))[0].model, compile=False).layers]
    assert not any(name.endswith("_1") for name in names)
