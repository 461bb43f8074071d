"""What MLflow is told of a trial beside its parameters, and of which of them its page has axes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from automl.document.yaml_text import Document
from automl.driver.ranking import Ranking
from automl.driver.telling import Teller
from automl.experiment import experiment
from automl.journal import Asked, Header, Reported
from automl.model import build

RANGE = {"min": 0.001, "max": 0.1, "log": True}
ONE = {"adam": {"learning_rate": RANGE}}
TWO = {"one_of": {"adam": {"learning_rate": RANGE}, "sgd": {"learning_rate": RANGE}}}
ADAM, SGD = "training.optimizer.adam.learning_rate", "training.optimizer.sgd.learning_rate"


class Told:
    def __init__(self) -> None:
        self.calls: list[tuple[str, Any, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **named: self.calls.append((name, args, named))


def teller(optimizer: Any) -> tuple[Teller, Told]:
    document = {"model": [{"conv": {"filters": {"min": 1, "max": 9}}}], "training": {"optimizer": optimizer}}
    read = experiment.check(Document(document, "toy"), "toy")
    header = Header("s1", 1, {}, "ab", (), 0, 1, "tensorflow", {}, "here", {"name": "m", "space": "toy"})
    data, told = replace(build.data_of((8, 8, 1), 2), name="d"), Told()
    return Teller(told, read, data, header, Ranking(read.goals)), told  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("optimizer", "values", "logs"),
    [
        (ONE, {ADAM: 0.01}, {ADAM: -2}),
        # Each optimizer has its own: the trial's is told under one name as well, for all trials to stand on one axis.
        (TWO, {"training.optimizer": "adam", ADAM: 0.01}, {ADAM: -2, "learning_rate": -2}),
        (TWO, {"training.optimizer": "sgd", SGD: 0.1}, {SGD: -1, "learning_rate": -1}),
    ],
)
def test_what_is_drawn_on_a_logarithmic_scale_is_told_on_one(
    optimizer: Any, values: dict[str, Any], logs: dict[str, float]
) -> None:
    made, told = teller(optimizer)
    made.started(Asked(1, {"conv.filters": 3, **values}, 1, 1), {}, 1)
    ((_, _, named),) = told.calls
    assert named["logs"] == {name: pytest.approx(value) for name, value in logs.items()}
    assert named["name"].startswith("t001 ")


def test_an_axis_is_what_every_trial_has() -> None:
    view = teller(TWO)[0]._view()
    assert list(view.axes) == ["learning_rate", "conv.filters", "training.optimizer"]
    assert set(view.logs) == {ADAM, SGD, "learning_rate"}
    assert list(teller(ONE)[0]._view().axes) == ["conv.filters", ADAM]


def test_what_is_no_number_and_what_the_machine_gave_go_with_an_epoch() -> None:
    made, told = teller(ONE)
    system, health = {"process_memory_megabytes": 9.0}, {"gradient_norm": 2.5}
    made.epoch(Reported(3, 1, 2, {"loss": 0.5}, 7, {"val_loss": "inf"}, 1, system, health))
    (name, args, _) = told.calls[0]
    metrics = {"loss": 0.5, "val_loss": math.inf, "system/process_memory_megabytes": 9.0, "health/gradient_norm": 2.5}
    assert (name, args) == ("epoch", (3, 2, metrics, 7))
