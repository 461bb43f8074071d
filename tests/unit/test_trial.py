from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from automl import tasks
from automl.data import prepare
from automl.data.feed import Feed, targets
from automl.data.section import DataDocument
from automl.executors import Message
from automl.records.alive import Alive
from automl.records.data import DataSpec
from automl.records.objective import Goals
from automl.records.trials import Report, TestRequest, TrialRequest, TrialResult
from automl.worker.trial import CHECKPOINT, run_test, run_trial

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
    return prepare.prepare(document, folder / "prepared")


def document(optimizer: Any = None, **training: Any) -> dict[str, Any]:
    given = {"batch_size": 16, "optimizer": optimizer or {"sgd": {"learning_rate": 0.1}}, **training}
    return {"model": ["flatten", {"dense": {"units": 4}}], "training": given, "data": {"task": "classification"}}


Ask = Callable[..., TrialRequest]
LOSS = Goals.single("val_loss", "min")


@pytest.fixture
def ask(data: DataSpec, tmp_path: Path) -> Ask:
    def request(number: int = 1, **given: Any) -> TrialRequest:
        folder = tmp_path / f"t{number}"
        folder.mkdir(exist_ok=True)
        fields = {"attempt": 1, "document": document(), "seed": 5, "data": data, "folder": str(folder)}
        fields |= {"goals": Goals.single("val_accuracy", "max"), "epochs": 3, **given}
        return TrialRequest(number, **fields)

    return request


def run(request: TrialRequest, until: int = 10**6) -> tuple[TrialResult, list[Report]]:
    """Runs a trial; in epoch `until` its worker dies."""
    told: list[Report] = []

    def tell(report: Message) -> bool:
        if not isinstance(report, Report):
            return True
        told.append(report)
        if report.epoch == until:
            raise Killed
        return True

    try:
        return run_trial(request, tell), told
    except Killed:
        return TrialResult(request.trial, request.attempt, "lost"), told


class Killed(BaseException):
    """Passes every border, as a kill does."""


def ignore(report: Message) -> bool:
    return True


def metrics_of(told: list[Report]) -> list[dict[str, float]]:
    return [{key: round(value, 6) for key, value in report.metrics.items()} for report in told]


def rates(told: list[Report]) -> list[float]:
    return [round(report.metrics["learning_rate"], 6) for report in told]


def evaluate(result: TrialResult, data: DataSpec, part: str = "val") -> dict[str, float]:
    task = tasks.registry.read("classification")
    model = keras.saving.load_model(result.model, compile=False)
    model.compile(loss=task.loss(None, data.task), metrics=task.keras_metrics(data.task))
    return dict(model.evaluate(Feed(data, part, 16), verbose=0, return_dict=True))


def balanced(data: DataSpec) -> DataSpec:
    """The same data, as if its document asked for balanced classes."""
    declared = {"classification": {"class_weights": "balanced"}}
    state = tasks.registry.read(declared).fit(targets(data, "train"), data.task.state)
    return replace(data, task=replace(data.task, declared=declared, state=state))


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


def test_the_weights_kept_are_those_of_the_best_epoch(ask: Ask, data: DataSpec) -> None:
    # Steps this long overshoot: the best epoch is not the last.
    request = ask(document=document({"sgd": {"learning_rate": 20.0}}), goals=LOSS, epochs=6)
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
        goals=LOSS,
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


def test_augmentation_acts_in_training_alone_and_by_the_seed(ask: Ask, data: DataSpec) -> None:
    changes = {"brightness": 0.3, "mixup": 0.4}
    given = [document(augmentation=each) for each in (changes, changes, {})]
    first, second, plain = (
        run(ask(number, document=each, data=balanced(data))) for number, each in enumerate(given, start=1)
    )
    assert metrics_of(first[1]) == metrics_of(second[1])
    assert first[1][0].metrics["loss"] != pytest.approx(plain[1][0].metrics["loss"], rel=1e-2)
    assert evaluate(first[0], data)["accuracy"] == pytest.approx(first[0].score, abs=1e-6)


def test_the_rate_is_a_metric(ask: Ask) -> None:
    result, told = run(ask(document=document(epochs=4, schedule={"cosine": {"warmup": 1}}), epochs=4))
    assert rates(told) == [0.05, 0.1, 0.075, 0.025]
    assert result.best_epoch is not None
    assert result.metrics["learning_rate"] == told[result.best_epoch - 1].metrics["learning_rate"]


def test_a_trial_that_is_told_to_stop_stops_and_keeps_its_best(ask: Ask) -> None:
    asked: list[int] = []

    def judge(report: Message) -> bool:
        if isinstance(report, Report) and report.waits:
            asked.append(report.epoch)
        return not isinstance(report, Report) or report.epoch < 4

    result = run_trial(ask(epochs=9, rungs=(2, 4)), judge)
    assert asked == [2, 4]
    assert (result.outcome, result.epochs) == ("stopped", 4)
    assert result.score is not None
    assert Path(result.model or "").exists()


@pytest.mark.parametrize(("epochs", "cut_in"), [(0, "train"), (2, "train"), (2, "validate")])
def test_a_trial_whose_search_is_over_ends_between_two_batches(
    ask: Ask, data: DataSpec, monkeypatch: pytest.MonkeyPatch, epochs: int, cut_in: str
) -> None:
    """With the best of its whole epochs: the one that was cut short is neither told of nor kept."""
    monkeypatch.setattr("automl.worker.pulse.EVERY_S", 0.0)
    said: list[Message] = []

    def tell(message: Message) -> bool:
        said.append(message)
        return not (isinstance(message, Alive) and message.epoch == epochs + 1 and message.work == cut_in)

    result = run_trial(ask(epochs=9), tell)
    assert (result.outcome, result.epochs) == ("timeout", epochs), result.traceback
    assert isinstance(said[-1], Alive)
    told = [each for each in said if isinstance(each, Report)]
    if epochs:
        _, whole = run(ask(2))
        assert metrics_of(told) == metrics_of(whole[:epochs])
        assert result.score == max(report.metrics["val_accuracy"] for report in told)
        assert evaluate(result, data)["accuracy"] == pytest.approx(result.score, abs=1e-6)
    else:
        message = "the time of the search was over before its first epoch ended"
        assert (result.score, result.model, result.message) == (None, None, message)
        assert not result.is_scored
    assert {each.total for each in said if isinstance(each, Alive) and each.work == "train"} == {4}


def test_a_trial_ends_with_the_batch_in_which_its_own_time_is_over(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    gone_by, said = [0.0], list[Message]()
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + gone_by[0])
    for module in ("recorder", "pulse"):
        monkeypatch.setattr(f"automl.worker.{module}.time", clock)

    def tell(message: Message) -> bool:
        said.append(message)
        gone_by[0] += 1000.0 * isinstance(message, Report)
        return True

    result = run_trial(ask(epochs=9, time_s=900.0), tell)
    assert (result.outcome, result.epochs) == ("timeout", 1), result.traceback
    assert result.score is not None
    result = run_trial(ask(2, epochs=9, time_s=1e-9), tell)
    assert (result.outcome, result.score) == ("timeout", None)
    assert result.message == "its trial_time was over before its first epoch ended"


def test_the_mean_of_the_weights_is_what_is_measured_and_kept(ask: Ask, data: DataSpec) -> None:
    averaging = {"sgd": {"learning_rate": 0.5, "use_ema": True, "ema_momentum": 0.9}}
    given = {"document": document(averaging), "goals": LOSS, "epochs": 4}
    result, whole = run(ask(1, **given))
    assert evaluate(result, data)["loss"] == pytest.approx(result.score, abs=1e-6)
    _, plain = run(ask(2, **given | {"document": document({"sgd": {"learning_rate": 0.5}})}))
    for mean, own in zip(whole, plain, strict=True):
        # Keras swaps the two by sums, which costs the last digit.
        assert mean.metrics["loss"] == pytest.approx(own.metrics["loss"], rel=1e-5)
        assert mean.metrics["val_loss"] != pytest.approx(own.metrics["val_loss"], rel=1e-2)


def test_a_loss_of_its_own_is_trained_and_validated_and_not_tested_with(ask: Ask, data: DataSpec) -> None:
    smoothed = document(loss={"crossentropy": {"label_smoothing": 0.5}})
    result, told = run(ask(document=smoothed, epochs=1))
    assert result.model is not None
    model = keras.saving.load_model(result.model, compile=False)
    model.compile(loss=keras.losses.CategoricalCrossentropy(label_smoothing=0.5))
    found = model.evaluate(Feed(data, "val", 16), verbose=0)
    assert told[0].metrics["val_loss"] == pytest.approx(found, abs=1e-6)
    assert evaluate(result, data)["loss"] != pytest.approx(found, abs=1e-2)
    tested = run_test(TestRequest(1, 1, smoothed, data, result.model), ignore)
    assert tested.metrics["test_loss"] == pytest.approx(evaluate(result, data, "test")["loss"], abs=1e-6)


def test_penalties_are_trained_with_and_not_measured(ask: Ask, data: DataSpec) -> None:
    """They are a matter of the weights: of two models that answer alike, none is the better one."""
    written = document()
    written["model"] = ["flatten", {"dense": {"units": 4, "l2": 0.1}}, {"ActivityRegularization": {"l2": 0.1}}]
    result, told = run(ask(document=written, goals=LOSS, epochs=1))
    assert result.model is not None
    loaded, task = keras.saving.load_model(result.model, compile=False), tasks.registry.read("classification")
    losses = {}
    for part in ("val", "test"):
        x, y = (np.load(Path(data.folder) / f"{part}_{axis}.npy") for axis in "xy")
        losses[part] = float(task.loss(None, data.task)(task.encode(y, data.task.state), loaded(x)))
    assert float(sum(loaded.losses)) > 0.05
    assert result.score == told[0].metrics["val_loss"] == pytest.approx(losses["val"], abs=1e-6)
    tested = run_test(TestRequest(1, 1, written, data, result.model), ignore)
    assert tested.metrics["test_loss"] == pytest.approx(losses["test"], abs=1e-6)
    # What training makes small holds them.
    written["model"] = ["flatten", {"dense": {"units": 4}}]
    plain = run(ask(2, document=written, epochs=1))[1][0].metrics
    assert told[0].metrics["loss"] > plain["loss"] + 0.05


@pytest.mark.slow
@pytest.mark.parametrize("how", [{"precision": "mixed_bfloat16"}, {"steps_per_execution": 4}, {"jit": True}])
def test_how_steps_are_computed_changes_little(ask: Ask, data: DataSpec, how: dict[str, Any]) -> None:
    _, told = run(ask(1))
    other, changed = run(ask(2, document=document(**how)))
    assert other.outcome == "completed", other.traceback
    for one, two in zip(told, changed, strict=True):
        assert two.metrics["val_loss"] == pytest.approx(one.metrics["val_loss"], abs=0.02)
    if "precision" in how:
        assert metrics_of(told) != metrics_of(changed)
    assert evaluate(other, data)["accuracy"] == pytest.approx(other.score, abs=1e-6)
    # The next trial of the same worker computes as it declares.
    assert metrics_of(run(ask(3))[1]) == metrics_of(told)


def test_an_error_is_an_outcome_with_its_traceback(ask: Ask) -> None:
    def refuse(report: Message) -> bool:
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
    weighted, told_weighted = run(ask(2, epochs=5, data=balanced(data)))
    assert metrics_of(told) != metrics_of(told_weighted)
    for result in (plain, weighted):
        assert evaluate(result, data)["accuracy"] == pytest.approx(result.score, abs=1e-6)
    x = np.load(Path(data.folder) / "val_x.npy").astype(np.float32)
    rare = [
        keras.saving.load_model(r.model, compile=False).predict(x, verbose=0)[:, 1].mean() for r in (plain, weighted)
    ]
    assert rare[1] > rare[0] + 0.05


# Epochs 3 and 5 of the plateau's patience run over the moment of the kill.
PLATEAU = {"reduce_on_plateau": {"patience": 2, "factor": 0.5, "min_delta": 9.0}}
COURSES: dict[str, dict[str, Any]] = {
    "adam and a cosine": {"optimizer": {"adam": {"learning_rate": 0.01}}, "schedule": {"cosine": {"warmup": 1}}},
    "momentum and a plateau": {"optimizer": SGD, "schedule": PLATEAU},
    "the mean of the weights": {"optimizer": {"sgd": {"learning_rate": 0.5, "use_ema": True, "ema_momentum": 0.9}}},
    "early stopping": {"optimizer": {"sgd": {"learning_rate": 20.0}}, "early_stopping": {"patience": 4}},
    "augmentation": {"augmentation": {"flip": "both", "rotation": 0.1, "erasing": 0.5, "mixup": 0.4, "cutmix": 1.0}},
}


@pytest.mark.slow
@pytest.mark.parametrize("course", COURSES)
def test_a_killed_trial_goes_on_as_if_nothing_had_happened(ask: Ask, course: str, monkeypatch: Any) -> None:
    """Weights, what the optimizer and the callbacks keep, the best epoch so far, and the random states of dropout."""
    monkeypatch.setattr("automl.worker.checkpoint.MOST_SHARE", 10**6)  # every epoch
    written = document(epochs=8, **COURSES[course])
    written["model"] = ["flatten", {"dense": {"units": 4, "dropout": 0.3, "norm": "batch"}}]
    given = {"document": written, "goals": LOSS, "epochs": 8}
    whole, told = run(ask(1, **given))
    lost, begun = run(ask(2, **given), until=4)
    assert lost.outcome == "lost"
    again, rest = run(ask(2, attempt=2, **given))
    assert again.outcome == "completed", again.traceback
    # The fourth epoch was told of, and its checkpoint not yet written; those before it are told again.
    assert [report.epoch for report in rest] == [report.epoch for report in told]
    assert metrics_of(begun) == metrics_of(told[:4])
    assert metrics_of(rest) == metrics_of(told)
    assert (again.best_epoch, again.epochs) == (whole.best_epoch, whole.epochs)
    assert again.score == pytest.approx(whole.score, abs=1e-6)
    saved = [keras.saving.load_model(result.model, compile=False).get_weights() for result in (whole, again)]
    for one, other in zip(*saved, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize("torn", [b"", b"PK no zip"])
def test_a_torn_checkpoint_is_none(ask: Ask, torn: bytes) -> None:
    """A power cut may leave one behind."""
    (Path(ask().folder) / CHECKPOINT).write_bytes(torn)
    result, told = run(ask())
    assert result.outcome == "completed", result.traceback
    assert [report.epoch for report in told] == [1, 2, 3]


def test_checkpoints_take_a_small_share_of_the_time(ask: Ask, monkeypatch: Any) -> None:
    from automl.worker import checkpoint

    written: list[int] = []

    def slow(self: Any, epoch: int) -> None:
        written.append(epoch)
        time.sleep(1.0)

    monkeypatch.setattr(checkpoint.Checkpoint, "_write", slow)
    run(ask(epochs=12))
    assert written == [1]  # the next one would be due after twenty seconds


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


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="of TensorFlow alone")
def test_no_data_is_read_by_a_generator_of_tensorflow(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of them, and the process trains at less than half its speed from then on; see `tf_pipeline.of`."""
    import tensorflow as tf

    def refused(*_: Any, **__: Any) -> None:
        raise AssertionError("from_generator")

    monkeypatch.setattr(tf.data.Dataset, "from_generator", refused)
    mixed = document(augmentation={"mixup": 0.2})
    for number, told in enumerate((document(), mixed), start=1):
        request = ask(number, document=told)
        result, _ = run(request)
        assert result.outcome == "completed", result
    tested = run_test(TestRequest(1, 1, told, request.data, result.model), ignore)
    assert tested.metrics
