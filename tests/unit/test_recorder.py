from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from automl.machine.usage import Usage
from automl.records.objective import Goals
from automl.records.trials import Report, TrialRequest
from automl.worker.health import Finding
from automl.worker.recorder import Recorder

NOTHING: Any = None
REQUEST = TrialRequest(3, 2, {}, 0, NOTHING, "", Goals.single("val_accuracy", "max"), 4)


@pytest.fixture(autouse=True)
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """No report tells what this machine is at."""
    monkeypatch.setattr(Usage, "read", lambda _: {})


class Network:
    """Its weights tell which epoch they are of."""

    def __init__(self) -> None:
        self.epoch = 0
        self.stop_training = False

    def get_weights(self) -> list[int]:
        return [self.epoch]


def follow(*epochs: dict[str, float], first: int = 0, **request: Any) -> tuple[Recorder, list[Report]]:
    """Plays the epochs of a training; ends where the recorder ends it."""
    told: list[Report] = []
    network: Any = Network()
    recorder = Recorder(replace(REQUEST, **request), told.append, network)
    recorder.set_model(network)
    for epoch, logs in enumerate(epochs, start=first):
        network.epoch = epoch + 1
        recorder.on_epoch_end(epoch, logs)
        if network.stop_training:
            break
    return recorder, told


def test_what_is_taken_of_the_machine_goes_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Usage, "read", lambda _: {"process_memory_megabytes": 900.0})
    _, (told,) = follow({"loss": 2.0, "val_accuracy": 0.5})
    assert told.usage == {"process_memory_megabytes": 900.0}


def test_how_the_training_is_goes_along_and_is_told_again_after_a_checkpoint() -> None:
    told: list[Report] = []
    network: Any = Network()
    recorder = Recorder(REQUEST, told.append, network)
    recorder.set_model(network)
    recorder.health.figures, recorder.phase = {"gradient_norm": 2.5}, 2
    recorder.on_epoch_end(0, {"loss": 2.0, "val_accuracy": 0.5})
    assert (told[0].health, told[0].phase) == ({"gradient_norm": 2.5}, 2)
    seen = json.loads(json.dumps(recorder.state()[0]))
    again: list[Report] = []
    Recorder(REQUEST, again.append, network).restore(seen, None)
    assert again == told
    # A checkpoint of an earlier version holds no phase, or no health.
    for columns, known in ((4, {"gradient_norm": 2.5}), (3, {})):
        seen["told"] = [each[:columns] for each in seen["told"]]
        Recorder(REQUEST, again.append, network).restore(seen, None)
        assert again[-1] == replace(told[0], health=known, phase=1)


def test_what_is_wrong_with_the_gradient_is_told_with_the_result() -> None:
    recorder, _ = follow({"loss": 1.0, "val_accuracy": 0.5})
    recorder.health.finding = Finding("vanished", "the gradient vanished; try norm")
    assert {"outcome": "completed", "gradient": "vanished"}.items() <= recorder.facts().items()
    assert recorder.facts()["message"] == "the gradient vanished; try norm"
    recorder, _ = follow({"loss": math.nan, "val_accuracy": 0.5})
    recorder.health.finding = Finding("exploded", "the gradient exploded; try training.clipnorm")
    facts = recorder.facts()
    assert (facts["outcome"], facts["gradient"]) == ("diverged", "exploded")
    assert facts["message"] == "the training loss became nan in epoch 1: the gradient exploded; try training.clipnorm"


def test_every_epoch_is_reported_counted_from_one() -> None:
    _, told = follow({"loss": 2.0, "val_accuracy": 0.5}, {"loss": 1.0, "val_accuracy": 0.6})
    assert told == [
        Report(3, 2, 1, {"loss": 2.0, "val_accuracy": 0.5}),
        Report(3, 2, 2, {"loss": 1.0, "val_accuracy": 0.6}),
    ]


def test_metrics_are_plain_floats() -> None:
    import numpy as np

    _, (told,) = follow({"loss": np.float32(2.0), "val_accuracy": np.float32(0.5)})
    assert {type(value) for value in told.metrics.values()} == {float}


@pytest.mark.parametrize(
    ("objective", "direction", "values", "best"),
    [
        ("val_accuracy", "max", (0.5, 0.9, 0.7), 2),
        ("val_loss", "min", (0.5, 0.9, 0.7), 1),
        ("val_accuracy", "max", (0.9, 0.9, 0.9), 1),  # the earliest of equals
        ("val_loss", "min", (0.0, -1.0, -1.0), 2),
    ],
)
def test_the_best_epoch_is_that_of_the_best_objective(
    objective: str, direction: Any, values: tuple[float, ...], best: int
) -> None:
    logs = [{"loss": 1.0, objective: value} for value in values]
    recorder, _ = follow(*logs, goals=Goals.single(objective, direction))
    facts = recorder.facts()
    assert facts == {
        "epochs": 3,
        "outcome": "completed",
        "score": values[best - 1],
        "best_epoch": best,
        "metrics": logs[best - 1],
        "loss": logs[best - 1].get("val_loss"),
    }
    assert recorder.best_weights == [best]


@pytest.mark.parametrize(
    ("losses", "best"),
    [
        ((0.9, 0.324, 0.012), 3),
        ((0.9, 0.012, 0.012), 2),  # the earliest of equals
        ((0.001, 0.324, 0.012), 3),  # the objective comes first
        ((0.9, math.nan, 0.5), 3),
        ((0.9, 0.5, math.nan), 2),
    ],
)
def test_the_loss_tells_equal_epochs_apart(losses: tuple[float, ...], best: int) -> None:
    """Of eight validation examples, many epochs get as many right."""
    scores = (0.875, 1.0, 1.0)
    logs = [{"loss": 1.0, "val_accuracy": score, "val_loss": loss} for score, loss in zip(scores, losses, strict=True)]
    recorder, _ = follow(*logs)
    facts = recorder.facts()
    assert (facts["best_epoch"], facts["score"], facts["loss"]) == (best, 1.0, losses[best - 1])
    assert recorder.best_weights == [best]
    # One that goes on from a checkpoint compares with what it had.
    network: Any = Network()
    other = Recorder(REQUEST, lambda _: True, network)
    other.set_model(network)
    first, _ = follow(*logs[:2])
    seen, weights = first.state()
    other.restore(json.loads(json.dumps(seen)), weights)
    network.epoch = 3
    other.on_epoch_end(2, logs[2])
    assert (other.facts()["best_epoch"], other.best_weights) == (best, [best])


def test_a_continued_trial_counts_on() -> None:
    recorder, told = follow({"loss": 1.0, "val_accuracy": 0.1}, {"loss": 1.0, "val_accuracy": 0.2}, first=2)
    assert [report.epoch for report in told] == [3, 4]
    facts = recorder.facts()
    assert (facts["best_epoch"], facts["epochs"]) == (4, 4)


def test_a_continued_trial_tells_of_its_earlier_epochs_again() -> None:
    """A driver that was killed may not have written down what it was told last, and the checkpoint lies behind that."""
    logs = [{"loss": 2.0, "val_accuracy": 0.5}, {"loss": 1.0, "val_accuracy": math.nan}]
    recorder, told = follow(*logs, rungs=(2,))
    assert told[1].waits
    again: list[Report] = []
    network: Any = Network()
    other = Recorder(replace(REQUEST, attempt=3, rungs=(2,)), again.append, network)
    seen, best = recorder.state()
    other.restore(json.loads(json.dumps(seen)), best)
    # The verdict on the second one is known: without it there would be no checkpoint.
    assert again == [replace(report, attempt=3, waits=False) for report in told]
    assert other.state()[0]["told"] == seen["told"]


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_ends_the_trial(loss: float) -> None:
    recorder, told = follow(
        {"loss": 1.0, "val_accuracy": 0.5}, {"loss": loss, "val_accuracy": 0.1}, {"loss": 1.0, "val_accuracy": 0.9}
    )
    assert [report.epoch for report in told] == [1, 2]
    assert told[1].metrics == {"val_accuracy": 0.1}
    assert told[1].nonfinite == {"loss": repr(loss)}
    facts = recorder.facts()
    assert facts["outcome"] == "diverged"
    assert "score" not in facts
    assert "epoch 2" in facts["message"]
    assert repr(loss) in facts["message"]


def test_an_objective_that_is_not_finite_is_skipped() -> None:
    recorder, told = follow(
        {"loss": 1.0, "val_loss": math.nan},
        {"loss": 1.0, "val_loss": 0.7},
        {"loss": 1.0, "val_loss": -math.inf},
        goals=Goals.single("val_loss", "min"),
    )
    assert [report.nonfinite for report in told] == [{"val_loss": "nan"}, {}, {"val_loss": "-inf"}]
    facts = recorder.facts()
    assert (facts["outcome"], facts["score"], facts["best_epoch"]) == ("completed", 0.7, 2)


def test_an_objective_that_is_never_finite_is_a_diverged_trial() -> None:
    recorder, _ = follow({"loss": 1.0, "val_accuracy": math.nan}, {"loss": 1.0, "val_accuracy": math.nan})
    facts = recorder.facts()
    assert facts["outcome"] == "diverged"
    assert "val_accuracy" in facts["message"]
    assert facts["epochs"] == 2


def test_an_objective_that_is_not_measured_is_an_error_at_once() -> None:
    with pytest.raises(KeyError, match=r"val_nothing is not measured\. Expected one of loss, val_accuracy"):
        follow({"loss": 1.0, "val_accuracy": 0.5}, goals=Goals.single("val_nothing", "max"))
